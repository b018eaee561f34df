using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Admission;
using WmfCi.Kubernetes.SelfTest;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Tests.SelfTest;

/// <summary>What the self-test makes of what it finds, where a real cluster does not go wrong on demand.</summary>
public sealed class ProbeFindingsTests
{
    private const string Where = "http://192.0.2.1:8081/";
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly Dictionary<string, string> Good = new(StringComparer.Ordinal)
    {
        ["uid"] = "1800000001 1800000001 1800000001 1800000001",
        ["capabilities"] = "0000000000000000",
        ["privileges"] = "1",
        ["seccomp"] = "2",
        ["token"] = "absent",
        ["own-token"] = "absent",
        ["variables"] = "none",
        ["tools"] = "refused",
        ["supervisor"] = "refused",
        ["clock"] = Now.ToUnixTimeMilliseconds().ToString(System.Globalization.CultureInfo.InvariantCulture),
        ["exchange"] = "connected",
        ["listener"] = "silence",
        ["metadata"] = "silence",
        ["api-192.0.2.2:6443"] = "refused",
        ["dns"] = "silence",
    };

    [Fact]
    public void A_step_that_is_shut_in_well_passes_everything() =>
        All(Good).ShouldAllBe(check => check.State == CheckState.Passed);

    [Theory]
    [InlineData("uid", "0 0 0 0", "steps' user")]
    [InlineData("uid", "1000 0 0 0", "steps' user")]
    [InlineData("capabilities", "00000000a80425fb", "steps' capabilities")]
    [InlineData("privileges", "0", "new privileges")]
    [InlineData("seccomp", "0", "system calls")]
    [InlineData("token", "readable", "service account")]
    [InlineData("token", "refused", "service account")]
    [InlineData("own-token", "readable", "one-time tokens")]
    [InlineData("variables", "KUBERNETES_SERVICE_HOST", "variables")]
    [InlineData("tools", "written", "the program's folder")]
    [InlineData("supervisor", "readable", "the supervisor")]
    [InlineData("exchange", "silence", "the exchange")]
    [InlineData("listener", "connected", "network policies")]
    [InlineData("metadata", "connected", "metadata address")]
    [InlineData("api-192.0.2.2:6443", "connected", "API server 192.0.2.2:6443")]
    [InlineData("dns", "resolved", "names")]
    [InlineData("seccomp", "failed: IOException", "system calls")]
    public void Each_thing_that_is_open_fails_its_own_check_with_what_to_mend(string probe, string result, string name)
    {
        var bad = All(new Dictionary<string, string>(Good, StringComparer.Ordinal) { [probe] = result }).Where(check => check.State != CheckState.Passed).ShouldHaveSingleItem();

        (bad.Name, bad.State).ShouldBe((name, CheckState.Failed));
        bad.Mend.ShouldNotBeEmpty();
    }

    [Fact]
    public void A_probe_without_a_result_is_no_proof()
    {
        foreach (var probe in Good.Keys.Where(key => key is not ("listener" or "clock") && !key.StartsWith("api-", StringComparison.Ordinal)))
            All(Good.Where(pair => pair.Key != probe).ToDictionary(StringComparer.Ordinal)).ShouldContain(check => check.State == CheckState.Failed, probe);
    }

    [Fact]
    public void What_arrives_at_the_listener_counts_more_than_what_a_step_says() =>
        ProbeFindings.Closed(Good, (Arrived: 1, Hears: true), Where).Single(check => check.Name == "network policies").State.ShouldBe(CheckState.Failed);

    [Fact]
    public void A_listener_that_hears_nobody_proves_nothing() =>
        ProbeFindings.Closed(Good, (Arrived: 0, Hears: false), Where).Single(check => check.Name == "network policies").State.ShouldBe(CheckState.Skipped);

    [Theory]
    [InlineData(29, CheckState.Passed)]
    [InlineData(-29, CheckState.Passed)]
    [InlineData(31, CheckState.Warned)]
    [InlineData(-3600, CheckState.Warned)]
    public void Clocks_may_be_half_a_minute_apart(int seconds, CheckState state) =>
        ProbeFindings.Identity(Good, Now.AddSeconds(seconds)).Single(check => check.Name == "clocks").State.ShouldBe(state);

    [Fact]
    public void A_step_that_takes_what_it_may_not_and_lives_on_fails_the_check_of_that_limit()
    {
        var checks = ProbeFindings.Limits(Of(OutcomeKind.Succeeded, "processes", "all"), Of(OutcomeKind.Succeeded, "memory", "all"), Of(OutcomeKind.Succeeded, "disk", "all")).ToList();
        checks.Select(check => (check.Name, check.State)).ShouldBe([("process limit", CheckState.Failed), ("memory limit", CheckState.Failed), ("disk limit", CheckState.Failed)]);

        ProbeFindings.Limits(Of(OutcomeKind.Succeeded, "processes", "stopped after 90"), Of(OutcomeKind.OutOfMemory), Of(OutcomeKind.DiskFull)).ShouldAllBe(check => check.State == CheckState.Passed);
        ProbeFindings.Limits(Of(OutcomeKind.Failed), Of(OutcomeKind.InfrastructureFailed), Of(OutcomeKind.Failed)).ShouldNotContain(check => check.State == CheckState.Passed, "another end proves nothing");
    }

    [Fact]
    public void An_image_of_the_program_without_probes_is_named_as_the_cause() =>
        ProbeFindings.Stage(Of(OutcomeKind.Succeeded), Where).Mend.ShouldContain("runner.kubernetes.image");

    [Fact]
    public void A_quota_that_is_full_is_a_warning_and_one_that_is_too_small_a_failure()
    {
        var demand = new Demand { Pods = 1, MemoryBytes = 1 << 30 };
        RoomChecks.Quota("quota", [new QuotaLine("q", "pods", 5, 4)], demand).State.ShouldBe(CheckState.Passed);
        RoomChecks.Quota("quota", [new QuotaLine("q", "pods", 5, 5)], demand).State.ShouldBe(CheckState.Warned);
        RoomChecks.Quota("quota", [new QuotaLine("q", "memory", 1 << 29, 0)], demand).State.ShouldBe(CheckState.Failed);
    }

    [Fact]
    public void A_node_must_have_the_labels_bear_no_strange_taint_and_be_large_enough()
    {
        var worker = Some.Worker with { Name = "w", NodeSelector = [new("pool", "ci")], Tolerations = [new Toleration("ci", "Equal", "yes", null, null)] };
        var demand = new Demand { CpuMillis = 1000 };
        static V1Node NodeOf(string pool, string cpu, params V1Taint[] taints) => new()
        {
            Metadata = new() { Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["pool"] = pool } },
            Spec = new() { Taints = taints },
            Status = new() { Allocatable = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["cpu"] = new(cpu) } },
        };
        CheckState Judge(V1Node node) => RoomChecks.Node("nodes", worker, demand, [node]).State;

        Judge(NodeOf("ci", "2")).ShouldBe(CheckState.Passed);
        Judge(NodeOf("ci", "1", new V1Taint { Key = "ci", Value = "yes", Effect = "NoSchedule" })).ShouldBe(CheckState.Passed);
        Judge(NodeOf("ci", "1", new V1Taint { Key = "ci", Value = "no", Effect = "NoSchedule" })).ShouldBe(CheckState.Failed);
        Judge(NodeOf("ci", "1", new V1Taint { Key = "other", Effect = "PreferNoSchedule" })).ShouldBe(CheckState.Passed);
        Judge(NodeOf("web", "2")).ShouldBe(CheckState.Failed);
        Judge(NodeOf("ci", "500m")).ShouldBe(CheckState.Failed);
    }

    [Theory]
    [InlineData(19, CheckState.Failed)]
    [InlineData(20, CheckState.Passed)]
    [InlineData(35, CheckState.Passed)]
    [InlineData(36, CheckState.Warned)]
    public void Versions_that_were_tried_pass(int minor, CheckState state) => AccountChecks.Version(new ClusterVersion(1, minor, "v1")).State.ShouldBe(state);

    [Fact]
    public void Programs_get_the_checks_as_JSON_and_people_as_lines()
    {
        Check[] checks = [Check.Passed("one", "fine"), Check.Warned("two", "so so", "do this")];
        SelfTestText.ToJson(checks).ReplaceLineEndings("").Replace(" ", "", StringComparison.Ordinal)
            .ShouldBe("""{"passed":true,"checks":[{"name":"one","state":"passed","found":"fine","mend":""},{"name":"two","state":"warned","found":"soso","mend":"dothis"}]}""");
        SelfTestText.Of(checks[0], isColoured: false).ShouldBe($"ok   {"one",-38} fine");
        SelfTestText.Of(checks[1], isColoured: true).ShouldStartWith("\e[33mwarn \e[0m");
        SelfTestText.IsGood([.. checks, Check.Failed("three", "bad", "mend")]).ShouldBeFalse();
    }

    private static List<Check> All(Dictionary<string, string> results) =>
        [.. ProbeFindings.Identity(results, Now), .. ProbeFindings.Closed(results, (Arrived: 0, Hears: true), Where)];

    private static Probed Of(OutcomeKind kind, string? probe = null, string result = "")
    {
        var heard = new ProbeListener();
        if (probe is not null) heard.OutputAsync(System.Text.Encoding.UTF8.GetBytes($"probe\t{probe}\t{result}\n"), CancellationToken.None).IsCompletedSuccessfully.ShouldBeTrue();
        return new Probed(new AttemptReport { Kind = kind }, heard, TimeSpan.FromSeconds(5));
    }
}
