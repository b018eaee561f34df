using Microsoft.Win32.SafeHandles;
using WmfCi.Pod.Exchanges;
using WmfCi.Ports;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod;

/// <summary>The last container of a stage's pod: keeps what was declared, and the steps' complete output, when every process of the steps is gone.</summary>
internal sealed class CollectContainer(PodPlace place, Exchange exchange, TimeProvider time)
{
    private readonly ExchangeStore _store = new(exchange, time);
    private readonly List<string> _notes = [];

    /// <summary>Does it all.</summary>
    /// <exception cref="ContainerFailedException">The exchange refuses, or does not answer.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public async Task RunAsync(CancellationToken stop)
    {
        var order = await exchange.ClaimAsync("collect", WireJson.Default.CollectOrder, stop) ?? throw new ContainerFailedException("Another pod has this attempt.");
        // The logs first: where files cannot be kept, why they were made is known at least.
        var (logs, left) = (new List<StepLog>(), order.LogBytes);
        for (var step = 1; step <= order.Steps; step++)
        {
            if (await KeepLogAsync(step, left, stop) is not { } blob) continue;
            logs.Add(new StepLog(step, blob));
            left -= blob.Size;
        }

        var collector = new Collector(place.Work, order.Bounds, _store);
        var files = await collector.CollectAsync(order.Artifacts, order.Reports, stop);
        var manifest = new PodManifest { Files = [.. files], Logs = [.. logs], Notes = [.. _notes, .. collector.Notes] };
        await exchange.TellAsync("collected", manifest, WireJson.Default.PodManifest, stop);
    }

    private async Task<Blob?> KeepLogAsync(int step, long maxBytes, CancellationToken cancellationToken)
    {
        SafeFileHandle file;
        try
        {
            file = NativeFiles.OpenForReading(place.Log(step));
        }
        catch (IOException) when (!IsThere(place.Log(step)))
        {
            // It did not run.
            return null;
        }
        catch (IOException)
        {
            return LeaveOut(step, "is no plain file");
        }

        await using var content = new FileStream(file, FileAccess.Read, bufferSize: 0);
        var facts = NativeFiles.FactsOf(file);
        if (!facts.IsPlainFile || facts.Links != 1) return LeaveOut(step, "is no plain file with one name");
        if (facts.Size > maxBytes) return LeaveOut(step, $"is larger than the {maxBytes} bytes that are left for it");
        return await _store.PutAsync(content, maxBytes, cancellationToken);
    }

    private static bool IsThere(string path) => File.Exists(path) || Directory.Exists(path) || new FileInfo(path).LinkTarget is not null;

    private Blob? LeaveOut(int step, string why)
    {
        _notes.Add($"The complete output of step {step} is not kept: its file {why}, so something in the step changed it.");
        return null;
    }
}
