using k8s;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Fakes.Kubernetes;
using WmfCi.Fakes.Kubernetes.Nodes;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Tests.Runner;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>A cluster with a runner in which things go wrong, and the judge of what comes of it.</summary>
internal sealed class Ground : IAsyncDisposable
{
    private readonly KubernetesStandIn? _standIn;
    private readonly Reflector<V1Pod> _pods;
    private int _looks;

    private Ground(Worksite here, KubernetesStandIn? standIn, TestClock clock, HeldStore store)
    {
        (Here, _standIn, Clock, Store) = (here, standIn, clock, store);
        _pods = new Reflector<V1Pod>(here.Cluster, new ReflectorOptions { Labels = $"{Marks.Role}={Marks.StageRole}" });
    }

    public Worksite Here { get; }

    /// <summary>The stand-in, where it is one.</summary>
    public KubernetesStandIn StandIn => _standIn!;

    public Node Node => StandIn.Node;

    public TestClock Clock { get; }

    public HeldStore Store { get; }

    public CancellationToken Token => Here.Token;

    public string Space => Here.Namespace;

    /// <summary>A runner on a stand-in of its own.</summary>
    public static async Task<Ground> OpenAsync(double speed = 1, StandInOptions? options = null)
    {
        var standIn = await KubernetesStandIn.StartAsync(options);
        try
        {
            return await OpenAsync(Sites.Of(standIn), standIn, new TestClock(speed));
        }
        catch
        {
            await standIn.DisposeAsync();
            throw;
        }
    }

    /// <summary>A runner somewhere.</summary>
    /// <param name="site">Where.</param>
    /// <param name="prepare">Done to the namespace before the runner starts.</param>
    /// <param name="configure">How the runner is otherwise.</param>
    public static Task<Ground> OpenAsync(Site site, Action<string>? prepare = null, Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure = null) =>
        OpenAsync(site with { Prepare = prepare }, null, new TestClock(), configure);

    /// <summary>What is run where nothing is said: two steps, each told and counted, and a file.</summary>
    public Stage Ordinary(string meanwhile = "true") =>
        Here.StageOf($"echo run >> once; echo one; {meanwhile}", $"echo two; {meanwhile}; cat once") with { Artifacts = ["once"] };

    /// <summary>Begins an attempt.</summary>
    public async Task<Trial> BeginAsync(Stage? stage = null) => Begin(await Here.SpecAsync(stage ?? Ordinary()));

    /// <summary>Begins an attempt, or adopts it.</summary>
    public Trial Begin(AttemptSpec spec)
    {
        var heard = new Heard();
        var either = CancellationTokenSource.CreateLinkedTokenSource(Token);
        return new Trial(spec, Marks.NameOf(Here.Options.Site, spec.Id), heard, Here.Runner.RunAsync(spec, heard, either.Token), either);
    }

    /// <summary>Ends the runner as a crash would, starts another, and lets it adopt the attempt.</summary>
    public async Task<Trial> RestartAsync(Trial trial)
    {
        await CrashAsync(trial);
        await Here.RestartAsync();
        return Begin(trial.Spec with { IsRepeated = true });
    }

    /// <summary>Ends the runner as a crash would.</summary>
    public async Task CrashAsync(Trial trial)
    {
        await trial.Detach.CancelAsync();
        await ((Task)trial.Running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Here.Runner.DisposeAsync();
    }

    /// <summary>Waits until a stage's pod is as wanted.</summary>
    public Task<V1Pod> PodAsync(Func<V1Pod, bool> isSo) => _pods.WaitForAnyAsync(isSo, Token);

    /// <summary>Waits until a Job is as wanted.</summary>
    public async Task<V1Job> JobAsync(Func<V1Job, bool> isSo)
    {
        await using var jobs = new Reflector<V1Job>(Here.Cluster, new ReflectorOptions());
        return await jobs.WaitForAnyAsync(isSo, Token);
    }

    /// <summary>Waits until a container of a stage's pod runs.</summary>
    public Task<V1Pod> RunsAsync(string container) => PodAsync(pod => StateOf(pod, container)?.Running is not null);

    public static V1ContainerState? StateOf(V1Pod pod, string container) =>
        (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []).FirstOrDefault(status => status.Name == container)?.State;

    /// <summary>Lets the runner's time pass, and makes it look at the attempt.</summary>
    public async Task PassAsync(Trial trial, TimeSpan time)
    {
        Clock.Pass(time);
        var patch = new V1Patch(new { metadata = new { annotations = new Dictionary<string, string> { ["test"] = $"{++_looks}" } } }, V1Patch.PatchType.MergePatch);
        await Here.Client.BatchV1.PatchNamespacedJobAsync(patch, trial.Name, Space, cancellationToken: Token);
    }

    /// <summary>The attempt ends as it would have without any fault, and leaves nothing.</summary>
    public async Task EndsAsUndisturbedAsync(Trial trial, string said = "")
    {
        await IsUndisturbedAsync(trial, said);
        await LeavesNothingAsync();
    }

    /// <summary>The attempt ends as it would have without any fault.</summary>
    public async Task IsUndisturbedAsync(Trial trial, string said = "")
    {
        var report = await trial.EndAsync();
        var told = $"{said}\n{trial.Heard}";
        report.Kind.ShouldBe(OutcomeKind.Succeeded, told);
        report.Explanation.ShouldBeEmpty(told);
        trial.Heard.Steps.ShouldBe(["step 1", "step 2"], told);
        trial.Heard.Output.ShouldBe("one\ntwo\nrun\n", told);
        report.Files.Select(file => file.Path).ShouldBe(["once"], told);
        (await Here.TextOfAsync(report.Files[0])).ShouldBe("run\n", told);
        trial.Heard.Notes.ShouldBeEmpty(told);
    }

    /// <summary>Nothing of any attempt stays in the cluster when nobody wants it.</summary>
    public async Task LeavesNothingAsync()
    {
        Clock.Pass(TimeSpan.FromMinutes(2));
        Here.Wanted = _ => Task.FromResult<IReadOnlyCollection<AttemptId>>([]);
        await Here.RestartAsync();
        await NoneAsync<V1Job>();
        await NoneAsync<V1Pod>();
        await NoneAsync<V1Secret>();
        await NoneAsync<V1NetworkPolicy>();
    }

    public async ValueTask DisposeAsync()
    {
        await _pods.DisposeAsync();
        await Here.DisposeAsync();
        if (_standIn is not null) await _standIn.DisposeAsync();
    }

    private static async Task<Ground> OpenAsync(Site site, KubernetesStandIn? standIn, TestClock clock, Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure = null)
    {
        var store = new HeldStore();
        var here = await Worksite.OpenAsync(site with
        {
            Time = clock,
            Store = inner =>
            {
                store.Inner = inner;
                return store;
            },
        }, configure);
        return new Ground(here, standIn, clock, store);
    }

    /// <summary>Waits until there are none of a kind of all that belongs to attempts.</summary>
    public async Task NoneAsync<T>()
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        await using var left = new Reflector<T>(Here.Cluster, new ReflectorOptions { Labels = Marks.Attempt });
        await left.WaitSyncedAsync(Token);
        if (left.Items.Count > 0) await left.WaitForNoneAsync(Token);
    }
}

/// <summary>An attempt that was begun.</summary>
internal sealed record Trial(AttemptSpec Spec, string Name, Heard Heard, Task<AttemptReport> Running, CancellationTokenSource Detach)
{
    /// <summary>Waits for its end.</summary>
    public async Task<AttemptReport> EndAsync() => Heard.Report = await Running;

    /// <summary>Waits until it printed a text.</summary>
    public Task PrintedAsync(string text) => Heard.PrintedAsync(text, Running, Detach.Token);

    /// <summary>Waits until it said what it waits for.</summary>
    public async Task WaitsAsync(string reason)
    {
        var waits = Heard.UntilAsync(heard => heard.Waits.Exists(wait => wait.Contains(reason, StringComparison.Ordinal)), Detach.Token);
        if (await Task.WhenAny(waits, Running) == Running) await EndAsync();
        if (!waits.IsCompletedSuccessfully) Heard.Waits.ShouldContain(wait => wait.Contains(reason, StringComparison.Ordinal), Heard.ToString());
    }
}
