using System.Text.Json;
using WmfCi.Pod.Exchanges;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod;

/// <summary>The first container of a stage's pod: claims the attempt and lays out what its steps need.</summary>
internal sealed class FetchContainer(PodPlace place, Exchange exchange, TimeProvider time)
{
    private const int ParallelInputs = 4;
    private const UnixFileMode Everybody = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupWrite
        | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    /// <summary>Does it all. Where another pod has the attempt, it waits to be removed: an end, good or bad, would decide a Job that belongs to the other.</summary>
    /// <exception cref="ContainerFailedException">The exchange refuses, or does not answer.</exception>
    /// <exception cref="RefusedSnapshotException">The snapshot holds something that is not unpacked.</exception>
    /// <exception cref="IOException">The disk failed, or the store gave other bytes.</exception>
    public async Task RunAsync(TextWriter output, CancellationToken stop)
    {
        if (await exchange.ClaimAsync("claim", WireJson.Default.FetchOrder, stop) is not { } order)
        {
            await output.WriteLineAsync("Another pod has this attempt; this one does nothing and waits to be removed.".AsMemory(), CancellationToken.None);
            await WaitAsync(stop);
            return;
        }

        await LayOutAsync(order, stop);
        await exchange.TellAsync("fetched", new PodClaim(exchange.Pod), WireJson.Default.PodClaim, stop);
    }

    private static async Task WaitAsync(CancellationToken stop)
    {
        var stopped = new TaskCompletionSource();
        await using var registration = stop.Register(stopped.SetResult);
        await stopped.Task;
    }

    private async Task LayOutAsync(FetchOrder order, CancellationToken cancellationToken)
    {
        var store = new ExchangeStore(exchange, time);
        Directory.CreateDirectory(place.Work);
        await using (var snapshot = await store.OpenAsync(order.Snapshot, cancellationToken) ?? throw new ContainerFailedException($"The store does not have the source snapshot {order.Snapshot}."))
            new SnapshotUnpacker(place.Work, order.Bounds, owner: null).Unpack(snapshot, order.Snapshot, cancellationToken);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ParallelInputs, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(order.Inputs, parallel, async (input, token) => await InputFiles.LayAsync(store, place.Inputs, input, token));
        LayTools(order.Steps);
        for (var step = 1; step <= order.Steps.Steps.Length; step++)
        {
            NativeFiles.MakePassable(place.LogFolder(step));
            NativeFiles.MakePassable(place.Scratch(step) + "/home");
            Directory.CreateDirectory(place.Scratch(step) + "/tmp");
            File.SetUnixFileMode(place.Scratch(step) + "/tmp", Everybody | UnixFileMode.StickyBit);
        }
    }

    private void LayTools(StepOrder steps)
    {
        // The folders of volumes themselves are the kubelet's; only what is in them is ours to give modes to.
        Directory.CreateDirectory(place.Tools);
        File.Copy(Environment.ProcessPath!, place.Program, overwrite: true);
        File.SetUnixFileMode(place.Program, Readable);
        NativeFiles.WriteReadable(place.Order, JsonSerializer.Serialize(steps, WireJson.Default.StepOrder));
        NativeFiles.MakePassable(Path.GetDirectoryName(place.Script(1))!);
        for (var step = 1; step <= steps.Steps.Length; step++) NativeFiles.WriteReadable(place.Script(step), steps.Steps[step - 1].Script);
        NativeFiles.WriteReadable(place.Passwd, Accounts.Passwd(Native.UserId(), Native.GroupId()));
        NativeFiles.WriteReadable(place.Group, Accounts.Group(Native.UserId(), Native.GroupId()));
    }
}
