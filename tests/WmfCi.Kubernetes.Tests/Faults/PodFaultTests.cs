using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>What happens to an attempt's pod is told as what it is: nobody's fault, or the stage's own.</summary>
public sealed class PodFaultTests : IAsyncLifetime
{
    private const string Forever = "echo begun; sleep 1000";
    private Ground _here = null!;

    public async ValueTask InitializeAsync() => _here = await Ground.OpenAsync();

    public ValueTask DisposeAsync() => _here?.DisposeAsync() ?? default;

    [Fact]
    public async Task Undisturbed_it_leaves_its_output_and_its_files_and_nothing_in_the_cluster() => await _here.EndsAsUndisturbedAsync(await _here.BeginAsync());

    [Fact]
    public async Task An_image_that_its_registry_does_not_have_is_told_to_the_author_at_once()
    {
        _here.Node.LoseImage(_here.Here.Site.Image);
        var trial = await _here.BeginAsync();
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(OutcomeKind.Misconfigured, trial.Heard.ToString());
        report.Explanation.ShouldStartWith($"There is no image {_here.Here.Site.Image} that the workers may fetch: check its name and tag, and that its registry is public. The registry says: ");
        trial.Heard.Steps.ShouldBeEmpty();
        await _here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_registry_that_is_away_is_waited_for()
    {
        _here.Node.LoseImage(_here.Here.Site.Image, "dial tcp 192.0.2.1:443: connect: connection refused");
        var trial = await _here.BeginAsync();
        await trial.WaitsAsync($"Waits for the image {_here.Here.Site.Image}, which could not be fetched: ");
        trial.Heard.Waits[^1].ShouldContain("connection refused");
        _here.Node.FindImage(_here.Here.Site.Image);
        await _here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_registry_that_stays_away_is_nobodys_fault()
    {
        _here.Node.LoseImage(_here.Here.Site.Image, "dial tcp 192.0.2.1:443: connect: connection refused");
        var trial = await _here.BeginAsync();
        await trial.WaitsAsync("connection refused");
        await _here.PassAsync(trial, _here.Here.Options.Allowances.RefusedPull);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "could not be fetched within 3 min");
    }

    [Fact]
    public async Task A_pod_that_fits_nowhere_says_what_it_waits_for_and_runs_when_there_is_room()
    {
        _here.Node.IsFull = true;
        var trial = await _here.BeginAsync();
        await UnschedulableAsync();
        await _here.PassAsync(trial, PodRules.TellAfter);
        await trial.WaitsAsync("Waits for a worker of the class default: 0/1 nodes are available: 1 Insufficient cpu");
        _here.Node.IsFull = false;
        await _here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_pod_that_fits_nowhere_for_too_long_is_nobodys_fault()
    {
        _here.Node.IsFull = true;
        var trial = await _here.BeginAsync();
        await UnschedulableAsync();
        await _here.PassAsync(trial, TimeSpan.FromMinutes(31));
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "No worker of the class default became free within 30 min: 0/1 nodes");
    }

    [Fact]
    public async Task A_step_that_the_kernel_kills_with_its_supervisor_needed_too_much_memory()
    {
        var (trial, pod) = await BegunAsync();
        await _here.Node.RunOutOfMemoryAsync(_here.Space, pod.Metadata.Name, "step-1");
        await FailsAsync(trial, OutcomeKind.OutOfMemory, "It needed more than the 256 MiB of memory of the worker class default.");
        trial.Heard.Report.FailedStep.ShouldBe("step 1");
    }

    [Fact]
    public async Task A_step_one_of_whose_processes_the_kernel_kills_needed_too_much_memory_and_its_files_are_kept()
    {
        var counters = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(counters, "oom 0\noom_kill 0\n", _here.Token);
            _here.Node.Images[_here.Here.Site.Image] = new() { Files = new Dictionary<string, string> { ["/sys/fs/cgroup/memory.events"] = counters } };
            var trial = await _here.BeginAsync(_here.Here.StageOf("echo kept > file; echo begun; until grep -q 'oom_kill 1' /sys/fs/cgroup/memory.events; do sleep 0.05; done; exit 137") with { Artifacts = ["file"] });
            await trial.PrintedAsync("begun");
            await File.WriteAllTextAsync(counters, "oom 1\noom_kill 1\n", _here.Token);
            await FailsAsync(trial, OutcomeKind.OutOfMemory, "It needed more than the 256 MiB of memory of the worker class default.");
            trial.Heard.Report.ExitCode.ShouldBe(137);
            (await _here.Here.TextOfAsync(trial.Heard.Report.Files.ShouldHaveSingleItem())).ShouldBe("kept\n");
        }
        finally
        {
            File.Delete(counters);
        }
    }

    [Fact]
    public async Task A_pod_that_its_node_evicts_for_its_own_sake_is_nobodys_fault()
    {
        var (trial, pod) = await BegunAsync();
        await _here.Node.EvictAsync(_here.Space, pod.Metadata.Name);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "Its pod was evicted: The node was low on resource: memory.");
    }

    [Fact]
    public async Task A_pod_that_is_evicted_for_what_it_wrote_wrote_too_much()
    {
        var (trial, pod) = await BegunAsync();
        await _here.Node.EvictAsync(_here.Space, pod.Metadata.Name, "Pod ephemeral local storage usage exceeds the total limit of containers 400Mi. ");
        await FailsAsync(trial, OutcomeKind.DiskFull, "It wrote more than the 256 MiB of disk that the worker class default allows");
        trial.Heard.Report.FailedStep.ShouldBe("step 1");
    }

    [Fact]
    public async Task A_node_that_is_gone_is_nobodys_fault()
    {
        var (trial, pod) = await BegunAsync();
        await _here.Node.LoseAsync(_here.Space, pod.Metadata.Name);
        await _here.JobAsync(job => job.GetAnnotation(Marks.Ended) is not null);
        // Nobody will ever say that its processes are gone; the cluster removes the pod with the node.
        _here.Node.Vanish(_here.Space, pod.Metadata.Name);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "Its pod was taken away (DeletionByTaintManager)");
    }

    [Fact]
    public async Task A_pod_that_is_deleted_before_it_began_is_nobodys_fault()
    {
        _here.Node.IsFull = true;
        var trial = await _here.BeginAsync();
        await DeletePodAsync(await UnschedulableAsync());
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "Its Job failed without a pod");
        trial.Heard.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_pod_that_is_deleted_while_it_works_is_nobodys_fault()
    {
        var (trial, pod) = await BegunAsync();
        await DeletePodAsync(pod);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "removed");
        trial.Heard.Output.ShouldBe("begun\n");
        trial.Heard.Notes.ShouldHaveSingleItem().ShouldStartWith("This is the live copy of the log");
    }

    [Fact]
    public async Task A_pod_that_vanishes_without_a_word_is_nobodys_fault()
    {
        var (trial, pod) = await BegunAsync();
        _here.Node.Vanish(_here.Space, pod.Metadata.Name);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "Its pod is gone: removed by hand, or with its node.");
    }

    [Fact]
    public async Task A_pod_that_is_deleted_while_its_files_are_stored_is_nobodys_fault()
    {
        var hold = _here.Store.HoldFiles();
        var trial = await _here.BeginAsync();
        await hold.Reached;
        await DeletePodAsync(await _here.RunsAsync("collect"));
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "");
        hold.Release();
    }

    [Fact]
    public async Task A_job_that_is_deleted_by_hand_is_nobodys_fault()
    {
        var (trial, _) = await BegunAsync();
        await _here.Here.Client.BatchV1.DeleteNamespacedJobAsync(trial.Name, _here.Space, propagationPolicy: "Background", cancellationToken: _here.Token);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "");
        trial.Heard.Report.Explanation.ShouldBeOneOf("Its Job is gone: somebody or something removed it from the cluster.", "Its pod was removed, by hand or with its node.");
    }

    [Fact]
    public async Task A_secret_that_goes_before_the_pod_starts_is_nobodys_fault()
    {
        _here.Node.IsFull = true;
        var trial = await _here.BeginAsync();
        await UnschedulableAsync();
        await _here.Here.Client.CoreV1.DeleteNamespacedSecretAsync(trial.Name, _here.Space, cancellationToken: _here.Token);
        _here.Node.IsFull = false;
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, $"Its Secret was removed from the cluster before its pod could use it. The cluster says: MountVolume.SetUp failed for volume: secret \"{trial.Name}\" not found.");
        trial.Heard.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_pod_whose_time_is_over_before_its_first_step_is_nobodys_fault()
    {
        var hold = new Hold();
        _here.Store.BeforeOpen = hold.StopAsync;
        var trial = await _here.BeginAsync();
        await hold.Reached;
        await _here.Node.ExpireAsync(_here.Space, (await _here.RunsAsync("fetch")).Metadata.Name);
        await FailsAsync(trial, OutcomeKind.InfrastructureFailed, "Its pod did not come to its first step in time.");
        hold.Release();
    }

    [Fact]
    public async Task A_pod_whose_time_is_over_while_it_works_took_too_long()
    {
        var (trial, pod) = await BegunAsync();
        await _here.Node.ExpireAsync(_here.Space, pod.Metadata.Name);
        await FailsAsync(trial, OutcomeKind.TimedOut, "It took longer than the 2 min that the stage may take");
        trial.Heard.Report.FailedStep.ShouldBe("step 1");
    }

    [Fact]
    public async Task A_stage_whose_supervisor_does_not_end_it_is_ended_by_the_service()
    {
        var (trial, _) = await BegunAsync();
        await _here.PassAsync(trial, TimeSpan.FromMinutes(2) + _here.Here.Options.StopGrace + _here.Here.Options.Allowances.Overtime + _here.Here.Options.Allowances.Silence);
        await FailsAsync(trial, OutcomeKind.TimedOut, "It took longer than the 2 min that the stage may take, and was stopped with all its children.");
        trial.Heard.Output.ShouldBe("begun\n");
    }

    private async Task<(Trial Trial, V1Pod Pod)> BegunAsync()
    {
        var trial = await _here.BeginAsync(_here.Here.StageOf(Forever));
        await trial.PrintedAsync("begun");
        return (trial, (await _here.Here.PodAsync())!);
    }

    private Task<V1Pod> UnschedulableAsync() => _here.PodAsync(pod => pod.Status?.Conditions?.Any(condition => condition is { Type: "PodScheduled", Status: "False" }) is true);

    private Task<V1Pod> DeletePodAsync(V1Pod pod) => _here.Here.Client.CoreV1.DeleteNamespacedPodAsync(pod.Metadata.Name, _here.Space, gracePeriodSeconds: 1, cancellationToken: _here.Token);

    private async Task FailsAsync(Trial trial, OutcomeKind kind, string explanation)
    {
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(kind, trial.Heard.ToString());
        report.Explanation.ShouldContain(explanation, customMessage: trial.Heard.ToString());
        await _here.LeavesNothingAsync();
    }
}
