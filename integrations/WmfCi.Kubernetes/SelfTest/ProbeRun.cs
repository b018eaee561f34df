using System.Diagnostics;
using System.Formats.Tar;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;
using ZstdSharp;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Runs real stages through the runner itself, under a site's name of their own, so that they are no part of what the service looks after.</summary>
/// <param name="cluster">How the cluster is reached.</param>
/// <param name="store">Where the probes' source goes.</param>
/// <param name="site">The name of this self-test.</param>
internal sealed class ProbeRun(ClusterOptions cluster, IArtifactStore store, string site)
{
    /// <summary>What the names of self-tests begin with.</summary>
    public const string SitePrefix = "selftest-";

    /// <summary>What stages of the self-test may use.</summary>
    public const long MemoryBytes = 192L << 20, DiskBytes = 64L << 20;

    /// <summary>How many processes and threads.</summary>
    public const int MaxProcesses = 100;

    private const string File = "probes";

    /// <summary>The options of the runner for self-tests: the same cluster, images and workers, with bounds that are reached soon.</summary>
    public static KubernetesRunnerOptions Small(KubernetesRunnerOptions options, string site, ExchangeOptions exchange)
    {
        var worker = options.Workers[options.DefaultWorker];
        var small = worker with
        {
            CpuMillis = Math.Min(worker.CpuMillis, 100),
            MemoryBytes = Math.Min(worker.MemoryBytes, MemoryBytes),
            DiskBytes = DiskBytes,
            MaxProcesses = MaxProcesses,
            Waits = TimeSpan.FromSeconds(60),
        };
        return options with
        {
            Site = site,
            Exchange = exchange,
            Workers = new Dictionary<string, WorkerClass>(StringComparer.Ordinal) { [options.DefaultWorker] = small },
            LogBytes = 1L << 20,
            StopGrace = TimeSpan.FromSeconds(1),
            Collection = options.Collection with { MaxTotalBytes = 16L << 20, MaxFileBytes = 16L << 20 },
            Allowances = new Allowances
            {
                Pod = TimeSpan.FromSeconds(30),
                // What stops without a word after its first step is told from these two.
                Pull = TimeSpan.FromSeconds(45),
                RefusedPull = TimeSpan.FromSeconds(20),
                Creation = TimeSpan.FromSeconds(30),
                Fetch = TimeSpan.FromSeconds(60),
                Collect = TimeSpan.FromSeconds(60),
                Silence = TimeSpan.FromSeconds(30),
                Overtime = TimeSpan.FromSeconds(5),
            },
        };
    }

    /// <summary>An attempt.</summary>
    public static AttemptSpec Spec(int number, Stage stage, string snapshot) => new() { Id = new AttemptId(new RunId(number), stage.Id, 1), Stage = stage, Snapshot = snapshot };

    /// <summary>Runs stages side by side.</summary>
    /// <param name="options">As <see cref="Small"/> made them.</param>
    /// <param name="stages">Each with its probes.</param>
    /// <param name="cancellationToken">Gives up; what was begun is not removed here.</param>
    /// <returns>What each came to, in their order.</returns>
    public async Task<IReadOnlyList<Probed>> RunAsync(KubernetesRunnerOptions options, IReadOnlyList<ProbeStage> stages, CancellationToken cancellationToken)
    {
        var runner = new KubernetesJobRunner(options, Cluster.Open(cluster, TimeProvider.System), store, NullLogger.Instance);
        await using (runner)
        {
            await runner.StartAsync(wanted: null, cancellationToken);
            return await Task.WhenAll(stages.Select((stage, i) => RunAsync(runner, i + 1, stage, cancellationToken)));
        }
    }

    private async Task<Probed> RunAsync(KubernetesJobRunner runner, int number, ProbeStage probes, CancellationToken cancellationToken)
    {
        var stage = new Stage
        {
            Name = $"{site}-{probes.Name}",
            Image = probes.Image,
            Timeout = probes.Timeout,
            HasNetwork = probes.HasNetwork,
            Steps = [new Step("probe", $"exec {PodPaths.Program} probe {PodPaths.Work}/{File}")],
        };
        var listener = new ProbeListener();
        var clock = Stopwatch.StartNew();
        try
        {
            var report = await runner.RunAsync(Spec(number, stage, await SnapshotAsync(probes.Lines, cancellationToken)), listener, cancellationToken);
            return new Probed(report, listener, clock.Elapsed);
        }
        catch (OperationCanceledException)
        {
            // What was heard until now is worth telling; who cancelled, looks.
            return new Probed(Report: null, listener, clock.Elapsed);
        }
    }

    // That the probes come by the workspace proves its way as well.
    private async Task<string> SnapshotAsync(IEnumerable<string> lines, CancellationToken cancellationToken)
    {
        using var packed = new MemoryStream();
        await using (var compressed = new CompressionStream(packed, 3, leaveOpen: true))
        await using (var tar = new TarWriter(compressed, TarEntryFormat.Pax, leaveOpen: true))
        {
            using var content = new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"));
            await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, File) { DataStream = content }, cancellationToken);
        }
        packed.Position = 0;
        return (await store.PutAsync(packed, 1 << 20, cancellationToken)).Digest;
    }
}

/// <summary>A stage of probes.</summary>
/// <param name="Name">A few letters.</param>
/// <param name="Image">Its image.</param>
/// <param name="Lines">What it tries, as <c>wmfci-pod probe</c> reads it.</param>
internal sealed record ProbeStage(string Name, string Image, IReadOnlyList<string> Lines)
{
    public bool HasNetwork { get; init; }

    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(40);
}

/// <summary>What a stage of probes came to.</summary>
/// <param name="Report">Its end; null where it did not end in time.</param>
/// <param name="Heard">What was heard of it.</param>
/// <param name="Took">How long.</param>
internal sealed record Probed(AttemptReport? Report, ProbeListener Heard, TimeSpan Took);
