using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>What holds for whatever a cluster may say, however little sense it makes.</summary>
public sealed class PodRulesProperties
{
    private const int Views = 20_000;
    private static readonly string?[] Reasons = [null, "", "OOMKilled", "Completed", "Error", "StartError", "ContainerStatusUnknown", "Evicted", "DeadlineExceeded", "NodeLost", "Preempting", "OutOfcpu", "x"];
    private static readonly string?[] Waitings = [null, "", "PodInitializing", "ContainerCreating", "ErrImagePull", "ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "CrashLoopBackOff"];
    private static readonly string?[] Messages = [null, "", "{}", """{"exit":0}""", """{"exit":1}""", """{"skipped":true}""", """{"message":"no"}""", "not found", "exceeds the limit", "\ud800", "Back-off pulling", "MountVolume.SetUp failed secret not found"];
    private static readonly string?[] Phases = [null, "Pending", "Running", "Succeeded", "Failed", "Unknown", "Other"];

    [Fact]
    public void Whatever_is_seen_is_read_and_is_looked_at_again_later_and_an_end_stays_an_end()
    {
        var random = new Random(20260301);
        var ends = new HashSet<OutcomeKind>();
        for (var i = 0; i < Views; i++)
        {
            var view = Any(random);
            var reading = PodRules.Read(view, Seen.Stage);
            switch (reading)
            {
                case Reading.Going going:
                    going.LookAt.ShouldBeGreaterThan(view.Now);
                    break;
                case Reading.Waiting waiting:
                    waiting.LookAt.ShouldBeGreaterThan(view.Now);
                    waiting.Reason.ShouldNotBeNullOrWhiteSpace();
                    waiting.Reason.Any(char.IsControl).ShouldBeFalse();
                    break;
                case Reading.Over over:
                    ends.Add(over.Kind);
                    if (over.Kind != OutcomeKind.Succeeded) over.Explanation.ShouldNotBeNullOrWhiteSpace();
                    over.Explanation.Any(char.IsControl).ShouldBeFalse();
                    PodRules.Read(view, Seen.Stage).ShouldBe(over);
                    PodRules.Read(view with { Now = view.Now.AddMinutes(random.Next(1, 5000)) }, Seen.Stage).ShouldBe(over, "later it is the same end");
                    break;
            }
        }
        ends.Count.ShouldBeGreaterThanOrEqualTo(7, "the views are of all kinds");
    }

    [Fact]
    public void Whoever_looks_again_when_told_comes_to_an_end()
    {
        var random = new Random(7);
        for (var i = 0; i < 2000; i++)
        {
            // Nothing changes any more, as on a cluster whose nodes are gone.
            var view = Any(random);
            for (var looks = 0; PodRules.Read(view, Seen.Stage) is not Reading.Over; looks++)
            {
                looks.ShouldBeLessThan(3000, "it is waited for for ever");
                view = view with { Now = PodRules.Read(view, Seen.Stage) switch { Reading.Going going => going.LookAt, Reading.Waiting waiting => waiting.LookAt, _ => throw new InvalidOperationException() } };
            }
        }
    }

    private static AttemptView Any(Random random)
    {
        T Of<T>(IReadOnlyList<T> from) => from[random.Next(from.Count)];
        bool Often(double chance = 0.5) => random.NextDouble() < chance;
        DateTime? Time() => Often(0.1) ? null : Seen.Start.AddSeconds(random.Next(-4000, 8000)).UtcDateTime;
        V1ContainerState? State() => random.Next(5) switch
        {
            0 => null,
            1 => new V1ContainerState(),
            2 => new V1ContainerState { Running = new V1ContainerStateRunning { StartedAt = Time() } },
            3 => Seen.Waiting(Of(Waitings)!, Of(Messages)),
            _ => new V1ContainerState { Terminated = new V1ContainerStateTerminated { ExitCode = Of([0, 0, 0, 1, 137, -1]), Reason = Of(Reasons), Message = Of(Messages), StartedAt = Time(), FinishedAt = Time() } },
        };
        List<V1ContainerStatus>? Statuses(params string[] names) => Often(0.1) ? null : [.. names.Where(_ => Often(0.9)).Select(name => new V1ContainerStatus { Name = name, State = State() })];
        V1Pod Pod(string uid) => new()
        {
            Metadata = new V1ObjectMeta { Name = uid, Uid = uid, CreationTimestamp = Time(), DeletionTimestamp = Often(0.1) ? Time() : null },
            Status = Often(0.05) ? null : new V1PodStatus
            {
                Phase = Of(Phases),
                Reason = Often(0.7) ? null : Of(Reasons),
                Message = Of(Messages),
                InitContainerStatuses = Statuses("fetch", "step-1", "step-2"),
                ContainerStatuses = Statuses("collect"),
                Conditions = Often(0.2) ? null : [new V1PodCondition { Type = Of(["PodScheduled", "PodScheduled", "PodScheduled", "Ready", "DisruptionTarget"]), Status = Of(["True", "True", "False", "Unknown"]), Reason = Of(Reasons), Message = Of(Messages), LastTransitionTime = Time() }],
            },
        };
        var annotations = new Dictionary<string, string>(StringComparer.Ordinal);
        if (Often()) annotations[Marks.Pod] = Of(["a", "b"]);
        if (Often(0.3)) annotations[Marks.Manifest] = "x";
        if (Often(0.03)) annotations[Marks.Ended] = Of(["", Endings.Write(PodRules.Stopped), "{\"kind\":\"Failed\",\"explanation\":\"It failed.\"}"]);
        return new AttemptView
        {
            Job = Often(0.02) ? null : new V1Job { Metadata = new V1ObjectMeta { Name = "job", CreationTimestamp = Time(), Annotations = Often(0.05) ? null : annotations } },
            Pods = random.Next(10) switch { 0 => [], 1 => [Pod("a"), Pod("b")], _ => [Pod("a")] },
            Warning = Of(Messages) ?? "",
            BeganAt = Often() ? new DateTimeOffset(Time() ?? Seen.Start.UtcDateTime) : null,
            MovedAt = Often() ? new DateTimeOffset(Time() ?? Seen.Start.UtcDateTime) : null,
            Now = Seen.Start.AddSeconds(random.Next(0, 4000)),
        };
    }
}
