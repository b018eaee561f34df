using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>Asks a container whether it is ready: by a connection or by a command in it.</summary>
internal static class Probe
{
    public static async Task<bool> AskAsync(JsonObject probe, ContainerRecord record, string address, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(probe.Number("timeoutSeconds") ?? 1));
        try
        {
            if (probe.Number("tcpSocket", "port") is { } port)
            {
                using var client = new TcpClient();
                await client.ConnectAsync(address, (int)port, limit.Token);
                return true;
            }
            if (probe.At("exec", "command") is JsonArray command) return await ExecuteAsync(record.Process!, [.. command.Select(word => word!.ToString())], limit.Token);
            throw new NotSupportedException($"The stand-in has no probes like {probe.ToJsonString()}.");
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return false;
        }
    }

    private static async Task<bool> ExecuteAsync(ContainerProcess container, string[] command, CancellationToken cancellationToken)
    {
        if (await container.FirstAsync() is not { } first) return false;
        string[] arguments = ["--target", first.ToString(CultureInfo.InvariantCulture), "--user", "--mount", "--pid", "--ipc", "--preserve-credentials", "--", .. command];
        using var process = Process.Start(new ProcessStartInfo("nsenter", arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            await process.WaitForExitAsync(cancellationToken);
            return process.ExitCode == 0;
        }
        finally
        {
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
    }
}
