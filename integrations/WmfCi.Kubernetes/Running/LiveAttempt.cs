using k8s.Models;

namespace WmfCi.Kubernetes.Running;

/// <summary>An attempt that this process runs or adopted: what is known of it beside the cluster, and a bell that rings when the cluster has news.</summary>
internal sealed class LiveAttempt(string name) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly SemaphoreSlim _bell = new(0, 1);
    private readonly CancellationTokenSource _stopped = new();
    private bool _isOver;

    public string Name => name;

    /// <summary>Signalled when it is wanted no more.</summary>
    public CancellationToken Stopped => _stopped.Token;

    /// <summary>The Job as it was seen last, its end included; null before it was ever seen.</summary>
    public V1Job? LastJob { get; set; }

    /// <summary>Whether the watch saw it go.</summary>
    public bool IsJobGone { get; set; }

    /// <summary>Somebody wants it stopped.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            if (!_isOver) _stopped.Cancel();
        }
    }

    /// <summary>Something happened.</summary>
    public void Ring()
    {
        lock (_lock)
        {
            if (!_isOver && _bell.CurrentCount == 0) _bell.Release();
        }
    }

    /// <summary>Waits for the bell, at most so long.</summary>
    public Task WaitAsync(TimeSpan atMost, CancellationToken cancellationToken) => _bell.WaitAsync(atMost > TimeSpan.Zero ? atMost : TimeSpan.Zero, cancellationToken);

    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
            _bell.Dispose();
            _stopped.Dispose();
        }
    }
}
