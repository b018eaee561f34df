using System.Buffers;
using System.Diagnostics;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>Runs one step in its sandbox: passes its output on, and ends it with all its children when there is an order to.</summary>
internal sealed class StepSupervisor(Launcher launcher, AttemptLog log, StopSignal stop, TimeSpan grace, TimeProvider time)
{
    private const int ReadBytes = 64 * 1024;
    private const int MaxControlLines = 1000;

    // How long the kernel and podman may take to end what was killed.
    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(60);

    /// <summary>Runs it to its end.</summary>
    /// <returns>How it ended; when there was an order to stop, that counts instead.</returns>
    /// <exception cref="IOException">It could not be ended.</exception>
    public async Task<SandboxEnd> RunAsync(Sandbox sandbox, LimitWatch watch)
    {
        using var process = await launcher.StartAsync(sandbox.Command());
        process.StandardInput.Close();
        var ended = Task.WhenAll(PassOutputAsync(process.StandardOutput.BaseStream), HearAsync(sandbox, process.StandardError), process.WaitForExitAsync());
        using var over = new CancellationTokenSource();
        var watching = watch.RunAsync(sandbox, over.Token);
        try
        {
            if (!await EndsWithinAsync(Timeout.InfiniteTimeSpan, stop.Ordered)) await TerminateAsync(sandbox, process, EndsWithinAsync);
            await ended;
            return await sandbox.EndAsync(process);
        }
        finally
        {
            await over.CancelAsync();
            await watching;
        }

        async Task<bool> EndsWithinAsync(TimeSpan bound, CancellationToken giveUp)
        {
            try
            {
                await ended.WaitAsync(bound, time, giveUp);
                return true;
            }
            catch (Exception error) when (error is TimeoutException or OperationCanceledException && !ended.IsCompleted)
            {
                return false;
            }
        }
    }

    private async Task TerminateAsync(Sandbox sandbox, Process process, Func<TimeSpan, CancellationToken, Task<bool>> endsWithin)
    {
        if (sandbox.FindFirst() is { } first && !stop.Hastened.IsCancellationRequested)
        {
            ProcessTree.Terminate(first, sandbox.FindShell(first));
            if (await endsWithin(grace, stop.Hastened)) return;
        }

        await sandbox.KillAsync(process);
        if (await endsWithin(EndBound, CancellationToken.None)) return;
        process.Kill();
        throw new IOException("The processes of the step could not be ended.");
    }

    private async Task PassOutputAsync(Stream output)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ReadBytes);
        try
        {
            int read;
            while ((read = await output.ReadAsync(buffer)) > 0)
            {
                if (stop.Order is { Kind: OutcomeKind.InfrastructureFailed }) continue;
                try
                {
                    await log.OutputAsync(buffer.AsMemory(0, read), CancellationToken.None);
                }
                catch (Exception error)
                {
                    // Whoever keeps the log failed, with whatever exception; the step is ended and its output read to the end, so that nothing hangs.
                    stop.Stop(new StopOrder(OutcomeKind.InfrastructureFailed, $"The log could not be kept: {error.Message}", IsAtOnce: true));
                }
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task HearAsync(Sandbox sandbox, StreamReader control)
    {
        var lines = 0;
        while (await control.ReadLineAsync() is { } line)
        {
            if (++lines <= MaxControlLines) sandbox.Hear(line);
        }
    }
}
