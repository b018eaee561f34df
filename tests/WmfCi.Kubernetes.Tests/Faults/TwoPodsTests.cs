using k8s;
using k8s.Models;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>Kubernetes may start two pods for one attempt: only the one that claimed it counts, and the other runs nothing.</summary>
public sealed class TwoPodsTests
{
    [Fact]
    public async Task Of_two_pods_that_start_at_once_one_runs_the_steps()
    {
        await using var here = await Ground.OpenAsync();
        here.Node.IsFull = true;
        var trial = await here.BeginAsync(here.Ordinary("sleep 0.5"));
        await here.PodAsync(_ => true);
        here.StandIn.DuplicatePod(here.Space, trial.Name);
        here.Node.IsFull = false;
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_second_pod_waits_and_goes_with_the_first()
    {
        await using var here = await Ground.OpenAsync();
        var hold = here.Store.HoldFiles();
        var trial = await here.BeginAsync(here.Ordinary("sleep 1"));
        await trial.PrintedAsync("one");
        var second = here.StandIn.DuplicatePod(here.Space, trial.Name);
        await here.PodAsync(pod => pod.Metadata.Name == second && Ground.StateOf(pod, "fetch")?.Running is not null);
        hold.Release();
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task Whatever_the_Job_says_the_pod_that_claimed_it_is_right()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
        var failed = new V1Patch(new { status = new { conditions = new[] { new { type = "Failed", status = "True", reason = "BackoffLimitExceeded", message = "Job has reached the specified backoff limit", lastTransitionTime = DateTime.UtcNow } } } }, V1Patch.PatchType.MergePatch);
        await here.Here.Client.BatchV1.PatchNamespacedJobStatusAsync(failed, trial.Name, here.Space, cancellationToken: here.Token);
        await here.EndsAsUndisturbedAsync(await here.RestartAsync(trial));
    }

    [Fact]
    public async Task A_second_pod_that_fails_takes_the_first_with_it_and_that_is_nobodys_fault()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync(here.Here.StageOf("echo begun; sleep 1000"));
        await trial.PrintedAsync("begun");
        var second = here.StandIn.DuplicatePod(here.Space, trial.Name);
        await here.PodAsync(pod => pod.Metadata.Name == second && Ground.StateOf(pod, "fetch")?.Running is not null);
        await here.Node.EvictAsync(here.Space, second);
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed, trial.Heard.ToString());
        trial.Heard.Output.ShouldBe("begun\n");
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_Job_that_is_gone_with_all_its_traces_before_it_was_seen_is_lost_and_not_begun_again()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
        await here.CrashAsync(trial);
        await here.Here.Client.BatchV1.DeleteNamespacedJobAsync(trial.Name, here.Space, propagationPolicy: "Background", cancellationToken: here.Token);
        await here.NoneAsync<V1Secret>();
        await here.Here.RestartAsync();
        var again = here.Begin(trial.Spec with { IsRepeated = true });
        var report = await again.EndAsync();
        (report.Kind, report.Explanation).ShouldBe((OutcomeKind.InfrastructureFailed, "Nothing of it is in the cluster: whoever began it died before its Job was made, or the Job was removed before anybody saw how it ended."));
        again.Heard.Steps.ShouldBeEmpty();
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_Job_whose_Secret_the_service_had_no_time_to_tie_to_it_does_not_leave_the_Secret_behind()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
        await here.CrashAsync(trial);
        var untie = new V1Patch(new { metadata = new { ownerReferences = Array.Empty<object>() } }, V1Patch.PatchType.MergePatch);
        await here.Here.Client.CoreV1.PatchNamespacedSecretAsync(untie, trial.Name, here.Space, cancellationToken: here.Token);
        await here.Here.RestartAsync();
        await here.IsUndisturbedAsync(here.Begin(trial.Spec with { IsRepeated = true }));
        await here.Here.Client.BatchV1.DeleteNamespacedJobAsync(trial.Name, here.Space, propagationPolicy: "Background", cancellationToken: here.Token);
        await here.NoneAsync<V1Secret>();
    }
}
