using k8s;
using k8s.Models;
using WmfCi.Kubernetes.SelfTest;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.SelfTest;

/// <summary>The self-test of a cluster, on clusters that are as they should be and on such that are not.</summary>
public sealed class SelfTestOnTheRealCluster
{
    [Fact]
    public async Task An_account_with_the_printed_Role_and_nothing_else_is_enough_for_everything()
    {
        await using var here = await SelfTestSite.OpenAsync(Sites.Real());
        await here.Client.QuotaAsync(here.Namespace, "stages", Amounts(("pods", "10"), ("requests.memory", "4Gi")), here.Token);
        var kubeconfig = await here.AccountAsync(Rights.Needed.Concat(Rights.Useful));
        var checks = await here.RunAsync(here.Options(kubeconfig));

        checks.Where(check => check.State == CheckState.Failed).ShouldBeEmpty();
        // The account may neither list nodes nor learn the server's address for pods, where it knows it by a tunnel only; and there is no LimitRange, and perhaps no DNS.
        checks.Where(check => check.State == CheckState.Skipped).Select(check => check.Name).ShouldBeSubsetOf(["nodes", "API server"]);
        var isEnforcing = await here.Client.IsAtLeastAsync(ServerAge.EnforcesPodSecurity, here.Token);
        // How soon a step begins says how busy this machine is.
        checks.Where(check => check.State == CheckState.Warned).Select(check => check.Name).ShouldBeSubsetOf(["limits", "first step", "network: true, names", .. isEnforcing ? [] : new[] { "namespace" }]);
        string[] proven =
        [
            "account", .. isEnforcing ? ["namespace"] : Array.Empty<string>(), "rights too many", "quota for default", "worker default", "a stage", "service account", "steps' capabilities", "system calls", "new privileges", "the supervisor",
            "the exchange", "network policies", "metadata address", "process limit", "memory limit", "disk limit", "removal",
        ];
        foreach (var name in proven) checks.ShouldContain(check => check.Name == name && check.State == CheckState.Passed, name);
        checks.ShouldBe(here.Told);
        (await here.LeftAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_missing_right_is_named_with_what_it_is_for_and_no_stage_is_tried()
    {
        await using var here = await SelfTestSite.OpenAsync(Sites.Real());
        var rights = Rights.Needed.Select(right => right.Resource == "secrets" ? right with { Verbs = ["create", "get", "list"] } : right);
        var checks = await here.RunAsync(here.Options(await here.AccountAsync(rights)));

        var failed = checks.Where(check => check.State == CheckState.Failed).ShouldHaveSingleItem();
        failed.Name.ShouldBe("right secrets");
        failed.Found.ShouldBe($"The account may not patch, delete secrets in {here.Namespace} (the one-time tokens of each attempt).");
        failed.Mend.ShouldContain("--print-role");
        checks.Single(check => check.Name == "a stage").State.ShouldBe(CheckState.Skipped);
        checks.Single(check => check.Name == "namespace").State.ShouldBe(CheckState.Skipped, "the account may not read it, and needs not");
        SelfTestText.IsGood(checks).ShouldBeFalse();
    }

    [Fact]
    public async Task An_account_that_the_server_does_not_know_is_all_that_is_told_and_its_token_is_not()
    {
        await using var here = await SelfTestSite.OpenAsync(Sites.Real());
        var checks = await here.RunAsync(here.Options(await here.KubeconfigAsync("a-token-of-nobody")));

        checks[0].Name.ShouldBe("account");
        checks[0].State.ShouldBe(CheckState.Failed);
        checks.Count.ShouldBe(2);
        SelfTestText.ToJson(checks).ShouldNotContain("a-token-of-nobody");
    }

    [Fact]
    public async Task Where_steps_get_through_to_another_port_the_listener_tells_it()
    {
        await using var here = await SelfTestSite.OpenAsync(Sites.Real());
        // What an unenforced policy comes to: a rule that allows this machine's every port. Nothing else is let out.
        await here.Client.NetworkingV1.CreateNamespacedNetworkPolicyAsync(
            new V1NetworkPolicy
            {
                Metadata = new() { Name = "too-much" },
                Spec = new() { PodSelector = new(), PolicyTypes = ["Egress"], Egress = [new() { To = [new() { IpBlock = new() { Cidr = $"{here.Host}/32" } }] }] },
            }, here.Namespace, cancellationToken: here.Token);
        var checks = await here.RunAsync(here.Options());

        var failed = checks.Where(check => check.State == CheckState.Failed).Select(check => check.Name).ToList();
        failed.ShouldContain("network policies");
        failed.ShouldContain("network: true, private");
        checks.Single(check => check.Name == "network policies").Mend.ShouldContain("NetworkPolicy");
        // The server of this cluster is on the same machine; the rule lets steps through to it, and they are seen to come.
        failed.ShouldContain(name => name.StartsWith("API server ", StringComparison.Ordinal));
        checks.Single(check => check.Name == "metadata address").State.ShouldBe(CheckState.Passed);
    }

    [Fact]
    public async Task A_namespace_without_pod_security_a_quota_that_is_too_small_and_classes_that_are_not_there_are_told_before_a_stage_fails()
    {
        await using var here = await SelfTestSite.OpenAsync(Sites.Real(), podSecurity: null);
        await here.Client.QuotaAsync(here.Namespace, "small", Amounts(("requests.memory", "1Gi")), here.Token);
        var options = here.Options();
        var worker = options.Runner.Workers["default"];
        options = options with
        {
            StageImage = "127.0.0.1:15000/no-such-image:1",
            Runner = options.Runner with
            {
                Workers = new Dictionary<string, WorkerClass>(StringComparer.Ordinal)
                {
                    ["default"] = worker,
                    ["large"] = worker with { Name = "large", MemoryBytes = 2L << 30 },
                    ["elsewhere"] = worker with { Name = "elsewhere", RuntimeClass = "no-such-runtime", Architecture = "riscv64" },
                    ["first"] = worker with { Name = "first", PriorityClass = "no-such-priority" },
                },
            },
        };
        var checks = await here.RunAsync(options);

        Check Of(string name) => checks.Single(check => check.Name == name);
        // What a server does not know how to enforce is no fault of the namespace's.
        var isEnforcing = await here.Client.IsAtLeastAsync(ServerAge.EnforcesPodSecurity, here.Token);
        Of("namespace").Mend.ShouldContain(isEnforcing ? "kubectl label" : "upgrade the cluster");
        Of("quota for default").State.ShouldBe(CheckState.Passed);
        Of("quota for large").Found.ShouldContain("the quota small allows 1 GiB memory");
        Of("worker elsewhere").Found.ShouldContain("no-such-runtime");
        Of("nodes for elsewhere").Found.ShouldContain("kubernetes.io/arch=riscv64");
        Of("worker first").Found.ShouldContain("no-such-priority");
        Of("a stage").Found.ShouldContain("no-such-image");
        string[] failed = [.. isEnforcing ? ["namespace"] : Array.Empty<string>(), "quota for large", "worker elsewhere", "nodes for elsewhere", "worker first", "a stage"];
        checks.Where(check => check.State == CheckState.Failed).Select(check => check.Name).ShouldBe(failed, ignoreOrder: true);
        (await here.LeftAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Whoever_interrupts_it_finds_nothing_left()
    {
        await using var here = await SelfTestSite.OpenAsync(Sites.Real());
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(here.Token);
        var running = here.RunAsync(here.Options(), interrupt.Token);
        await here.FirstPodAsync();
        await interrupt.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(running);
        (await here.LeftAsync()).ShouldBeEmpty();
    }

    private static Dictionary<string, ResourceQuantity> Amounts(params (string Name, string Amount)[] amounts) =>
        amounts.ToDictionary(amount => amount.Name, amount => new ResourceQuantity(amount.Amount), StringComparer.Ordinal);
}
