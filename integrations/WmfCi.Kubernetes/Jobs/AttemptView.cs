using k8s.Models;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>What can be seen of an attempt in the cluster.</summary>
internal sealed record AttemptView
{
    /// <summary>Its Job; null when it is gone.</summary>
    public required V1Job? Job { get; init; }

    /// <summary>The Job's pods.</summary>
    public IReadOnlyList<V1Pod> Pods { get; init; } = [];

    /// <summary>The last warning that the cluster gave about the Job or its pod; empty without one.</summary>
    public string Warning { get; init; } = "";

    /// <summary>Now.</summary>
    public required DateTimeOffset Now { get; init; }

    /// <summary>When its first step was first seen to have begun, by the same clock; null before.</summary>
    public DateTimeOffset? BeganAt { get; init; }

    /// <summary>When its pod was last seen to move (<see cref="PodRules.Progress"/>), by the same clock; null where nobody watched.</summary>
    public DateTimeOffset? MovedAt { get; init; }

    /// <summary>
    /// The pod that counts: the one that claimed the attempt. Before any did, the oldest. The phase and conditions of a Job say nothing: Kubernetes may start a pod twice, and the second one
    /// never runs anything.
    /// </summary>
    public V1Pod? Pod => Job?.GetAnnotation(Marks.Pod) is { } claimed
        ? Pods.FirstOrDefault(pod => pod.Uid() == claimed)
        : Pods.OrderBy(pod => pod.CreationTimestamp()).ThenBy(pod => pod.Name(), StringComparer.Ordinal).FirstOrDefault();

    /// <summary>A container of the pod that counts; null while the kubelet has said nothing of it.</summary>
    public V1ContainerStatus? Container(string name) =>
        Pod?.Status?.InitContainerStatuses?.FirstOrDefault(status => status.Name == name) ?? Pod?.Status?.ContainerStatuses?.FirstOrDefault(status => status.Name == name);
}

/// <summary>What a look at an attempt says.</summary>
internal abstract record Reading
{
    private Reading()
    {
    }

    /// <summary>It has not begun, and for a reason worth telling.</summary>
    /// <param name="Reason">One sentence.</param>
    /// <param name="LookAt">When it must be looked at again though nothing changed.</param>
    public sealed record Waiting(string Reason, DateTimeOffset LookAt) : Reading;

    /// <summary>It goes its way.</summary>
    /// <param name="LookAt">When it must be looked at again though nothing changed.</param>
    public sealed record Going(DateTimeOffset LookAt) : Reading;

    /// <summary>It is over.</summary>
    public sealed record Over(OutcomeKind Kind, string Explanation) : Reading
    {
        /// <summary>The number of the step that failed.</summary>
        public int? Step { get; init; }

        /// <summary>Its exit status.</summary>
        public int? ExitCode { get; init; }

        /// <summary>Whether the trusted collector came to its end, so that there are files and complete logs.</summary>
        public bool IsCollected { get; init; }
    }
}
