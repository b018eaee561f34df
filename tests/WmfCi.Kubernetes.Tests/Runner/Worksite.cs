using System.Diagnostics;
using System.Formats.Tar;
using System.Net;
using System.Net.Sockets;
using System.Text;
using k8s;
using k8s.Models;
using Microsoft.Extensions.Logging.Abstractions;
using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.ObjectStore;
using WmfCi.Ports;
using ZstdSharp;
using K8sCluster = WmfCi.Kubernetes.Cluster;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>Where a runner works: a cluster, how its pods reach this machine, and which images they can have.</summary>
/// <param name="Kubeconfig">How the cluster is reached.</param>
/// <param name="Host">The address at which pods reach this machine.</param>
/// <param name="PodImage">The image of <c>wmfci-pod</c>.</param>
/// <param name="Image">An image with a shell.</param>
internal sealed record Site(string Kubeconfig, string Host, string PodImage, string Image)
{
    /// <summary>The runner's clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Done to the new namespace before the runner starts; null for nothing.</summary>
    public Action<string>? Prepare { get; init; }

    /// <summary>What stands before the store.</summary>
    public Func<IArtifactStore, IArtifactStore> Store { get; init; } = store => store;
}

/// <summary>A runner in a namespace of its own, and short words to run something on it.</summary>
internal sealed class Worksite : IAsyncDisposable
{
    /// <summary>How long anything may take here; far beyond what it does take.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromMinutes(8);

    private static int _runs = Random.Shared.Next(1_000_000);
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-test-").FullName;
    private readonly CancellationTokenSource _limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly Socket _place;

    private Worksite(Site site, Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure)
    {
        _limit.CancelAfter(Bound);
        Site = site;
        _place = PlaceAt(site.Host);
        Store = new FolderStore(Path.Combine(_folder, "store"));
        Cluster = Open(site, $"test-{Guid.NewGuid():N}"[..24]);
        var options = Some.Options with
        {
            Namespace = Cluster.Namespace,
            Image = site.PodImage,
            Exchange = new ExchangeOptions(new Uri($"http://{site.Host}:{PortOf(_place)}/"), null),
            StopGrace = TimeSpan.FromSeconds(2),
            Collection = new Workspaces.CollectionBounds { MaxTotalBytes = 64L << 20, MaxFileBytes = 32L << 20 },
        };
        Options = configure?.Invoke(options) ?? options;
        Runner = NewRunner();
    }

    public Site Site { get; }

    public K8sCluster Cluster { get; }

    public FolderStore Store { get; }

    public KubernetesRunnerOptions Options { get; private set; }

    public KubernetesJobRunner Runner { get; private set; }

    public string Namespace => Cluster.Namespace;

    public k8s.Kubernetes Client => Cluster.Client;

    public CancellationToken Token => _limit.Token;

    /// <summary>A runner that began its work.</summary>
    public static async Task<Worksite> OpenAsync(Site site, Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure = null)
    {
        var here = new Worksite(site, configure);
        var labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["pod-security.kubernetes.io/enforce"] = "restricted" };
        await here.Cluster.Retries.RunAsync(token => here.Client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = here.Namespace, Labels = labels } }, cancellationToken: token), here.Token);
        try
        {
            site.Prepare?.Invoke(here.Namespace);
            await here.Runner.StartAsync(wanted: null, here.Token);
        }
        catch
        {
            await here.DisposeAsync();
            throw;
        }
        return here;
    }

    /// <summary>The attempts that the next runner knows of; null for one that removes nothing.</summary>
    public Func<CancellationToken, Task<IReadOnlyCollection<AttemptId>>>? Wanted { get; set; }

    /// <summary>Ends the runner as a crash would, and starts another in its place.</summary>
    /// <param name="configure">What the other one does otherwise.</param>
    public async Task RestartAsync(Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure = null)
    {
        await Runner.DisposeAsync();
        await FreePorts.UntilFreeAsync(IPAddress.Parse(Site.Host), PortOf(_place), Token);
        Options = configure?.Invoke(Options) ?? Options;
        Runner = NewRunner();
        await Runner.StartAsync(Wanted, Token);
    }

    /// <summary>A stage of steps, each a script.</summary>
    public Stage StageOf(params string[] scripts) => new()
    {
        Name = "acceptance",
        Image = Site.Image,
        Timeout = TimeSpan.FromMinutes(2),
        Steps = scripts.Select((script, i) => new Step($"step {i + 1}", script)).ToValueArray(),
    };

    /// <summary>An attempt that was never run before.</summary>
    public async Task<AttemptSpec> SpecAsync(Stage stage, params (string Name, string Text)[] files) => new()
    {
        Id = new AttemptId(new RunId(Interlocked.Increment(ref _runs)), stage.Id, 1),
        Stage = stage,
        Snapshot = await SnapshotAsync(files.Length == 0 ? [("README", "hello\n")] : files),
    };

    /// <summary>Runs a stage to its end.</summary>
    public async Task<Heard> RunAsync(Stage stage, params (string Name, string Text)[] files)
    {
        var heard = new Heard();
        heard.Report = await Runner.RunAsync(await SpecAsync(stage, files), heard, Token);
        return heard;
    }

    /// <summary>Runs steps to their end.</summary>
    public Task<Heard> RunAsync(params string[] scripts) => RunAsync(StageOf(scripts));

    /// <summary>What the store has under a collected file's digest, as text.</summary>
    public async Task<string> TextOfAsync(CollectedFile file)
    {
        using var reader = new StreamReader((await Store.OpenAsync(file.Blob.Digest, Token))!);
        return await reader.ReadToEndAsync(Token);
    }

    /// <summary>The pod of an attempt's stage.</summary>
    public async Task<V1Pod?> PodAsync() =>
        (await Client.CoreV1.ListNamespacedPodAsync(Namespace, labelSelector: "wmfci.org/role=stage", cancellationToken: Token)).Items.FirstOrDefault();

    public async ValueTask DisposeAsync()
    {
        var space = Namespace;
        await Runner.DisposeAsync();
        using (var cluster = Open(Site, space)) await DeleteAsync(cluster, space);
        Cluster.Dispose();
        _limit.Dispose();
        _place.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task DeleteAsync(K8sCluster cluster, string space)
    {
        try
        {
            await cluster.Retries.RunAsync(token => cluster.Client.CoreV1.DeleteNamespaceAsync(space, cancellationToken: token), CancellationToken.None);
        }
        catch (k8s.Autorest.HttpOperationException error) when (error.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            // The test did it.
        }
    }

    private static K8sCluster Open(Site site, string space) => K8sCluster.Open(new ClusterOptions { Kubeconfig = site.Kubeconfig, Namespace = space }, site.Time);

    private KubernetesJobRunner NewRunner() => new(Options, Open(Site, Namespace), Site.Store(Store), NullLogger.Instance);

    // Whoever is bound keeps others from the port, listening or not: runners come and go, and pods know one address.
    private static Socket PlaceAt(string host)
    {
        var place = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        place.Bind(new IPEndPoint(IPAddress.Parse(host), 0));
        return place;
    }

    private static int PortOf(Socket place) => ((IPEndPoint)place.LocalEndPoint!).Port;

    private async Task<string> SnapshotAsync((string Name, string Text)[] files)
    {
        using var packed = new MemoryStream();
        await using (var compressed = new CompressionStream(packed, 3, leaveOpen: true))
        await using (var tar = new TarWriter(compressed, TarEntryFormat.Pax, leaveOpen: true))
        {
            foreach (var (name, text) in files) await tar.WriteEntryAsync(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) }, Token);
        }
        packed.Position = 0;
        return (await Store.PutAsync(packed, long.MaxValue, Token)).Digest;
    }
}

/// <summary>Remembers what an attempt said, and lets a test wait until it says something.</summary>
internal sealed class Heard : IAttemptObserver
{
    private readonly Lock _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<(Func<Heard, bool> Is, TaskCompletionSource Done)> _awaited = [];
    private readonly List<byte> _output = [];

    public List<string> Steps { get; } = [];

    public List<string> Notes { get; } = [];

    public List<string> Waits { get; } = [];

    public List<string> Asides { get; } = [];

    /// <summary>How often everything was told again.</summary>
    public int Restarts { get; private set; }

    /// <summary>When the first step began, since the observer was made.</summary>
    public TimeSpan? FirstStep { get; private set; }

    public AttemptReport Report { get; set; } = null!;

    public string Output => Encoding.UTF8.GetString(Bytes);

    public byte[] Bytes
    {
        get
        {
            lock (_lock) return [.. _output];
        }
    }

    /// <summary>Waits until it was told something.</summary>
    public Task UntilAsync(Func<Heard, bool> isSo, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (isSo(this)) return Task.CompletedTask;
            var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _awaited.Add((isSo, done));
            return done.Task.WaitAsync(cancellationToken);
        }
    }

    /// <summary>Waits until it printed a text; an attempt that ends before fails the test.</summary>
    public async Task PrintedAsync(string text, Task<AttemptReport> running, CancellationToken cancellationToken)
    {
        var printed = UntilAsync(heard => heard.Output.Contains(text, StringComparison.Ordinal), cancellationToken);
        if (await Task.WhenAny(printed, running) == running) Output.ShouldContain(text, customMessage: (await running).ToString());
        await printed;
    }

    public Task StepStartedAsync(string step, CancellationToken cancellationToken) => Take(() =>
    {
        FirstStep ??= _clock.Elapsed;
        Steps.Add(step);
    });

    public Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => Take(() => _output.AddRange(bytes.Span));

    public Task NoteAsync(string line, CancellationToken cancellationToken) => Take(() => Notes.Add(line));

    public Task WaitingAsync(string reason, CancellationToken cancellationToken) => Take(() => Waits.Add(reason));

    public Task AsideAsync(string title, CancellationToken cancellationToken) => Take(() => Asides.Add(title));

    public Task RestartAsync(CancellationToken cancellationToken) => Take(() =>
    {
        Restarts++;
        Steps.Clear();
        Notes.Clear();
        _output.Clear();
    });

    public override string ToString() => $"{Report?.Kind} {Report?.Explanation}\nsteps: {string.Join(", ", Steps)}\nnotes: {string.Join(" | ", Notes)}\nwaits: {string.Join(" | ", Waits)}\n{Output}";

    private Task Take(Action take)
    {
        lock (_lock)
        {
            take();
            foreach (var (isSo, done) in _awaited)
                if (isSo(this)) done.TrySetResult();
        }
        return Task.CompletedTask;
    }
}
