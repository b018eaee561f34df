using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>What is removed from a cluster because nobody needs it, and what is not.</summary>
public sealed class SweeperTests
{
    private static readonly AttemptId Wanted = new(new RunId(1), "wanted", 1), Unwanted = new(new RunId(2), "unwanted", 1);

    [Fact]
    public async Task What_belongs_to_no_wanted_attempt_goes_and_everything_else_stays()
    {
        await using var here = await Worksite.OpenAsync(Sites.Real());
        await here.Client.AccountIsThereAsync(here.Namespace, here.Token);
        foreach (var id in new[] { Wanted, Unwanted }) await LeaveAsync(here, id, here.Options.Site);
        await LeaveAsync(here, Unwanted, "another-site");
        var policies = (await here.Client.NetworkingV1.ListNamespacedNetworkPolicyAsync(here.Namespace, cancellationToken: here.Token)).Items.Count;

        // What was made a moment ago may not be recorded yet.
        var asked = new Asked(2);
        here.Wanted = asked.Wanted;
        await here.RestartAsync(options => options with { Sweeping = new Sweeping { Every = TimeSpan.FromMilliseconds(300), Grace = TimeSpan.FromHours(1) } });
        await asked.Done.WaitAsync(here.Token);
        (await LeftAsync(here, Unwanted, here.Options.Site)).ShouldBe(["job", "policy", "secret", "service"]);

        await here.RestartAsync(options => options with { Sweeping = options.Sweeping with { Grace = TimeSpan.Zero } });
        await UntilAsync(async () => (await LeftAsync(here, Unwanted, here.Options.Site)).Count == 0, here.Token);
        (await LeftAsync(here, Wanted, here.Options.Site)).ShouldBe(["job", "policy", "secret", "service"]);
        (await LeftAsync(here, Unwanted, "another-site")).ShouldBe(["job", "policy", "secret", "service"]);
        (await here.Client.NetworkingV1.ListNamespacedNetworkPolicyAsync(here.Namespace, cancellationToken: here.Token)).Items.Count.ShouldBe(policies - 1, "the rules for all stages stay");
    }

    [Fact]
    public async Task An_attempt_whose_end_was_recorded_is_removed_with_everything_of_it()
    {
        await using var here = await Worksite.OpenAsync(Sites.Real());
        var wanted = new List<AttemptId>();
        here.Wanted = _ =>
        {
            lock (wanted) return Task.FromResult<IReadOnlyCollection<AttemptId>>([.. wanted]);
        };
        var spec = await here.SpecAsync(here.StageOf("true"));
        lock (wanted) wanted.Add(spec.Id);
        await here.RestartAsync(options => options with { Sweeping = new Sweeping { Every = TimeSpan.FromMilliseconds(300), Grace = TimeSpan.Zero } });
        var heard = new Heard();
        (await here.Runner.RunAsync(spec, heard, here.Token)).Kind.ShouldBe(OutcomeKind.Succeeded);
        (await here.Client.BatchV1.ListNamespacedJobAsync(here.Namespace, cancellationToken: here.Token)).Items.Count.ShouldBe(1, "until its end is recorded somebody may ask for it again");
        lock (wanted) wanted.Clear();
        await UntilAsync(async () => (await LeftAsync(here, spec.Id, here.Options.Site)).Count == 0 && await here.PodAsync() is null, here.Token);
    }

    private static async Task LeaveAsync(Worksite here, AttemptId id, string site)
    {
        var (name, space) = (Marks.NameOf(site, id), here.Namespace);
        V1ObjectMeta Meta(string? role = null) => new()
        {
            Name = name,
            NamespaceProperty = space,
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [Marks.ManagedBy] = Marks.Us, [Marks.Site] = site, [Marks.Attempt] = name, [Marks.Role] = role ?? Marks.StageRole },
        };
        var pod = new V1PodSpec
        {
            RestartPolicy = "Never",
            TerminationGracePeriodSeconds = 0,
            SecurityContext = new V1PodSecurityContext { RunAsNonRoot = true, RunAsUser = 1234, SeccompProfile = new V1SeccompProfile { Type = "RuntimeDefault" } },
            Containers = [new V1Container { Name = "main", Image = here.Site.Image, Command = ["sleep", "1000"], SecurityContext = JobPlan.Restricted(isReadOnly: true) }],
        };
        await here.Client.CoreV1.CreateNamespacedSecretAsync(new V1Secret { Metadata = Meta() }, space, cancellationToken: here.Token);
        await here.Client.CoreV1.CreateNamespacedPodAsync(new V1Pod { Metadata = Meta(Marks.ServiceRole), Spec = pod }, space, cancellationToken: here.Token);
        await here.Client.NetworkingV1.CreateNamespacedNetworkPolicyAsync(
            new V1NetworkPolicy { Metadata = Meta(), Spec = new V1NetworkPolicySpec { PodSelector = new V1LabelSelector { MatchLabels = new Dictionary<string, string>(StringComparer.Ordinal) { ["of"] = name } }, PolicyTypes = ["Ingress"] } }, space, cancellationToken: here.Token);
        await here.Client.BatchV1.CreateNamespacedJobAsync(new V1Job { Metadata = Meta(), Spec = new V1JobSpec { BackoffLimit = 0, Template = new V1PodTemplateSpec { Spec = pod } } }, space, cancellationToken: here.Token);
    }

    private static async Task<List<string>> LeftAsync(Worksite here, AttemptId id, string site)
    {
        var (name, space) = (Marks.NameOf(site, id), here.Namespace);
        var left = new List<string>();
        bool IsIts(IMetadata<V1ObjectMeta> item) => item.Metadata.Name == name && item.Metadata.DeletionTimestamp is null;
        if ((await here.Client.BatchV1.ListNamespacedJobAsync(space, cancellationToken: here.Token)).Items.Any(IsIts)) left.Add("job");
        if ((await here.Client.NetworkingV1.ListNamespacedNetworkPolicyAsync(space, cancellationToken: here.Token)).Items.Any(IsIts)) left.Add("policy");
        if ((await here.Client.CoreV1.ListNamespacedSecretAsync(space, cancellationToken: here.Token)).Items.Any(IsIts)) left.Add("secret");
        if ((await here.Client.CoreV1.ListNamespacedPodAsync(space, cancellationToken: here.Token)).Items.Any(IsIts)) left.Add("service");
        return left;
    }

    // Four kinds of objects go, each by its own way: nothing tells when all are gone.
    private static async Task UntilAsync(Func<Task<bool>> isSo, CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        while (!await isSo()) await timer.WaitForNextTickAsync(cancellationToken);
    }

    /// <summary>Counts how often it was asked what is wanted.</summary>
    private sealed class Asked(int times)
    {
        private readonly TaskCompletionSource _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _count;

        /// <summary>A sweep came to its end: the next one asks again.</summary>
        public Task Done => _done.Task;

        public Task<IReadOnlyCollection<AttemptId>> Wanted(CancellationToken cancellationToken)
        {
            if (Interlocked.Increment(ref _count) > times) _done.TrySetResult();
            return Task.FromResult<IReadOnlyCollection<AttemptId>>([SweeperTests.Wanted]);
        }
    }
}
