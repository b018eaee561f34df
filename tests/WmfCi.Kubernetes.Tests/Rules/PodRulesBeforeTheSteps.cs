using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>What it means that an attempt does not begin.</summary>
public sealed class PodRulesBeforeTheSteps
{
    [Fact]
    public void A_job_without_a_pod_goes_its_way_for_a_moment_and_then_waits_with_the_clusters_reason()
    {
        Seen.Nothing.After(1).Goes();
        Seen.Nothing.After(11).Warned("pods \"x\" is forbidden: exceeded quota: stages").Waits().ShouldBe("Waits for the cluster to make a pod. The cluster says: pods \"x\" is forbidden: exceeded quota: stages.");
        Seen.Nothing.After(600).Warned("exceeded quota: stages").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldBe("The cluster made no pod within 10 min. The cluster says: exceeded quota: stages.");
    }

    [Fact]
    public void A_job_that_is_gone_or_failed_without_a_pod_is_the_clusters_failure()
    {
        Seen.Nothing.WithoutJob().OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("Job is gone");
        Seen.Nothing.JobFailed("BackoffLimitExceeded", "Job has reached the specified backoff limit").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("backoff limit");
    }

    [Fact]
    public void A_pod_that_vanished_after_it_claimed_its_attempt_is_the_clusters_failure_at_once() =>
        Seen.Nothing.Claimed().OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("pod is gone");

    [Fact]
    public void A_pod_that_fits_no_node_waits_as_long_as_its_worker_class_does()
    {
        const string said = "0/3 nodes are available: 3 Insufficient memory.";
        Seen.Nothing.WithPod().Unschedulable(said).After(5).Goes();
        Seen.Nothing.WithPod().Unschedulable(said).After(60).Waits().ShouldBe("Waits for a worker of the class small: 0/3 nodes are available: 3 Insufficient memory");
        Seen.Nothing.WithPod().Unschedulable(said).After(TimeSpan.FromMinutes(30)).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("within 30 min: 0/3 nodes");
    }

    [Fact]
    public void A_pod_that_no_scheduler_looks_at_is_not_looked_at_all_the_time()
    {
        var seen = Seen.Nothing.WithPod().After(300);
        seen.Read().ShouldBeOfType<Reading.Going>().LookAt.ShouldBeGreaterThan(seen.View.Now);
    }

    [Theory]
    // containerd, the first time and from then on since 1.31; docker and containerd before.
    [InlineData("ErrImagePull", "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/tests:1\": failed to resolve reference: registry.example/tests:1: not found", "")]
    [InlineData("ImagePullBackOff", "Back-off pulling image \"registry.example/tests:1\": ErrImagePull: rpc error: code = NotFound desc = not found", "")]
    [InlineData("ImagePullBackOff", "Back-off pulling image \"registry.example/tests:1\"", "Failed to pull image \"registry.example/tests:1\": rpc error: code = Unknown desc = Error response from daemon: manifest for tests:1 not found: manifest unknown")]
    [InlineData("ErrImagePull", "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed", "")]
    [InlineData("ErrImagePull", "no match for platform in manifest: not found", "")]
    public void An_image_that_is_not_there_is_the_configurations_fault_and_is_named_at_once(string reason, string message, string warning)
    {
        var over = Seen.Scheduled.Claimed().Ended("fetch").Waits("step-1", reason, message).Warned(warning).After(3).OverAs(OutcomeKind.Misconfigured);
        over.Explanation.ShouldContain(Seen.Image);
        over.Explanation.ShouldContain("The registry says");
        if (warning.Length > 0) over.Explanation.ShouldContain("manifest unknown", customMessage: "a kubelet that only backs off does not say why");
    }

    [Theory]
    [InlineData("ErrImagePull", "failed to do request: Head \"https://registry.example/v2/\": dial tcp 10.0.0.1:443: connect: connection refused", "")]
    [InlineData("ImagePullBackOff", "Back-off pulling image \"registry.example/tests:1\"", "Failed to pull image: dial tcp 10.0.0.1:443: i/o timeout")]
    [InlineData("ErrImagePull", "toomanyrequests: You have reached your pull rate limit", "")]
    [InlineData("ErrImagePull", "dial tcp: lookup registry.example: i/o timeout", "MountVolume.SetUp failed for volume \"x\": object \"y\" not found")]
    public void A_registry_that_is_away_is_waited_for_and_then_is_the_clusters_failure(string reason, string message, string warning)
    {
        Seen Pulling() => Seen.Scheduled.Claimed().Ended("fetch").Waits("step-1", reason, message).Warned(warning);
        Pulling().After(60).Waits().ShouldContain(Seen.Image);
        Pulling().After(182).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("within 3 min");
    }

    [Fact]
    public void The_name_of_an_image_says_nothing_about_its_registry()
    {
        PodRules.IsWrongImage("Back-off pulling image \"example/unauthorized-tests:1\"", "example/unauthorized-tests:1").ShouldBeFalse();
        PodRules.IsWrongImage("failed to resolve example/a:1: unauthorized", "example/a:1").ShouldBeTrue();
    }

    [Fact]
    public void Our_own_image_that_is_not_there_is_never_the_configurations_fault_of_a_repository()
    {
        Seen.Scheduled.Waits("fetch", "ErrImagePull", "not found").After(60).Waits().ShouldContain(Seen.OwnImage);
        Seen.Scheduled.Waits("fetch", "ErrImagePull", "not found").After(200).OverAs(OutcomeKind.InfrastructureFailed);
        Seen.Scheduled.Waits("fetch", "InvalidImageName", "couldn't parse image").OverAs(OutcomeKind.InfrastructureFailed);
    }

    [Fact]
    public void A_name_that_cannot_be_an_image_is_the_configurations_fault_at_once() =>
        Seen.Scheduled.Claimed().Ended("fetch").Waits("step-1", "InvalidImageName", "couldn't parse image name \"a b\": invalid reference format").OverAs(OutcomeKind.Misconfigured).Explanation.ShouldContain("cannot be an image");

    [Fact]
    public void A_container_that_cannot_be_configured_waits_and_then_is_the_clusters_failure_unless_its_image_wants_root()
    {
        Seen.Scheduled.Waits("fetch", "CreateContainerConfigError", "secret \"x\" not found").After(60).Waits().ShouldContain("secret \"x\" not found");
        Seen.Scheduled.Waits("fetch", "CreateContainerConfigError", "secret \"x\" not found").After(182).OverAs(OutcomeKind.InfrastructureFailed);
        Seen.Scheduled.Claimed().Ended("fetch").Waits("step-1", "CreateContainerConfigError", "container has runAsNonRoot and image will run as root").OverAs(OutcomeKind.Misconfigured).Explanation.ShouldContain("root");
    }

    [Fact]
    public void A_secret_that_was_removed_is_not_waited_for()
    {
        const string said = "MountVolume.SetUp failed for volume \"fetch-token\" : secret \"r1-commit-a1\" not found";
        Seen.Scheduled.Warned(said).After(5).Goes();
        Seen.Scheduled.Warned(said).After(12).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("Secret was removed");
        // Not there yet for a kubelet that did not read it so far.
        Seen.Scheduled.Warned("MountVolume.SetUp failed for volume \"fetch-token\" : failed to sync secret cache: timed out waiting for the condition").After(12).Waits().ShouldContain("timed out");
    }

    [Fact]
    public void A_node_that_makes_no_container_is_given_up_later_while_an_image_may_still_come()
    {
        Seen.Scheduled.After(60).Waits().ShouldContain("container fetch");
        Seen.Scheduled.After(TimeSpan.FromMinutes(14)).Waits();
        Seen.Scheduled.After(TimeSpan.FromMinutes(15)).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("container fetch within 15 min");
        Seen.Scheduled.Claimed().Ended("fetch").Ended("step-1").After(TimeSpan.FromMinutes(6)).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("container step-2 within 5 min");
    }

    [Fact]
    public void A_workspace_that_cannot_be_laid_out_says_whose_fault_it_is()
    {
        var refused = Seen.Scheduled.Claimed().Terminated("fetch", 1, "Error", """{"message":"The snapshot has more than a million files.","isRefused":true}""").OverAs(OutcomeKind.Misconfigured);
        refused.Explanation.ShouldBe("The snapshot has more than a million files");
        Seen.Scheduled.Claimed().Terminated("fetch", 1, "Error", """{"message":"The exchange cannot be reached."}""").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("exchange cannot be reached");
        Seen.Scheduled.Claimed().Terminated("fetch", 128, "StartError", "exec format error").OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("status 128");
    }

    [Fact]
    public void A_fetch_that_never_ends_is_the_clusters_failure()
    {
        Seen.Scheduled.Claimed().Runs("fetch").After(600).Goes();
        Seen.Scheduled.Claimed().Runs("fetch").After(TimeSpan.FromMinutes(16)).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("container fetch did not end");
    }

    [Fact]
    public void Of_two_pods_the_one_that_claimed_counts_and_before_that_the_older()
    {
        // The other one waits to be deleted, or came to grief; it never ran anything.
        var seen = Seen.Running.WithAnotherPod(pod => pod.Status.Phase = "Failed", createdAfter: -5);
        seen.View.Pod!.Metadata.Uid.ShouldBe(Seen.Claimer);
        seen.Goes();
        Seen.Scheduled.WithAnotherPod(_ => { }).View.Pod!.Metadata.Uid.ShouldBe(Seen.Claimer);
        Seen.Nothing.Claimed().WithAnotherPod(_ => { }).OverAs(OutcomeKind.InfrastructureFailed).Explanation.ShouldContain("pod is gone");
    }
}
