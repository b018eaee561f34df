using System.Runtime.InteropServices;
using WmfCi.Gerrit.StandIn;

if (!CommandLine.TryParse(args, out var options, out var problem))
{
    await Console.Error.WriteLineAsync(problem);
    return 64;
}

using var stopping = new CancellationTokenSource();
void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stopping.Cancel();
}

using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
try
{
    await using var gerrit = await StandInGerrit.StartAsync(options, stopping.Token);
    Console.WriteLine($"ready {gerrit.Url}");
    await Task.Delay(Timeout.Infinite, stopping.Token);
    return 0;
}
catch (OperationCanceledException) when (stopping.IsCancellationRequested)
{
    return 0;
}
catch (Exception e) when (e is IOException or ArgumentException or UnauthorizedAccessException or System.Net.Sockets.SocketException)
{
    await Console.Error.WriteLineAsync($"wmfci-gerrit-standin: {e.Message}");
    return 1;
}
