using System.Diagnostics;
using k8s;
using k8s.Models;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>Stages in a namespace with a quota, on a real cluster.</summary>
public sealed class AdmissionTests
{
    private const string Quota = "stages";

    /// <summary>How long after there is room a stage may take to its first step, on a machine that is busy with other tests.</summary>
    private static readonly TimeSpan Prompt = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Only_as_many_stages_start_as_fit_and_the_others_say_what_they_wait_for_and_follow_promptly()
    {
        await using var here = await OpenAsync(("pods", "1"));
        var ends = new List<long>();
        var begins = new List<long>();
        async Task<Heard> RunAsync()
        {
            var heard = new Heard();
            var running = here.Runner.RunAsync(await here.SpecAsync(here.StageOf("echo begun; sleep 1")), heard, here.Token);
            await heard.UntilAsync(one => one.Steps.Count > 0, here.Token);
            lock (begins) begins.Add(Stopwatch.GetTimestamp());
            heard.Report = await running;
            lock (ends) ends.Add(Stopwatch.GetTimestamp());
            return heard;
        }

        var all = await Task.WhenAll(RunAsync(), RunAsync(), RunAsync());
        all.ShouldAllBe(heard => heard.Report.Kind == OutcomeKind.Succeeded);
        all.Count(heard => heard.Waits.Exists(reason => reason.StartsWith("Waits for room: it needs 1 pods, and 0 pods of the 1 pods of the quota stages", StringComparison.Ordinal))).ShouldBe(2);
        all.Count(heard => heard.Waits.Exists(reason => reason.Contains("came earlier", StringComparison.Ordinal))).ShouldBe(1);
        (await here.FailuresAsync()).ShouldBeEmpty("a pod was made that the quota refused");
        for (var i = 1; i < 3; i++)
        {
            var gap = Stopwatch.GetElapsedTime(ends[i - 1], begins[i]);
            TestContext.Current.SendDiagnosticMessage("a stage began {0:0.00} s after the one before it ended", gap.TotalSeconds);
            gap.ShouldBeLessThan(Prompt);
        }
    }

    [Fact]
    public async Task A_stage_that_never_fits_is_answered_at_once()
    {
        await using var here = await OpenAsync(("requests.memory", "128Mi"));
        var heard = await here.RunAsync(here.StageOf("true"));
        heard.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        heard.Report.Explanation.ShouldBe("It needs 256 MiB memory, and the quota stages allows 128 MiB memory in all. Choose a smaller `worker:`, or ask the operators to raise the quota.");
        heard.Steps.ShouldBeEmpty();
        (await here.Client.CoreV1.ListNamespacedSecretAsync(here.Namespace, labelSelector: "wmfci.org/attempt", cancellationToken: here.Token)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stage_starts_when_the_quota_grows_and_is_answered_when_it_shrinks_below_what_it_needs()
    {
        await using var here = await OpenAsync(("requests.memory", "300Mi"));
        var first = new Heard();
        var spec = await here.SpecAsync(here.StageOf("echo begun; sleep 1000"));
        var running = here.Runner.RunAsync(spec, first, here.Token);
        await first.PrintedAsync("begun", running, here.Token);

        var grown = new Heard();
        var grows = here.Runner.RunAsync(await here.SpecAsync(here.StageOf("echo second")), grown, here.Token);
        await grown.UntilAsync(heard => heard.Waits.Exists(reason => reason.Contains("44 MiB memory of the 300 MiB memory", StringComparison.Ordinal)), here.Token);
        await here.QuotaAsync(("requests.memory", "600Mi"));
        (await grows).Kind.ShouldBe(OutcomeKind.Succeeded, grown.ToString());

        await here.QuotaAsync(("requests.memory", "300Mi"));
        var shrunk = new Heard();
        var shrinks = here.Runner.RunAsync(await here.SpecAsync(here.StageOf("true")), shrunk, here.Token);
        await shrunk.UntilAsync(heard => heard.Waits.Count > 0, here.Token);
        await here.QuotaAsync(("requests.memory", "200Mi"));
        (await shrinks).Explanation.ShouldContain("allows 200 MiB memory in all");
        await here.Runner.StopAsync(spec.Id, here.Token);
        (await running).Kind.ShouldBe(OutcomeKind.Stopped);
    }

    [Fact]
    public async Task A_stage_that_is_stopped_while_it_waits_for_room_leaves_nothing_and_lets_the_next_in()
    {
        await using var here = await OpenAsync(("pods", "1"));
        var first = await here.SpecAsync(here.StageOf("echo begun; sleep 1000"));
        var heard = new Heard();
        var running = here.Runner.RunAsync(first, heard, here.Token);
        await heard.PrintedAsync("begun", running, here.Token);

        var second = await here.SpecAsync(here.StageOf("true"));
        var waits = new Heard();
        var waiting = here.Runner.RunAsync(second, waits, here.Token);
        await waits.UntilAsync(one => one.Waits.Count > 0, here.Token);
        await here.Runner.StopAsync(second.Id, here.Token);
        (await waiting).Kind.ShouldBe(OutcomeKind.Stopped);

        var third = here.RunAsync(here.StageOf("true"));
        await here.Runner.StopAsync(first.Id, here.Token);
        await running;
        (await third).Report.Kind.ShouldBe(OutcomeKind.Succeeded);
        (await here.FailuresAsync()).ShouldBeEmpty();
    }

    private static async Task<Worksite> OpenAsync(params (string Resource, string Amount)[] hard)
    {
        var here = await Worksite.OpenAsync(Sites.Real());
        try
        {
            await here.QuotaAsync(hard);
            // One that begins to watch knows the quota from the beginning.
            await here.RestartAsync();
            return here;
        }
        catch
        {
            await here.DisposeAsync();
            throw;
        }
    }
}

/// <summary>What tests ask of quotas.</summary>
internal static class QuotasOfWorksite
{
    /// <summary>Sets the namespace's quota, and waits until the cluster counts by it.</summary>
    public static async Task QuotaAsync(this Worksite here, params (string Resource, string Amount)[] hard)
    {
        var wanted = hard.ToDictionary(one => one.Resource, one => new ResourceQuantity(one.Amount), StringComparer.Ordinal);
        await here.Cluster.ApplyAsync(
            new V1ResourceQuota { Metadata = new V1ObjectMeta { Name = "stages", NamespaceProperty = here.Namespace }, Spec = new V1ResourceQuotaSpec { Hard = wanted } }, "tests", here.Token);
        await using var quotas = new Reflector<V1ResourceQuota>(here.Cluster, new ReflectorOptions());
        await quotas.WaitForAsync("stages", quota => quota?.Status?.Used is { Count: > 0 } && wanted.All(one => quota.Status.Hard?.TryGetValue(one.Key, out var has) == true && has.ToDecimal() == one.Value.ToDecimal()), here.Token);
    }

    /// <summary>What the cluster failed to make.</summary>
    public static async Task<IEnumerable<string>> FailuresAsync(this Worksite here) =>
        (await here.Client.CoreV1.ListNamespacedEventAsync(here.Namespace, fieldSelector: "reason=FailedCreate", cancellationToken: here.Token)).Items.Select(happened => happened.Message);
}
