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

    /// <summary>Stops whatever is stored after an attempt's orders, which are the first: its steps are over then, and it is not.</summary>
    public Hold HoldFiles()
    {
        var hold = new Hold();
        BeforeFiles(hold.StopAsync);
        return hold;
    }

    /// <summary>The same, for doing something else.</summary>
    public void BeforeFiles(Func<Task> before)
    {
        var puts = 0;
        BeforePut = () => Interlocked.Increment(ref puts) == 1 ? Task.CompletedTask : before();
    }

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
