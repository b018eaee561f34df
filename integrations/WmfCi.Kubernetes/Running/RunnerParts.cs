using k8s.Models;
using WmfCi.Kubernetes.Admission;
using WmfCi.Kubernetes.Exchange;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Running;

/// <summary>What all attempts of a runner share.</summary>
internal sealed record RunnerParts
{
    public required KubernetesRunnerOptions Options { get; init; }

    public required Cluster Cluster { get; init; }

    public required IArtifactStore Store { get; init; }

    public required JobRecords Records { get; init; }

    public required Desk Desk { get; init; }

    public required Gatekeeper Gate { get; init; }

    /// <summary>All Jobs of the site.</summary>
    public required Reflector<V1Job> Jobs { get; init; }

    /// <summary>All pods of the site: one watch, however many stages run.</summary>
    public required Reflector<V1Pod> Pods { get; init; }

    public TimeProvider Time => Cluster.Time;

    /// <summary>The pods of an attempt, those of its stage or of its services.</summary>
    public List<V1Pod> PodsOf(string name, string role) =>
        Pods.Items.Where(pod => pod.GetLabel(Marks.Attempt) == name && pod.GetLabel(Marks.Role) == role).ToList();
}
