namespace WmfCi.Service.Loop;

/// <summary>Wakes one waiting loop. Rings that come while it works are remembered as one, so that none is lost and none piles up.</summary>
public sealed class Bell : IDisposable
{
    private readonly SemaphoreSlim _rung = new(0, 1);

    /// <summary>Wakes the loop, now or when it next waits.</summary>
    public void Ring()
    {
        try
        {
            _rung.Release();
        }
        catch (SemaphoreFullException)
        {
            // It was rung already.
        }
    }

    /// <summary>The shortest wait without a ring: what should be there and is held by somebody for a moment must not be asked for without a pause.</summary>
    public static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(10);

    /// <summary>Waits for a ring, or until it is time to look anyway.</summary>
    public Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken) => _rung.WaitAsync(atMost > Shortest ? atMost : Shortest, cancellationToken);

    /// <inheritdoc/>
    public void Dispose() => _rung.Dispose();
}

/// <summary>The bells of a replica.</summary>
public sealed class Bells : IDisposable
{
    private readonly Dictionary<string, Bell> _effects = Storage.Pools.All.ToDictionary(pool => pool, _ => new Bell(), StringComparer.Ordinal);

    /// <summary>A lane has an event.</summary>
    public Bell Lanes { get; } = new();

    /// <summary>An effect of a pool waits.</summary>
    public Bell Effects(string pool) => _effects[pool];

    /// <summary>Rings for a notification of the database; unknown ones are passed over.</summary>
    public void Heard(string channel, string payload)
    {
        if (channel == Storage.Wakeups.Lanes) Lanes.Ring();
        else if (channel == Storage.Wakeups.Effects && _effects.TryGetValue(payload, out var bell)) bell.Ring();
    }

    /// <summary>Rings all: something may have happened that was not heard.</summary>
    public void RingAll()
    {
        Lanes.Ring();
        foreach (var bell in _effects.Values) bell.Ring();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Lanes.Dispose();
        foreach (var bell in _effects.Values) bell.Dispose();
    }
}
