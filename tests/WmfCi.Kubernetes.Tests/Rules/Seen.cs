using System.Text.Json;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>Makes up what is seen of an attempt, word by word.</summary>
internal sealed class Seen
{
    public const string Image = "registry.example/tests:1", OwnImage = "registry.example/wmfci-pod:1", Claimer = "uid-of-the-claimer";

    /// <summary>When the Job was made.</summary>
    public static readonly DateTimeOffset Start = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly List<V1Pod> _others = [];
    private V1Job? _job = new() { Metadata = new V1ObjectMeta { Name = "r1-commit-a1", Uid = "job", CreationTimestamp = Start.UtcDateTime, Annotations = new Dictionary<string, string>(StringComparer.Ordinal) } };
    private V1Pod? _pod;
    private string _warning = "";
    private TimeSpan _after = TimeSpan.FromSeconds(1);
    private DateTimeOffset? _began, _moved;

    public static StageLimits Stage { get; } = new(2, Image, OwnImage, TimeSpan.FromMinutes(10), TimeSpan.FromSeconds(10), Some.Worker with { Name = "small", MemoryBytes = 1L << 30, DiskBytes = 2L << 30 }, new Allowances());

    public AttemptView View => new() { Job = _job, Pods = _pod is null ? _others : [_pod, .. _others], Warning = _warning, Now = Start + _after, BeganAt = _began, MovedAt = _moved };

    public static Seen Nothing => new();

    /// <summary>A pod that a node took, with nothing in it yet.</summary>
    public static Seen Scheduled => Nothing.WithPod().On("testbed");

    /// <summary>A pod whose first step runs.</summary>
    public static Seen Running => Scheduled.Claimed().Ended("fetch").Runs("step-1").Began(TimeSpan.FromSeconds(2));

    public Reading Read() => PodRules.Read(View, Stage);

    public Reading.Over Over() => Read().ShouldBeOfType<Reading.Over>();

    public Reading.Over OverAs(OutcomeKind kind)
    {
        var over = Over();
        over.Kind.ShouldBe(kind, over.Explanation);
        return over;
    }

    public string Waits() => Read().ShouldBeOfType<Reading.Waiting>().Reason;

    public void Goes() => Read().ShouldBeOfType<Reading.Going>();

    public Seen After(TimeSpan after) => Do(() => _after = after);

    public Seen After(double seconds) => After(TimeSpan.FromSeconds(seconds));

    public Seen WithoutJob() => Do(() => _job = null);

    public Seen Warned(string warning) => Do(() => _warning = warning);

    public Seen Began(TimeSpan after) => Do(() => _began = Start + after);

    public Seen Moved(TimeSpan after) => Do(() => _moved = Start + after);

    public Seen Marked(string mark, string value) => Do(() => _job!.Metadata.Annotations[mark] = value);

    public Seen Claimed(string uid = Claimer) => Marked(Marks.Pod, uid);

    public Seen HandedIn() => Marked(Marks.Manifest, new string('a', 64));

    public Seen JobFailed(string reason, string message) =>
        Do(() => _job!.Status = new V1JobStatus { Conditions = [new V1JobCondition { Type = "Failed", Status = "True", Reason = reason, Message = message }] });

    public Seen WithPod() => Do(() => _pod = PodOf(Claimer, Start));

    public Seen WithAnotherPod(Action<V1Pod> also, double createdAfter = 5)
    {
        var pod = PodOf("uid-of-another", Start.AddSeconds(createdAfter));
        also(pod);
        return Do(() => _others.Add(pod));
    }

    public Seen Unschedulable(string message) => Condition("PodScheduled", "False", "Unschedulable", message);

    public Seen On(string node) => Condition("PodScheduled", "True", null, null).WithPodDo(pod =>
    {
        pod.Spec = new V1PodSpec { NodeName = node, Containers = [] };
        foreach (var name in new[] { "fetch", "step-1", "step-2" }) Put(pod.Status.InitContainerStatuses, name).State = Waiting("PodInitializing", null);
        Put(pod.Status.ContainerStatuses, "collect").State = Waiting("PodInitializing", null);
    });

    public Seen Condition(string type, string status, string? reason, string? message, DateTimeOffset? at = null) =>
        WithPodDo(pod => pod.Status.Conditions.Add(new V1PodCondition { Type = type, Status = status, Reason = reason, Message = message, LastTransitionTime = (at ?? Start).UtcDateTime }));

    public Seen Phase(string phase, string? reason = null, string? message = null) =>
        WithPodDo(pod => (pod.Status.Phase, pod.Status.Reason, pod.Status.Message) = (phase, reason, message));

    public Seen Deleted() => WithPodDo(pod => pod.Metadata.DeletionTimestamp = Start.AddSeconds(30).UtcDateTime);

    public Seen Waits(string container, string reason, string? message = null) => State(container, Waiting(reason, message));

    public Seen Runs(string container, double at = 1) => State(container, new V1ContainerState { Running = new V1ContainerStateRunning { StartedAt = Start.AddSeconds(at).UtcDateTime } });

    /// <summary>A container that ended with 0: a step with a word of its supervisor, as always.</summary>
    public Seen Ended(string container, double at = 1) => container.StartsWith("step-", StringComparison.Ordinal) ? Says(container, new StepEnd { Exit = 0 }, at) : Terminated(container, 0, "Completed", null, at);

    public Seen Says(string container, StepEnd end, double at = 1) => Terminated(container, 0, "Completed", JsonSerializer.Serialize(end, WireJson.Default.StepEnd), at);

    public Seen Terminated(string container, int exit, string? reason, string? message = null, double at = 1) => State(container, new V1ContainerState
    {
        Terminated = new V1ContainerStateTerminated { ExitCode = exit, Reason = reason, Message = message, StartedAt = Start.AddSeconds(at).UtcDateTime, FinishedAt = Start.AddSeconds(at).UtcDateTime },
    });

    /// <summary>A container of which its node knows nothing.</summary>
    public Seen Lost(string container, int exit, string reason, string message) =>
        State(container, new V1ContainerState { Terminated = new V1ContainerStateTerminated { ExitCode = exit, Reason = reason, Message = message } });

    public Seen State(string container, V1ContainerState? state) =>
        WithPodDo(pod => Put(container == "collect" ? pod.Status.ContainerStatuses : pod.Status.InitContainerStatuses, container).State = state);

    public static V1ContainerState Waiting(string reason, string? message) => new() { Waiting = new V1ContainerStateWaiting { Reason = reason, Message = message } };

    private static V1Pod PodOf(string uid, DateTimeOffset created) => new()
    {
        Metadata = new V1ObjectMeta { Name = "pod-" + uid, Uid = uid, CreationTimestamp = created.UtcDateTime },
        Status = new V1PodStatus { Phase = "Pending", Conditions = [], InitContainerStatuses = [], ContainerStatuses = [] },
    };

    private static V1ContainerStatus Put(IList<V1ContainerStatus> statuses, string name)
    {
        if (statuses.FirstOrDefault(status => status.Name == name) is { } there) return there;
        var status = new V1ContainerStatus { Name = name };
        statuses.Add(status);
        return status;
    }

    private Seen WithPodDo(Action<V1Pod> also) => Do(() => also(_pod!));

    private Seen Do(Action also)
    {
        also();
        return this;
    }
}
