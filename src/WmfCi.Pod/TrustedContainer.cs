using System.Runtime.InteropServices;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod;

/// <summary>Runs what a trusted container does, and tells the service by its termination message why it failed.</summary>
internal static class TrustedContainer
{
    /// <summary>Runs it until it is done or SIGTERM comes.</summary>
    /// <returns>The exit status: 0, or 1 where it failed.</returns>
    public static async Task<int> RunAsync(PodPlace place, Func<CancellationToken, Task> work)
    {
        using var stop = new CancellationTokenSource();
        // The first process of a container hears only the signals that it asks for.
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        try
        {
            await work(stop.Token);
            return 0;
        }
        catch (Exception error)
        {
            // Whatever it was, the service is to hear it in a sentence and not as a crash.
            return Fail(place, FailureOf(error));
        }
    }

    /// <summary>What the service is told about an error.</summary>
    public static ContainerFailure FailureOf(Exception error) => error switch
    {
        RefusedSnapshotException => new ContainerFailure(TerminationLog.Shorten(error.Message), IsRefused: true),
        ContainerFailedException => new ContainerFailure(TerminationLog.Shorten(error.Message)),
        OperationCanceledException => new ContainerFailure("It was stopped before it was done."),
        IOException or UnauthorizedAccessException => new ContainerFailure(TerminationLog.Shorten($"The worker failed: {error.Message}")),
        _ => new ContainerFailure(TerminationLog.Shorten($"wmfci-pod failed: {error.GetType().Name}: {error.Message}")),
    };

    private static int Fail(PodPlace place, ContainerFailure failure)
    {
        Console.Error.WriteLine(failure.Message);
        try
        {
            TerminationLog.Write(place.TerminationLog, failure, WireJson.Default.ContainerFailure);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"The termination message cannot be written: {error.Message}");
        }

        return 1;
    }
}
