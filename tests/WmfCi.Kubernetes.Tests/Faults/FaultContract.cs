using k8s;
using k8s.Models;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>Faults that can be made on any cluster, real ones too.</summary>
public abstract class FaultContract
{
    internal abstract Site Where();

    /// <summary>An image that is in no registry.</summary>
    private protected abstract string MissingImage();

    [Fact]
    public async Task An_image_that_is_missing_is_told_with_its_name()
    {
        await using var here = await Ground.OpenAsync(Where());
        var image = MissingImage();
        var trial = await here.BeginAsync(here.Ordinary() with { Image = image });
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(OutcomeKind.Misconfigured, trial.Heard.ToString());
        report.Explanation.ShouldStartWith($"There is no image {image} that the workers may fetch: check its name and tag, and that its registry is public. The registry says: ");
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_pod_that_fits_nowhere_says_so_and_can_be_stopped()
    {
        await using var here = await Ground.OpenAsync(Where(), configure: options => options with
        {
            Workers = options.Workers.ToDictionary(worker => worker.Key, worker => worker.Value with { NodeSelector = new[] { KeyValuePair.Create("test.invalid/none", "such") }.ToValueArray() }, StringComparer.Ordinal),
        });
        var trial = await here.BeginAsync();
        await here.PodAsync(pod => pod.Status?.Conditions?.Any(condition => condition is { Type: "PodScheduled", Status: "False" }) is true);
        await here.PassAsync(trial, PodRules.TellAfter);
        await trial.WaitsAsync("Waits for a worker of the class default: 0/");
        await here.Here.Runner.StopAsync(trial.Spec.Id, here.Token);
        (await trial.EndAsync()).Kind.ShouldBe(OutcomeKind.Stopped, trial.Heard.ToString());
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_pod_that_is_deleted_by_hand_is_nobodys_fault()
    {
        await using var here = await Ground.OpenAsync(Where());
        var trial = await BegunAsync(here);
        var pod = await here.RunsAsync("step-1");
        await here.Here.Client.CoreV1.DeleteNamespacedPodAsync(pod.Metadata.Name, here.Space, gracePeriodSeconds: 1, cancellationToken: here.Token);
        await FailsAsync(here, trial, OutcomeKind.InfrastructureFailed, "removed");
    }

    [Fact]
    public async Task A_Job_that_is_deleted_by_hand_is_nobodys_fault()
    {
        await using var here = await Ground.OpenAsync(Where());
        var trial = await BegunAsync(here);
        await here.Here.Client.BatchV1.DeleteNamespacedJobAsync(trial.Name, here.Space, propagationPolicy: "Background", cancellationToken: here.Token);
        await FailsAsync(here, trial, OutcomeKind.InfrastructureFailed, "removed");
    }

    [Fact]
    public async Task A_Secret_that_goes_before_the_pod_starts_is_nobodys_fault()
    {
        await using var here = await Ground.OpenAsync(Where());
        var hold = new Hold();
        here.Store.BeforePut = hold.StopAsync;
        var trial = await here.BeginAsync();
        await hold.Reached;
        await here.Here.Client.CoreV1.DeleteNamespacedSecretAsync(trial.Name, here.Space, cancellationToken: here.Token);
        hold.Release();
        await FailsAsync(here, trial, OutcomeKind.InfrastructureFailed, "Its Secret was removed from the cluster before its pod could use it.");
        trial.Heard.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stage_whose_supervisor_does_not_end_it_is_ended_by_the_service()
    {
        await using var here = await Ground.OpenAsync(Where());
        var trial = await BegunAsync(here);
        var (options, allowances) = (here.Here.Options, here.Here.Options.Allowances);
        await here.PassAsync(trial, TimeSpan.FromMinutes(2) + options.StopGrace + allowances.Overtime + allowances.Silence);
        await FailsAsync(here, trial, OutcomeKind.TimedOut, "It took longer than the 2 min that the stage may take");
    }

    [Fact]
    public async Task A_second_pod_of_an_attempt_runs_nothing()
    {
        await using var here = await Ground.OpenAsync(Where());
        // However long the second takes, the first is not over before.
        var hold = here.Store.HoldFiles();
        var trial = await here.BeginAsync(here.Ordinary("sleep 1"));
        await trial.PrintedAsync("one");
        var job = await here.Here.Client.BatchV1.ReadNamespacedJobAsync(trial.Name, here.Space, cancellationToken: here.Token);
        var metadata = job.Spec.Template.Metadata;
        metadata.Name = "second";
        metadata.OwnerReferences = [new V1OwnerReference { ApiVersion = "batch/v1", Kind = "Job", Name = trial.Name, Uid = job.Uid() }];
        foreach (var label in metadata.Labels.Keys.Where(label => label.Contains("job-name", StringComparison.Ordinal) || label.Contains("controller-uid", StringComparison.Ordinal)).ToList()) metadata.Labels.Remove(label);
        await here.Here.Client.CoreV1.CreateNamespacedPodAsync(new V1Pod { Metadata = metadata, Spec = job.Spec.Template.Spec }, here.Space, cancellationToken: here.Token);
        await here.PodAsync(pod => pod.Metadata.Name == "second" && Ground.StateOf(pod, "fetch")?.Running is not null);
        hold.Release();
        await here.IsUndisturbedAsync(trial);
        // Its Job takes it away when the first has come to its end.
        var pods = await here.Here.Client.CoreV1.ListNamespacedPodAsync(here.Space, fieldSelector: "metadata.name=second", cancellationToken: here.Token);
        pods.Items.ShouldAllBe(pod => Ground.StateOf(pod, "step-1")!.Waiting != null);
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_Job_that_is_gone_before_it_was_seen_is_lost_and_not_begun_again()
    {
        await using var here = await Ground.OpenAsync(Where());
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
        await here.CrashAsync(trial);
        await here.Here.Client.BatchV1.DeleteNamespacedJobAsync(trial.Name, here.Space, propagationPolicy: "Background", cancellationToken: here.Token);
        await here.NoneAsync<V1Secret>();
        await here.Here.RestartAsync();
        var again = here.Begin(trial.Spec with { IsRepeated = true });
        await FailsAsync(here, again, OutcomeKind.InfrastructureFailed, "Nothing of it is in the cluster: whoever began it died before its Job was made, or the Job was removed before anybody saw how it ended.");
        again.Heard.Steps.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("one")]
    [InlineData("two")]
    public async Task A_service_that_restarts_while_a_step_runs_ends_as_if_it_had_not(string told)
    {
        await using var here = await Ground.OpenAsync(Where());
        var trial = await here.BeginAsync(here.Ordinary("sleep 2"));
        await trial.PrintedAsync(told);
        await here.EndsAsUndisturbedAsync(await here.RestartAsync(trial));
    }

    private static async Task<Trial> BegunAsync(Ground here)
    {
        var trial = await here.BeginAsync(here.Here.StageOf("echo begun; sleep 1000"));
        await trial.PrintedAsync("begun");
        return trial;
    }

    private static async Task FailsAsync(Ground here, Trial trial, OutcomeKind kind, string explanation)
    {
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(kind, trial.Heard.ToString());
        report.Explanation.ShouldContain(explanation, customMessage: trial.Heard.ToString());
        await here.LeavesNothingAsync();
    }
}

/// <summary>These faults on a real cluster.</summary>
public sealed class FaultsOnTheRealCluster : FaultContract
{
    internal override Site Where() => Sites.Real();

    private protected override string MissingImage() => $"{Needs.Image.Split('/')[0]}/no-such-image:1";
}

/// <summary>These faults on the stand-in.</summary>
public sealed class FaultsOnTheStandIn(SharedStandIn shared) : FaultContract
{
    internal override Site Where() => Sites.Of(shared.StandIn);

    private protected override string MissingImage()
    {
        const string image = "stand-in.invalid/no-such-image:1";
        shared.StandIn.Node.LoseImage(image);
        return image;
    }
}
