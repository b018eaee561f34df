using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Workspaces;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>
/// The services of an attempt in the cluster: pods of their own, so that nothing of them is in the stage's pod, and a stage's end does not wait for programs that never end. Pure.
/// </summary>
internal sealed class ServicePlan(KubernetesRunnerOptions options, string attempt, StageService service)
{
    private const string Container = "service";

    /// <summary>The container's name.</summary>
    public static string ContainerName => Container;

    /// <summary>The pod's name.</summary>
    public string Name { get; } = $"{attempt}-s-{service.Name}";

    /// <summary>The pod.</summary>
    /// <param name="attemptId">The attempt as people know it.</param>
    /// <param name="owner">What it goes with.</param>
    public V1Pod Pod(string attemptId, V1OwnerReference owner) => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = Name,
            NamespaceProperty = options.Namespace,
            OwnerReferences = [owner],
            Labels = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [Marks.ManagedBy] = Marks.Us,
                [Marks.Site] = options.Site,
                [Marks.Attempt] = attempt,
                [Marks.Role] = Marks.ServiceRole,
                [Marks.Service] = service.Name,
                [Marks.Network] = Marks.Closed,
                ["sidecar.istio.io/inject"] = "false",
            },
            Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [Marks.AttemptId] = attemptId, ["sidecar.istio.io/inject"] = "false", ["linkerd.io/inject"] = "disabled" },
        },
        Spec = new V1PodSpec
        {
            RestartPolicy = "Never",
            AutomountServiceAccountToken = false,
            EnableServiceLinks = false,
            TerminationGracePeriodSeconds = 1,
            ImagePullSecrets = options.PullSecret is { } secret ? [new V1LocalObjectReference { Name = secret }] : null,
            SecurityContext = new V1PodSecurityContext
            {
                RunAsNonRoot = true,
                RunAsUser = service.User,
                RunAsGroup = service.User,
                FsGroup = service.User,
                SeccompProfile = new V1SeccompProfile { Type = "RuntimeDefault" },
            },
            Containers = [Serving()],
        },
    };

    /// <summary>Lets the pods of one attempt talk to one another, and to nobody else.</summary>
    public static V1NetworkPolicy Policy(KubernetesRunnerOptions options, string attempt, V1OwnerReference owner)
    {
        List<V1NetworkPolicyPeer> own = [new V1NetworkPolicyPeer { PodSelector = new V1LabelSelector { MatchLabels = new Dictionary<string, string>(StringComparer.Ordinal) { [Marks.Attempt] = attempt } } }];
        return new V1NetworkPolicy
        {
            Metadata = new V1ObjectMeta
            {
                Name = attempt,
                NamespaceProperty = options.Namespace,
                OwnerReferences = [owner],
                Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [Marks.ManagedBy] = Marks.Us, [Marks.Site] = options.Site, [Marks.Attempt] = attempt },
            },
            Spec = new V1NetworkPolicySpec
            {
                PodSelector = own[0].PodSelector,
                PolicyTypes = ["Ingress", "Egress"],
                Ingress = [new V1NetworkPolicyIngressRule { FromProperty = own }],
                Egress = [new V1NetworkPolicyEgressRule { To = own }],
            },
        };
    }

    /// <summary>Where a service stands.</summary>
    /// <returns>Its address when it is ready; else a fault when it never will be; else neither.</returns>
    public (string? Address, string? Fault) Read(V1Pod? pod, DateTimeOffset begun, DateTimeOffset now)
    {
        var status = pod?.Status?.ContainerStatuses?.FirstOrDefault();
        if (status is { Ready: true } && pod!.Status.PodIP is { Length: > 0 } address) return (address, null);
        if (status?.State?.Terminated is { } ended) return (null, $"The service {service.Name} ended with status {ended.ExitCode} before it was ready; its log says why.");
        if (status?.State?.Waiting is { } waiting)
        {
            var said = Core.PlainText.Line(waiting.Message ?? "", PodRules.MaxMessage);
            if (waiting.Reason is "InvalidImageName") return (null, $"The service {service.Name}: “{service.Image}” cannot be an image.");
            if (waiting.Reason is "CreateContainerConfigError") return (null, $"The service {service.Name} may not run as its image wants to: {said}. Write `user:` with a number other than 0 that the image knows.");
            if (waiting.Reason is "ErrImagePull" or "ImagePullBackOff" && PodRules.IsWrongImage(said)) return (null, $"The service {service.Name}: there is no image {service.Image} that the workers may fetch: {said}.");
        }
        return now - begun > options.Services.ReadyWithin ? (null, $"The service {service.Name} was not ready within {Amounts.Duration(options.Services.ReadyWithin)}.{(service.ReadyCommand is null && service.ReadyPort is null ? "" : " Check its `ready:`.")}") : (null, null);
    }

    private V1Container Serving() => new()
    {
        Name = Container,
        Image = service.Image,
        ImagePullPolicy = "IfNotPresent",
        Env = [.. service.Environment.Select(variable => new V1EnvVar { Name = variable.Name, Value = variable.Value.Replace("$(", "$$(", StringComparison.Ordinal) })],
        ReadinessProbe = Probe(),
        Resources = new V1ResourceRequirements
        {
            Requests = JobPlan.Quantities(options.Services.CpuMillis, options.Services.MemoryBytes, options.Services.DiskBytes),
            Limits = JobPlan.Quantities(cpuMillis: null, options.Services.MemoryBytes, options.Services.DiskBytes),
        },
        SecurityContext = JobPlan.Restricted(isReadOnly: false),
    };

    private V1Probe? Probe() => service switch
    {
        { ReadyPort: { } port } => new V1Probe { TcpSocket = new V1TCPSocketAction { Port = port }, PeriodSeconds = 1, TimeoutSeconds = 1, FailureThreshold = 3 },
        { ReadyCommand: { } command } => new V1Probe { Exec = new V1ExecAction { Command = ["/bin/sh", "-c", command] }, PeriodSeconds = 1, TimeoutSeconds = 5, FailureThreshold = 3 },
        _ => null,
    };
}
