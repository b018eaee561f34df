using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>What is seen of a service, and what it means.</summary>
public sealed class ServicePlanTests
{
    private static readonly DateTimeOffset Begun = Seen.Start;
    private static readonly StageService Db = new() { Name = "db", Image = "mariadb:11", ReadyPort = 3306 };

    [Fact]
    public void A_service_is_ready_when_the_cluster_says_so_and_where()
    {
        Read(PodOf(Running(ready: true), ip: "10.0.0.7")).Address.ShouldBe("10.0.0.7");
        Read(PodOf(Running(ready: true), ip: "")).Address.ShouldBeNull("it has no address yet");
        Read(PodOf(Running(ready: false), ip: "10.0.0.7")).Waits.ShouldBe("db is not ready yet");
    }

    [Fact]
    public void A_service_whose_program_runs_and_is_never_ready_is_the_configurations_fault()
    {
        var reading = Read(PodOf(Running(ready: false)), after: 300, warning: "Readiness probe failed: dial tcp 10.0.0.7:3306: connect: connection refused");
        reading.IsOurs.ShouldBeFalse();
        reading.Fault.ShouldBe("The service db: It was not ready within 5 min. Check its `ready:`. Readiness probe failed: dial tcp 10.0.0.7:3306: connect: connection refused");
    }

    [Theory]
    [InlineData("ContainerCreating", null)]
    [InlineData("ErrImagePull", "dial tcp 10.0.0.1:443: connect: connection refused")]
    [InlineData("ImagePullBackOff", "Back-off pulling image \"mariadb:11\"")]
    public void A_service_that_cannot_be_started_is_the_clusters_failure(string reason, string? message)
    {
        Read(PodOf(Seen.Waiting(reason, message)), after: 299).Fault.ShouldBeNull();
        var late = Read(PodOf(Seen.Waiting(reason, message)), after: 300);
        (late.IsOurs, late.Fault!.StartsWith("The service db: It could not be started within 5 min", StringComparison.Ordinal)).ShouldBe((true, true), late.Fault);
    }

    [Fact]
    public void A_service_that_has_no_worker_says_so_and_is_the_clusters_failure()
    {
        var pod = PodOf(null);
        pod.Status.Conditions = [new V1PodCondition { Type = "PodScheduled", Status = "False", Message = "0/1 nodes are available: 1 Insufficient cpu." }];
        Read(pod, after: 20).Waits.ShouldBe("db has no worker yet. 0/1 nodes are available: 1 Insufficient cpu");
        Read(pod, after: 301).IsOurs.ShouldBeTrue();
    }

    [Theory]
    [InlineData("ErrImagePull", "pull access denied", "", "pull access denied")]
    [InlineData("ImagePullBackOff", "Back-off pulling image \"mariadb:11\"", "Failed to pull image \"mariadb:11\": manifest unknown", "manifest unknown")]
    [InlineData("InvalidImageName", "couldn't parse", "", "cannot be an image")]
    [InlineData("CreateContainerConfigError", "container has runAsNonRoot and image will run as root", "", "`user:`")]
    public void A_service_that_never_can_be_is_the_configurations_fault_at_once(string reason, string message, string warning, string expected)
    {
        var reading = Read(PodOf(Seen.Waiting(reason, message)), warning: warning);
        reading.IsOurs.ShouldBeFalse();
        reading.Fault.ShouldNotBeNull().ShouldContain(expected);
    }

    [Theory]
    [InlineData(1, "Error", false, "status 1")]
    [InlineData(0, "Completed", false, "status 0")]
    [InlineData(137, "OOMKilled", false, "memory")]
    [InlineData(128, "StartError", false, "cannot run here")]
    [InlineData(137, "ContainerStatusUnknown", true, "lost")]
    public void A_service_that_ended_says_how_before_the_stage_and_while_it_ran(int exit, string reason, bool isOurs, string expected)
    {
        var pod = PodOf(new V1ContainerState { Terminated = new V1ContainerStateTerminated { ExitCode = exit, Reason = reason } });
        var reading = Read(pod);
        reading.IsOurs.ShouldBe(isOurs);
        reading.Fault.ShouldNotBeNull().ShouldContain(expected);
        Plan().EarlyEnd(pod).ShouldNotBeNull().ShouldContain(expected);
        Plan().EarlyEnd(PodOf(Running(ready: true))).ShouldBeNull();
        Plan().EarlyEnd(null).ShouldNotBeNull().ShouldContain("gone");
    }

    [Fact]
    public void A_service_whose_pod_came_to_grief_is_the_clusters_failure_unless_it_wrote_too_much()
    {
        V1Pod Evicted(string message)
        {
            var pod = PodOf(null);
            (pod.Status.Phase, pod.Status.Reason, pod.Status.Message) = ("Failed", "Evicted", message);
            return pod;
        }

        Read(Evicted("The node was low on resource: memory.")).IsOurs.ShouldBeTrue();
        Read(Evicted("Pod ephemeral local storage usage exceeds the total limit of containers 4Gi.")).IsOurs.ShouldBeFalse();
        var deleted = PodOf(Running(ready: true), ip: "10.0.0.7");
        deleted.Metadata.DeletionTimestamp = Begun.UtcDateTime;
        Read(deleted).IsOurs.ShouldBeTrue("it will be gone when the first step begins");
        Read(null, wasThere: true).Fault.ShouldNotBeNull().ShouldContain("gone");
        Read(null).Waits.ShouldNotBeNull();
        Read(null, after: 300).IsOurs.ShouldBeTrue();
    }

    private static ServicePlan Plan() => new(
        Some.Options, "r1-commit-a1", Db);

    private static ServiceReading Read(V1Pod? pod, double after = 1, string warning = "", bool wasThere = false) =>
        Plan().Read(new ServiceView(pod, wasThere, warning), Begun, Begun.AddSeconds(after));

    private static (V1ContainerState State, bool Ready) Running(bool ready) => (new V1ContainerState { Running = new V1ContainerStateRunning { StartedAt = Begun.UtcDateTime } }, ready);

    private static V1Pod PodOf(V1ContainerState? state) => PodOf((state ?? new V1ContainerState(), false));

    private static V1Pod PodOf((V1ContainerState State, bool Ready) container, string? ip = null) => new()
    {
        Metadata = new V1ObjectMeta { Name = "r1-commit-a1-s-db" },
        Status = new V1PodStatus
        {
            Phase = "Pending",
            PodIP = ip,
            Conditions = [new V1PodCondition { Type = "PodScheduled", Status = "True" }],
            ContainerStatuses = [new V1ContainerStatus { Name = "service", Ready = container.Ready, State = container.State }],
        },
    };
}
