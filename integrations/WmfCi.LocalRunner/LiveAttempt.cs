using System.Text;
using WmfCi.LocalRunner.Sandboxes;
using WmfCi.Ports;

namespace WmfCi.LocalRunner;

/// <summary>An attempt that this process carries out or waits for.</summary>
internal sealed class LiveAttempt
{
    private readonly TaskCompletionSource<AttemptReport> _report = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Orders it to stop.</summary>
    public StopSignal Stop { get; } = new();

    /// <summary>How many callers wait for its report.</summary>
    public int Waiting { get; set; }

    /// <summary>Whether it has its report.</summary>
    public bool IsOver { get; set; }

    /// <summary>Whether another process runs it.</summary>
    public bool IsElsewhere { get; set; }

    /// <summary>Begins it.</summary>
    public void Begin(Func<Task<AttemptReport>> carryOut) => _ = Task.Run(async () =>
    {
        try
        {
            _report.SetResult(await carryOut());
        }
        catch (Exception error)
        {
            // A programming error; whoever waits must hear of it rather than wait for ever.
            _report.SetException(error);
        }
    });

    /// <summary>Waits for its report.</summary>
    public Task<AttemptReport> WaitAsync(CancellationToken cancellationToken) => _report.Task.WaitAsync(cancellationToken);
}

/// <summary>
/// The lock on an attempt. The kernel lets go of it when its process dies, however it dies, so that neither process numbers nor start times are compared:
/// a lock file that can be locked and has text in it was left by a dead process.
/// </summary>
internal sealed class AttemptLock : IDisposable
{
    private readonly FileStream _file;

    private AttemptLock(FileStream file, bool wasHeld) => (_file, WasHeld) = (file, wasHeld);

    /// <summary>Whether a process that is dead now had begun the attempt.</summary>
    public bool WasHeld { get; }

    /// <summary>Takes the lock.</summary>
    /// <returns>Null when a living process has it.</returns>
    public static AttemptLock? TryTake(string path)
    {
        const int wouldBlock = 11;
        FileStream file;
        try
        {
            file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException error) when (error.HResult == wouldBlock)
        {
            return null;
        }

        var wasHeld = file.Length > 0;
        if (!wasHeld)
        {
            file.Write(Encoding.ASCII.GetBytes($"process {Environment.ProcessId}\n"));
            file.Flush();
        }

        return new AttemptLock(file, wasHeld);
    }

    /// <summary>Ends the lock and its file; the attempt's report is written by now.</summary>
    public void Remove()
    {
        File.Delete(_file.Name);
        _file.Dispose();
    }

    public void Dispose() => _file.Dispose();
}
