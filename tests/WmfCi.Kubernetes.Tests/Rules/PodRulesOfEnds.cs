using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>What it means that a pod came to its end, one way or another.</summary>
public sealed class PodRulesOfEnds
{
    [Fact]
    public void A_stage_whose_steps_all_succeeded_and_whose_files_came_succeeded()
    {
        var over = Seen.Running.Ended("step-1").Ended("step-2").Ended("collect").HandedIn().Phase("Succeeded").OverAs(OutcomeKind.Succeeded);
        over.IsCollected.ShouldBeTrue();
        over.Explanation.ShouldBeEmpty();
    }

    [Fact]
    public void The_first_step_that_failed_is_the_stages_failure()
    {
        var over = Seen.Running.Ended("step-1").Says("step-2", new StepEnd { Exit = 7 }).Ended("collect").HandedIn().OverAs(OutcomeKind.Failed);
        (over.Step, over.ExitCode, over.IsCollected).ShouldBe((2, 7, true));
        Seen.Running.Says("step-1", new StepEnd { Exit = 3 }).Says("step-2", new StepEnd { Skipped = true }).Ended("collect").HandedIn().OverAs(OutcomeKind.Failed).Step.ShouldBe(1);
    }

    [Fact]
    public void Nothing_is_over_before_the_list_of_files_came_and_everything_is_then()
    {
        Seen Collecting() => Seen.Running.Says("step-1", new StepEnd { Exit = 3 }).Says("step-2", new StepEnd { Skipped = true }).Runs("collect");
        Collecting().Goes();
        // Its container ends a moment later, and however it does.
        Collecting().HandedIn().OverAs(OutcomeKind.Failed).IsCollected.ShouldBeTrue();
        Collecting().Terminated("collect", 1, "Error").HandedIn().OverAs(OutcomeKind.Failed).IsCollected.ShouldBeTrue();
        // The pods' watch may be behind the Jobs'.
        Seen.Running.Ended("step-1").Runs("step-2").HandedIn().Goes();
    }

    [Theory]
    // As kubelets say it from 1.20 to 1.35.
    [InlineData("Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. ")]
    [InlineData("Container step-1 exceeded its local ephemeral storage limit \"2Gi\". ")]
    [InlineData("Usage of EmptyDir volume \"work\" exceeds the limit \"2Gi\". ")]
    public void Who_is_evicted_for_the_own_disk_is_told_what_to_delete(string message)
    {
        var over = Seen.Running.Phase("Failed", "Evicted", message).OverAs(OutcomeKind.DiskFull);
        over.Explanation.ShouldContain("2 GiB");
        over.Step.ShouldBe(1);
    }

    [Theory]
    [InlineData("The node was low on resource: ephemeral-storage. Container step-1 was using 20Ki, which exceeds its request of 0. ")]
    [InlineData("The node was low on resource: memory. Threshold quantity: 100Mi, available: 20Mi. Container step-1 was using 1Gi, request is 500Mi, has larger consumption of memory. ")]
    [InlineData("The node had condition: [DiskPressure]. ")]
    [InlineData("Pod was rejected: The node had condition: [MemoryPressure]. ")]
    public void Who_is_evicted_because_the_node_is_full_is_not_to_blame(string message) => Seen.Running.Phase("Failed", "Evicted", message).OverAs(OutcomeKind.InfrastructureFailed);

    [Theory]
    [InlineData("NodeLost", "Node testbed which was running pod is unresponsive")]
    [InlineData("NodeShutdown", "Node is shutting, evicting pods")]
    [InlineData("Shutdown", "Node is in progress of shutting down, not admitting any new pods")]
    [InlineData("Terminated", "Pod was terminated in response to imminent node shutdown.")]
    [InlineData("Preempting", "Preempted in order to admit critical pod")]
    [InlineData("OutOfcpu", "Pod Node didn't have enough resource: cpu, requested: 500")]
    [InlineData("OutOfpods", "Node didn't have enough resource: pods")]
    [InlineData("UnexpectedAdmissionError", "Allocate failed")]
    [InlineData("NodeAffinity", "Predicate NodeAffinity failed")]
    [InlineData("AppArmor", "Cannot enforce AppArmor")]
    [InlineData(null, null)]
    public void Whatever_a_node_does_to_a_pod_is_the_clusters_failure_at_once(string? reason, string? message) =>
        Seen.Scheduled.Phase("Failed", reason, message).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain(message?.TrimEnd('.') ?? "Failed");

    [Theory]
    [InlineData("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")]
    [InlineData("EvictionByEvictionAPI", "Eviction API: evicting")]
    [InlineData("PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod")]
    [InlineData("DeletionByPodGC", "PodGC: node no longer exists")]
    public void A_pod_that_is_taken_away_is_the_clusters_failure(string reason, string message) =>
        Seen.Running.Condition("DisruptionTarget", "True", reason, message).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain(reason);

    [Fact]
    public void A_pod_that_is_deleted_or_of_a_lost_node_is_the_clusters_failure()
    {
        Seen.Running.Deleted().OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("removed");
        Seen.Running.Phase("Unknown").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("lost");
    }

    [Fact]
    public void What_was_collected_counts_whatever_becomes_of_the_pod_then()
    {
        Seen Done() => Seen.Running.Ended("step-1").Ended("step-2").Ended("collect").HandedIn();
        Done().Deleted().OverAs(OutcomeKind.Succeeded);
        Done().Phase("Failed", "Evicted", "The node was low on resource: memory.").OverAs(OutcomeKind.Succeeded);
    }

    [Fact]
    public void The_kubelets_own_limit_is_the_fault_of_whatever_took_the_time()
    {
        Seen.Scheduled.Claimed().Runs("fetch").Phase("Failed", "DeadlineExceeded", "Pod was active on the node longer than the specified deadline").OverAs(OutcomeKind.InfrastructureFailed);
        var late = Seen.Running.Phase("Failed", "DeadlineExceeded").OverAs(OutcomeKind.TimedOut);
        (late.Step, late.Explanation.Contains("10 min", StringComparison.Ordinal)).ShouldBe((1, true));
        Seen.Running.Ended("step-1").Ended("step-2").Runs("collect").Phase("Failed", "DeadlineExceeded").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("not stored in time");
        Seen.Running.Ended("step-1").Says("step-2", new StepEnd { Exit = 4 }).Runs("collect").Phase("Failed", "DeadlineExceeded").OverAs(OutcomeKind.Failed).ExitCode.ShouldBe(4);
    }

    [Fact]
    public void Want_of_memory_is_told_with_the_bound_however_it_is_seen()
    {
        // The kernel killed the whole container (cgroup v2, since 1.28), or a part of it and the supervisor lived on to tell.
        var killed = Seen.Running.Terminated("step-1", 137, "OOMKilled").Phase("Failed").OverAs(OutcomeKind.OutOfMemory);
        (killed.Step, killed.Explanation.Contains("1 GiB", StringComparison.Ordinal)).ShouldBe((1, true));
        Seen.Running.Says("step-1", new StepEnd { Exit = 137, RanOutOfMemory = true }).Says("step-2", new StepEnd { Skipped = true }).Ended("collect").HandedIn().OverAs(OutcomeKind.OutOfMemory).ExitCode.ShouldBe(137);
        // Who got on without what was killed needed it not.
        Seen.Running.Says("step-1", new StepEnd { Exit = 0, RanOutOfMemory = true }).Ended("step-2").Ended("collect").HandedIn().OverAs(OutcomeKind.Succeeded);
    }

    [Fact]
    public void A_kubelet_that_stops_a_pod_because_a_part_of_a_step_was_killed_is_understood()
    {
        // kubernetes#116676: the container exits with 0, is marked as killed, and nothing after it is started.
        Seen Stuck() => Seen.Running.Terminated("step-1", 0, "OOMKilled", """{"exit":0}""");
        Stuck().Phase("Failed").OverAs(OutcomeKind.OutOfMemory).Step.ShouldBe(1);
        Stuck().State("step-2", null).State("collect", null).After(TimeSpan.FromMinutes(3.1)).OverAs(OutcomeKind.OutOfMemory);
        // Kubernetes 1.35 says of the others for ever that they are about to be made.
        Seen Promised() => Stuck().Waits("step-2", "PodInitializing").Waits("collect", "PodInitializing");
        Promised().After(10).Read().ShouldBeOfType<Reading.Going>();
        Promised().After(20).OverAs(OutcomeKind.OutOfMemory).Step.ShouldBe(1);
        // Older ones go on.
        Promised().Runs("step-2", at: 3).After(20).Read().ShouldBeOfType<Reading.Going>();
    }

    [Fact]
    public void A_supervisor_that_was_killed_is_the_clusters_failure()
    {
        var over = Seen.Running.Terminated("step-1", 137, "Error").Phase("Failed").OverAs(OutcomeKind.InfrastructureFailed);
        over.Step.ShouldBe(1);
        over.Explanation.ShouldContain("137");
        Seen.Running.Lost("step-1", 137, "ContainerStatusUnknown", "The container could not be located when the pod was terminated").Phase("Failed").OverAs(OutcomeKind.InfrastructureFailed);
    }

    [Fact]
    public void An_image_that_cannot_be_started_is_the_configurations_fault()
    {
        Seen.Running.Terminated("step-1", 128, "StartError", "failed to create containerd task: exec: \"/bin/sh\": exec format error").OverAs(OutcomeKind.Misconfigured).Explanation.ShouldContain("another architecture");
        Seen.Running.Terminated("step-1", 127, "ContainerCannotRun", "OCI runtime create failed").OverAs(OutcomeKind.Misconfigured);
        Seen.Running.Says("step-1", new StepEnd { Trouble = "The image has no /bin/sh." }).Says("step-2", new StepEnd { Skipped = true }).Ended("collect").HandedIn().OverAs(OutcomeKind.Misconfigured).Explanation.ShouldBe("The image has no /bin/sh.");
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("nonsense")]
    [InlineData("{\"exit\":\"zero\"}")]
    [InlineData("{\"exit\":99999999999}")]
    [InlineData("{\"trouble\":\"\\ud800\"}")]
    [InlineData("{\"exit\":0,\"logDigest\":")]
    [InlineData("\ud800")]
    [InlineData("{\"exit\":1,\"exit\":null}")]
    public void A_missing_or_forged_word_of_a_supervisor_is_no_success(string? message) =>
        Seen.Running.Terminated("step-1", 0, "Completed", message).Ended("step-2").Ended("collect").HandedIn().OverAs(OutcomeKind.Failed).Step.ShouldBe(1);

    [Fact]
    public void A_message_as_deep_as_it_may_be_long_harms_nobody() =>
        Seen.Running.Terminated("step-1", 0, "Completed", "{\"a\":" + new string('[', 4000)).Ended("step-2").Ended("collect").HandedIn().OverAs(OutcomeKind.Failed);

    [Fact]
    public void What_a_step_says_is_told_as_one_clean_and_short_line()
    {
        var over = Seen.Running.Says("step-1", new StepEnd { Trouble = "\u001b[31mred\n\nline\u0000" + new string('x', 4000) }).Ended("step-2").Ended("collect").HandedIn().Over();
        over.Explanation.ShouldStartWith("red");
        over.Explanation.Any(char.IsControl).ShouldBeFalse();
        over.Explanation.Length.ShouldBeLessThanOrEqualTo(PodRules.MaxMessage + 1);
    }

    [Fact]
    public void A_step_that_was_skipped_although_none_failed_is_no_success() =>
        Seen.Running.Ended("step-1").Says("step-2", new StepEnd { Skipped = true }).Ended("collect").HandedIn().OverAs(OutcomeKind.Failed).Step.ShouldBe(2);

    [Fact]
    public void A_step_of_which_its_node_knows_nothing_is_neither_a_success_nor_a_failure() =>
        Seen.Running.Lost("step-1", 0, "Completed", "Unable to get init container status from container runtime and pod has been initialized, treat it as exited normally")
            .Ended("step-2").Ended("collect").HandedIn().OverAs(OutcomeKind.InfrastructureFailed);

    [Fact]
    public void Too_large_a_file_and_too_many_processes_are_told_with_the_bound()
    {
        Seen.Running.Says("step-1", new StepEnd { Exit = 153 }).Ended("collect").HandedIn().Says("step-2", new StepEnd { Skipped = true }).OverAs(OutcomeKind.DiskFull).Explanation.ShouldContain("2 GiB");
        Seen.Running.Says("step-1", new StepEnd { Exit = 2, WantedMoreProcesses = true }).Says("step-2", new StepEnd { Skipped = true }).Ended("collect").HandedIn().OverAs(OutcomeKind.Failed).Explanation.ShouldContain("processes");
    }

    [Fact]
    public void A_collector_that_failed_is_the_clusters_failure_after_a_success_and_a_remark_after_a_failure()
    {
        const string said = """{"message":"The store is full."}""";
        Seen.Running.Ended("step-1").Ended("step-2").Terminated("collect", 1, "Error", said).Phase("Failed").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("The store is full");
        var failed = Seen.Running.Ended("step-1").Says("step-2", new StepEnd { Exit = 5 }).Terminated("collect", 1, "Error", said).Phase("Failed").OverAs(OutcomeKind.Failed);
        failed.ExitCode.ShouldBe(5);
        failed.Explanation.ShouldContain("could not be kept");
        failed.IsCollected.ShouldBeFalse();
        Seen.Running.Ended("step-1").Ended("step-2").Ended("collect").Phase("Succeeded").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("no list of files");
    }

    [Fact]
    public void The_services_own_limit_lets_a_lost_node_be_found_lost_first()
    {
        var limit = TimeSpan.FromSeconds(2) + TimeSpan.FromMinutes(10) + TimeSpan.FromSeconds(10 + 30) + TimeSpan.FromMinutes(3);
        Seen.Running.After(limit - TimeSpan.FromSeconds(1)).Goes();
        Seen.Running.After(limit).OverAs(OutcomeKind.TimedOut).Step.ShouldBe(1);
        Seen.Running.After(limit).Deleted().OverAs(OutcomeKind.InfrastructureFailed);
    }

    [Fact]
    public void A_node_that_falls_silent_between_two_containers_is_given_up()
    {
        Seen Silent() => Seen.Running.Ended("step-1").State("step-2", null).State("collect", null);
        Silent().After(120).Goes();
        Silent().After(182).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("nothing more");
    }

    [Fact]
    public void A_collector_that_never_ends_is_the_clusters_failure() =>
        Seen.Running.Ended("step-1").Ended("step-2").Runs("collect").After(TimeSpan.FromMinutes(31)).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("collect");

    [Theory]
    [InlineData(-7200)]
    [InlineData(7200)]
    public void A_nodes_clock_that_is_wrong_by_hours_ends_nothing_that_was_seen_to_move(double skew)
    {
        var moved = TimeSpan.FromHours(3);
        Seen.Scheduled.Claimed().Runs("fetch", moved.TotalSeconds + skew).Moved(moved).After(moved + TimeSpan.FromMinutes(1)).Goes();
        Seen.Scheduled.Claimed().Runs("fetch", moved.TotalSeconds + skew).Moved(moved).After(moved + TimeSpan.FromMinutes(15)).OverAs(OutcomeKind.InfrastructureFailed);
        Seen.Scheduled.Claimed().Ended("fetch", moved.TotalSeconds + skew).Waits("step-1", "ErrImagePull", "i/o timeout").Moved(moved).After(moved + TimeSpan.FromMinutes(1)).Waits();
    }

    [Fact]
    public void Waiting_for_one_reason_and_another_in_turn_is_no_progress()
    {
        int Progress(Seen seen) => PodRules.Progress(seen.View);
        Progress(Seen.Scheduled.Waits("fetch", "ErrImagePull")).ShouldBe(Progress(Seen.Scheduled.Waits("fetch", "ImagePullBackOff")));
        int[] steps = [Progress(Seen.Nothing), Progress(Seen.Nothing.WithPod()), Progress(Seen.Scheduled), Progress(Seen.Scheduled.Runs("fetch")), Progress(Seen.Scheduled.Ended("fetch")), Progress(Seen.Running)];
        steps.ShouldBe(steps.Distinct().Order());
    }

    [Fact]
    public void Why_it_was_ended_is_said_again_by_whoever_takes_over()
    {
        foreach (var over in new Reading.Over[]
        {
            PodRules.Stopped, new(OutcomeKind.Misconfigured, "There is no image."), new(OutcomeKind.OutOfMemory, "Too much.") { Step = 2, ExitCode = 137 }, new(OutcomeKind.TimedOut, "Too long.") { Step = 1 },
        })
        {
            Seen.Running.Marked(Marks.Ended, Endings.Write(over)).Deleted().Over().ShouldBe(over);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("Stopped")]
    [InlineData("null")]
    [InlineData("""{"kind":"Nonsense"}""")]
    [InlineData("""{"kind":77}""")]
    public void A_mark_of_an_end_that_cannot_be_read_is_a_failure_of_ours(string mark) => Seen.Running.Marked(Marks.Ended, mark).OverAs(OutcomeKind.InfrastructureFailed);
}
