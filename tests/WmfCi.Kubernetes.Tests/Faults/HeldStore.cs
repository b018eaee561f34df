using WmfCi.Ports;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>A store that does something first.</summary>
internal sealed class HeldStore : IArtifactStore
{
    /// <summary>The store behind it.</summary>
    public IArtifactStore Inner { get; set; } = null!;

    /// <summary>Before something is stored; null for nothing.</summary>
    public Func<Task>? BeforePut { get; set; }

    /// <summary>Before something is opened; null for nothing.</summary>
    public Func<Task>? BeforeOpen { get; set; }

    public async Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        if (BeforePut is { } before) await before().WaitAsync(cancellationToken);
        return await Inner.PutAsync(content, maxBytes, cancellationToken);
    }

    public async Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken)
    {
        if (BeforeOpen is { } before) await before().WaitAsync(cancellationToken);
        return await Inner.OpenAsync(digest, cancellationToken);
    }
}

/// <summary>A place at which something stops until it may go on.</summary>
internal sealed class Hold
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously), _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Task Reached => _reached.Task;

    public void Release() => _released.TrySetResult();

    public Task StopAsync()
    {
        _reached.TrySetResult();
        return _released.Task;
    }
}
