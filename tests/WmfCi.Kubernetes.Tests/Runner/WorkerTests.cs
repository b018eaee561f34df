using k8s;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>Worker classes that do not fit the cluster, and one that does, on a real cluster.</summary>
public sealed class WorkerTests
{
    [Fact]
    public async Task A_class_whose_nodes_are_not_there_says_what_it_waits_for_and_then_gives_up()
    {
        await using var here = await OpenAsync(worker => worker with { NodeSelector = [KeyValuePair.Create("disk", "tape")], Waits = TimeSpan.FromSeconds(15) });
        var heard = await here.RunAsync(here.StageOf("true"));
        heard.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed, heard.ToString());
        heard.Waits.ShouldContain(reason => reason.StartsWith("Waits for a worker of the class default: 0/1 nodes are available", StringComparison.Ordinal));
        heard.Report.Explanation.ShouldStartWith("No worker of the class default became free within 15 s: 0/1 nodes are available");
        heard.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_class_that_fits_runs_with_its_tolerations_and_its_architecture()
    {
        await using var here = await OpenAsync(worker => worker with
        {
            Architecture = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
            NodeSelector = [KeyValuePair.Create("kubernetes.io/os", "linux")],
            Tolerations = [new Toleration("dedicated", "Equal", "ci", "NoSchedule", null), new Toleration("node.kubernetes.io/unreachable", "Exists", null, "NoExecute", 7)],
            CpuLimitMillis = 900,
        });
        var spec = await here.SpecAsync(here.StageOf("echo begun; sleep 1000"));
        var heard = new Heard();
        var running = here.Runner.RunAsync(spec, heard, here.Token);
        await heard.PrintedAsync("begun", running, here.Token);
        var pod = (await here.PodAsync())!.Spec;
        pod.Tolerations.ShouldContain(taint => taint.Key == "dedicated" && taint.Value == "ci");
        pod.Tolerations.Single(taint => taint.Key == "node.kubernetes.io/unreachable").TolerationSeconds.ShouldBe(7);
        pod.Tolerations.Single(taint => taint.Key == "node.kubernetes.io/not-ready").TolerationSeconds.ShouldBe(60);
        pod.NodeSelector.Count.ShouldBe(2);
        pod.InitContainers.ShouldAllBe(container => container.Resources.Limits["cpu"].ToString() == "900m");
        await here.Runner.StopAsync(spec.Id, here.Token);
        await running;
    }

    [Theory]
    [InlineData("priority")]
    [InlineData("runtime")]
    public async Task A_class_that_names_what_the_cluster_has_not_says_so_in_the_clusters_words(string what)
    {
        await using var here = await OpenAsync(
            worker => what == "priority" ? worker with { PriorityClass = "no-such-class" } : worker with { RuntimeClass = "no-such-class" },
            options => options with { Allowances = options.Allowances with { Pod = TimeSpan.FromSeconds(20) } });
        var heard = await here.RunAsync(here.StageOf("true"));
        heard.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed, heard.ToString());
        heard.Waits.ShouldContain(reason => reason.StartsWith("Waits for the cluster to make a pod. The cluster says: ", StringComparison.Ordinal) && reason.Contains("no-such-class", StringComparison.Ordinal), heard.ToString());
        heard.Report.Explanation.ShouldStartWith("The cluster made no pod within 20 s. The cluster says: ");
        heard.Report.Explanation.ShouldContain("no-such-class");
        (await here.Client.BatchV1.ListNamespacedJobAsync(here.Namespace, cancellationToken: here.Token)).Items.ShouldAllBe(job => job.Metadata.DeletionTimestamp != null);
    }

    [Fact]
    public async Task What_the_cluster_does_not_take_at_all_is_answered_with_the_field()
    {
        await using var here = await OpenAsync(worker => worker with { NodeSelector = [KeyValuePair.Create("not a label", "at all!")] });
        var heard = await here.RunAsync(here.StageOf("true"));
        heard.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed, heard.ToString());
        heard.Report.Explanation.ShouldContain("nodeSelector");
        (await here.Client.CoreV1.ListNamespacedSecretAsync(here.Namespace, labelSelector: "wmfci.org/attempt", cancellationToken: here.Token)).Items.ShouldBeEmpty("what was begun is cleared away");
    }

    private static Task<Worksite> OpenAsync(Func<WorkerClass, WorkerClass> worker, Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? also = null) => Worksite.OpenAsync(Sites.Real(), options =>
    {
        var configured = options with { Workers = new Dictionary<string, WorkerClass>(StringComparer.Ordinal) { ["default"] = worker(options.Workers["default"]) } };
        return also?.Invoke(configured) ?? configured;
    });
}
