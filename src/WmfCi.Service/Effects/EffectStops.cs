using System.Collections.Concurrent;

namespace WmfCi.Service.Effects;

/// <summary>The effects that are being carried out on this replica, so that one that is wanted no more can be told at once.</summary>
public sealed class EffectStops
{
    private readonly ConcurrentDictionary<string, TaskCompletionSource> _running = new(StringComparer.Ordinal);

    /// <summary>Notes that an effect is being carried out; the source completes when it is wanted no more.</summary>
    public TaskCompletionSource Begin(string key) =>
        _running[key] = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Notes that an effect is over; the same effect, taken up again here meanwhile, goes on being told.</summary>
    public void End(string key, TaskCompletionSource stop) => _running.TryRemove(KeyValuePair.Create(key, stop));

    /// <summary>Tells an effect that it is wanted no more, if it is carried out here.</summary>
    public void Request(string key)
    {
        if (_running.TryGetValue(key, out var stop)) stop.TrySetResult();
    }
}
