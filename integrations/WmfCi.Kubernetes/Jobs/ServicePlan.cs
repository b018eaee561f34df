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
    /// <param name="seen">What is seen of it.</param>
    /// <param name="begun">Since when it is waited for.</param>
    /// <param name="now">Now.</param>
    public ServiceReading Read(ServiceView seen, DateTimeOffset begun, DateTimeOffset now)
    {
        if (seen.Pod is not { } pod) return seen.WasThere ? Ours("Its pod is gone: removed by hand, or with its node.") : now - begun < options.Services.ReadyWithin ? Waits("has no pod yet") : Ours("Its pod did not come.");
        var status = pod.Status?.ContainerStatuses?.FirstOrDefault();
        if (status?.State?.Terminated is { } ended) return Ended(ended);
        if (pod.Status?.Reason == "Evicted") return PodRules.IsOwnDisk(pod.Status.Message ?? "")
            ? Theirs($"It wrote more than the {Amounts.Size(options.Services.DiskBytes)} of disk that a service may use.") : Ours($"Its pod was evicted: {Line(pod.Status.Message)}");
        if (pod.DeletionTimestamp() is not null || pod.Status?.Phase is "Failed" or "Succeeded") return Ours($"Its pod was taken away ({Line(pod.Status?.Reason)}).");
        if (status is { Ready: true } && pod.Status?.PodIP is { Length: > 0 } address) return new ServiceReading(address);
        if (status?.State?.Waiting is { } waiting && Wrong(waiting, seen.Warning) is { } wrong) return wrong;
        if (now - begun < options.Services.ReadyWithin) return Waits(Doing(pod, status, seen.Warning));
        var within = Amounts.Duration(options.Services.ReadyWithin);
        return status?.State?.Running is not null
            ? Theirs($"It was not ready within {within}.{(service.ReadyCommand is null && service.ReadyPort is null ? "" : " Check its `ready:`.")} {Line(seen.Warning)}".TrimEnd())
            : Ours($"It could not be started within {within}: {Doing(pod, status, seen.Warning)}");
    }

    /// <summary>How a service that ought to run as long as the stage came to an end before; null where it runs.</summary>
    public string? EarlyEnd(V1Pod? pod) => pod is null ? $"The service {service.Name} is gone: its pod was removed while the stage ran."
        : pod.Status?.ContainerStatuses?.FirstOrDefault()?.State?.Terminated is { } ended ? $"While the stage ran: {Ended(ended).Fault}"
        : pod.Status?.Phase == "Failed" ? $"The service {service.Name} was ended while the stage ran: {Line(pod.Status.Message ?? pod.Status.Reason)}" : null;

    private ServiceReading Ended(V1ContainerStateTerminated ended) => ended.Reason switch
    {
        "OOMKilled" => Theirs($"It needed more than the {Amounts.Size(options.Services.MemoryBytes)} of memory that a service may use."),
        "StartError" or "ContainerCannotRun" => Theirs($"Its image cannot run here: {Line(ended.Message)}"),
        "ContainerStatusUnknown" => Ours("Its node lost it."),
        _ => Theirs($"It ended with status {ended.ExitCode}; its log says why."),
    };

    private ServiceReading? Wrong(V1ContainerStateWaiting waiting, string warning)
    {
        var said = Line(waiting.Message);
        var told = warning.Contains("pull", StringComparison.OrdinalIgnoreCase) ? Line(warning) : "";
        return waiting.Reason switch
        {
            "InvalidImageName" => Theirs($"“{Line(service.Image)}” cannot be an image."),
            "CreateContainerConfigError" => Theirs($"It may not run as its image wants to: {said}. Write `user:` with a number other than 0 that the image knows."),
            "ErrImagePull" or "ImagePullBackOff" when PodRules.IsWrongImage($"{said} {told}", service.Image) =>
                Theirs($"There is no image {Line(service.Image)} that the workers may fetch: {(said.StartsWith("Back-off", StringComparison.OrdinalIgnoreCase) && told.Length > 0 ? told : said)}."),
            _ => null,
        };
    }

    private static string Doing(V1Pod pod, V1ContainerStatus? status, string warning)
    {
        var said = status?.State?.Waiting is { Message: { Length: > 0 } message } ? message : warning;
        var scheduled = pod.Status?.Conditions?.FirstOrDefault(condition => condition.Type == "PodScheduled");
        return scheduled?.Status != "True" ? $"has no worker yet. {Line(scheduled?.Message)}".TrimEnd()
            : status?.State?.Running is not null ? "is not ready yet" : $"is being started. {Line(said)}".TrimEnd();
    }

    private static string Line(string? text) => Core.PlainText.Line(text ?? "", PodRules.MaxMessage).Trim().TrimEnd('.');

    private ServiceReading Theirs(string fault) => new(null, $"The service {service.Name}: {fault}");

    private ServiceReading Ours(string fault) => new(null, $"The service {service.Name}: {fault}", IsOurs: true);

    private ServiceReading Waits(string what) => new(null, Waits: $"{service.Name} {what}");

    private V1Container Serving() => new()
    {
        Name = Container,
        Image = service.Image,
        ImagePullPolicy = "IfNotPresent",
        Env = [.. service.Environment.Select(variable => new V1EnvVar { Name = variable.Name, Value = Literal(variable.Value) })],
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
        { ReadyCommand: { } command } => new V1Probe { Exec = new V1ExecAction { Command = ["/bin/sh", "-c", Literal(command)] }, PeriodSeconds = 1, TimeoutSeconds = 5, FailureThreshold = 3 },
        _ => null,
    };

    // The kubelet replaces $(NAME) in both, and makes one dollar of two wherever they stand.
    private static string Literal(string text) => text.Replace("$", "$$", StringComparison.Ordinal);
}

/// <summary>What is seen of a service.</summary>
/// <param name="Pod">Its pod; null where there is none.</param>
/// <param name="WasThere">Whether it had one before.</param>
/// <param name="Warning">What the cluster warned of last; empty without.</param>
internal sealed record ServiceView(V1Pod? Pod, bool WasThere, string Warning);

/// <summary>Where a service stands.</summary>
/// <param name="Address">Its address, when it is ready.</param>
/// <param name="Fault">Why it never will be.</param>
/// <param name="IsOurs">Whether that is the cluster's fault, and another attempt may succeed.</param>
/// <param name="Waits">What it waits for, else.</param>
internal sealed record ServiceReading(string? Address, string? Fault = null, bool IsOurs = false, string? Waits = null);
