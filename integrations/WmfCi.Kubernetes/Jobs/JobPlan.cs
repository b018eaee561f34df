using System.Globalization;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Ports;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>What an attempt becomes in the cluster. Pure: the same attempt gives the same objects.</summary>
/// <param name="options">The site's.</param>
/// <param name="spec">The attempt.</param>
/// <param name="worker">Its class of workers.</param>
internal sealed class JobPlan(KubernetesRunnerOptions options, AttemptSpec spec, WorkerClass worker)
{
    private const string FetchName = "fetch", CollectName = "collect", FetchToken = "fetch-token", CollectToken = "collect-token";
    private const string Tools = "tools", Work = "work", Inputs = "inputs", Logs = "logs", Scratch = "scratch", Control = "control", Shared = "shm";
    private const long MiB = 1L << 20, ToolsBytes = 128 * MiB, ControlBytes = 16 * MiB, SharedBytes = 256 * MiB;

    // What lies in shared memory counts as memory of every container of the pod, and the collector must have room too.
    private const int SharedShare = 2;
    private const int TokenMode = 0b100_000_000;
    private const long FailedJobsKeptSeconds = 24 * 3600, LostNodeSeconds = 60;
    private static readonly string[] LostNode = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];

    /// <summary>The name of everything that belongs to the attempt.</summary>
    public string Name { get; } = Marks.NameOf(options.Site, spec.Id);

    /// <summary>The container of a step.</summary>
    /// <param name="number">Counted from 1.</param>
    public static string StepName(int number) => string.Create(CultureInfo.InvariantCulture, $"step-{number}");

    /// <summary>The number of a step's container; null for another container.</summary>
    public static int? StepNumber(string container) =>
        container.StartsWith("step-", StringComparison.Ordinal) && int.TryParse(container.AsSpan(5), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;

    public static bool IsFetch(string container) => container == FetchName;

    public static bool IsCollect(string container) => container == CollectName;

    /// <summary>What the pod is told when it asks.</summary>
    public StageOrders Orders() => new(
        new FetchOrder
        {
            Snapshot = spec.Snapshot,
            Inputs = [.. spec.Inputs],
            Bounds = options.Snapshot,
            Steps = new StepOrder
            {
                Steps = [.. spec.Stage.Steps],
                Environment = [.. Environment()],
                Timeout = spec.Stage.Timeout,
                StopGrace = options.StopGrace,
                MaxProcesses = worker.MaxProcesses,
                MaxFileBytes = worker.DiskBytes,
                LogBytes = options.LogBytes,
            },
        },
        new CollectOrder
        {
            Artifacts = [.. spec.Stage.Artifacts],
            Reports = [.. spec.Stage.Reports],
            Bounds = options.Collection,
            Steps = spec.Stage.Steps.Count,
            LogBytes = options.LogBytes,
        });

    /// <summary>The tokens, for the two trusted containers only.</summary>
    public V1Secret Secret(string fetchToken, string collectToken, string? authority) => new()
    {
        Metadata = Metadata(Name, Marks.StageRole),
        Type = "Opaque",
        Immutable = true,
        StringData = new Dictionary<string, string>(StringComparer.Ordinal) { [FetchName] = fetchToken, [CollectName] = collectToken, ["ca.crt"] = authority ?? "" },
    };

    /// <summary>The tokens in a Secret that was read.</summary>
    public static (string Fetch, string Collect)? TokensOf(V1Secret secret) =>
        secret.Data is { } data && data.TryGetValue(FetchName, out var fetch) && data.TryGetValue(CollectName, out var collect)
            ? (System.Text.Encoding.ASCII.GetString(fetch), System.Text.Encoding.ASCII.GetString(collect)) : null;

    /// <summary>The Job.</summary>
    /// <param name="order">The digest of the orders.</param>
    /// <param name="tokens">The tokens; their hashes go with the Job.</param>
    /// <param name="exchange">Where pods find the exchange.</param>
    /// <param name="aliases">The services that the steps reach by name.</param>
    public V1Job Job(string order, (string Fetch, string Collect) tokens, ExchangeAddress exchange, IReadOnlyList<(string Name, string Address)> aliases)
    {
        var metadata = Metadata(Name, Marks.StageRole);
        metadata.Annotations[Marks.Order] = order;
        metadata.Annotations[Marks.FetchToken] = Marks.HashOf(tokens.Fetch);
        metadata.Annotations[Marks.CollectToken] = Marks.HashOf(tokens.Collect);
        return new V1Job
        {
            Metadata = metadata,
            Spec = new V1JobSpec
            {
                BackoffLimit = 0,
                Completions = 1,
                Parallelism = 1,
                // The outermost limit: for a service that is no more.
                ActiveDeadlineSeconds = Seconds(PodDeadline + worker.Waits + options.Allowances.Pod),
                TtlSecondsAfterFinished = (int)FailedJobsKeptSeconds,
                Template = new V1PodTemplateSpec { Metadata = PodMetadata(), Spec = Pod(exchange, aliases) },
            },
        };
    }

    /// <summary>How long the pod may live, by the kubelet's clock.</summary>
    public TimeSpan PodDeadline => options.Allowances.Fetch + options.Allowances.Pull + spec.Stage.Timeout + options.StopGrace + options.Allowances.Overtime + options.Allowances.Collect;

    private V1ObjectMeta PodMetadata()
    {
        var metadata = Metadata(name: null, Marks.StageRole);
        // A mesh would add containers that never end, and a way out.
        metadata.Labels["sidecar.istio.io/inject"] = "false";
        metadata.Annotations["sidecar.istio.io/inject"] = "false";
        metadata.Annotations["linkerd.io/inject"] = "disabled";
        metadata.Annotations["cluster-autoscaler.kubernetes.io/safe-to-evict"] = "false";
        return metadata;
    }

    private V1ObjectMeta Metadata(string? name, string role) => new()
    {
        Name = name,
        NamespaceProperty = options.Namespace,
        Labels = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            [Marks.ManagedBy] = Marks.Us,
            [Marks.Site] = options.Site,
            [Marks.Attempt] = Name,
            [Marks.Role] = role,
            [Marks.Network] = spec.Stage.HasNetwork ? Marks.Open : Marks.Closed,
        },
        Annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [Marks.AttemptId] = spec.Id.ToString() },
    };

    private V1PodSpec Pod(ExchangeAddress exchange, IReadOnlyList<(string Name, string Address)> aliases)
    {
        var user = Marks.UserOf(options.Users, Name);
        return new V1PodSpec
        {
            RestartPolicy = "Never",
            ActiveDeadlineSeconds = Seconds(PodDeadline),
            TerminationGracePeriodSeconds = Seconds(options.StopGrace) + 5,
            AutomountServiceAccountToken = false,
            EnableServiceLinks = false,
            HostAliases = aliases.Count == 0 ? null : [.. aliases.Select(alias => new V1HostAlias { Ip = alias.Address, Hostnames = [alias.Name] })],
            ImagePullSecrets = options.PullSecret is { } secret ? [new V1LocalObjectReference { Name = secret }] : null,
            SecurityContext = new V1PodSecurityContext
            {
                RunAsNonRoot = true,
                RunAsUser = user,
                RunAsGroup = user,
                FsGroup = user,
                SeccompProfile = new V1SeccompProfile { Type = "RuntimeDefault" },
            },
            NodeSelector = Selector(),
            Tolerations = Tolerations(),
            RuntimeClassName = worker.RuntimeClass,
            PriorityClassName = worker.PriorityClass,
            InitContainers = [Fetch(exchange), .. spec.Stage.Steps.Select((_, i) => Step(i + 1))],
            Containers = [Collect(exchange)],
            Volumes = Volumes(),
        };
    }

    private V1Container Fetch(ExchangeAddress exchange) => Trusted(FetchName, exchange, FetchToken,
    [
        Mount(Work, PodPaths.Work), Mount(Inputs, PodPaths.Inputs), Mount(Tools, PodPaths.Tools), Mount(Logs, PodPaths.Logs), Mount(Scratch, PodPaths.Scratch),
        Mount(Control, PodPaths.Control),
    ]);

    private V1Container Collect(ExchangeAddress exchange) =>
        Trusted(CollectName, exchange, CollectToken, [Mount(Work, PodPaths.Work, readOnly: true), Mount(Logs, PodPaths.Logs, readOnly: true)]);

    private V1Container Trusted(string name, ExchangeAddress exchange, string token, List<V1VolumeMount> mounts) => new()
    {
        Name = name,
        Image = options.Image,
        ImagePullPolicy = "IfNotPresent",
        Args = [name],
        Env =
        [
            new V1EnvVar { Name = PodPaths.ExchangeVariable, Value = exchange.Of(Name).ToString() },
            new V1EnvVar { Name = PodPaths.PodVariable, ValueFrom = new V1EnvVarSource { FieldRef = new V1ObjectFieldSelector { FieldPath = "metadata.uid" } } },
        ],
        Resources = Resources(),
        SecurityContext = Restricted(isReadOnly: true),
        VolumeMounts = [.. mounts, Mount(token, "/wmfci/token", readOnly: true)],
    };

    private V1Container Step(int number)
    {
        var own = number.ToString(CultureInfo.InvariantCulture);
        return new V1Container
        {
            Name = StepName(number),
            Image = spec.Stage.Image,
            ImagePullPolicy = "IfNotPresent",
            Command = [PodPaths.Program, "step", own],
            WorkingDir = PodPaths.Work,
            Resources = Resources(),
            SecurityContext = Restricted(isReadOnly: false),
            VolumeMounts =
            [
                Mount(Work, PodPaths.Work), Mount(Inputs, PodPaths.Inputs, readOnly: true), Mount(Tools, PodPaths.Tools, readOnly: true),
                Mount(Logs, PodPaths.OwnLog, folder: own), Mount(Control, PodPaths.Control), Mount(Shared, "/dev/shm"),
                Mount(Scratch, "/tmp", folder: $"{own}/tmp"), Mount(Scratch, "/var/tmp", folder: $"{own}/tmp"), Mount(Scratch, Accounts.Home, folder: $"{own}/home"),
                Mount(Tools, "/etc/passwd", readOnly: true, folder: "passwd"), Mount(Tools, "/etc/group", readOnly: true, folder: "group"),
            ],
        };
    }

    internal static V1SecurityContext Restricted(bool isReadOnly) => new()
    {
        AllowPrivilegeEscalation = false,
        Privileged = false,
        ReadOnlyRootFilesystem = isReadOnly,
        Capabilities = new V1Capabilities { Drop = ["ALL"] },
    };

    private static V1VolumeMount Mount(string volume, string path, bool readOnly = false, string? folder = null) =>
        new() { Name = volume, MountPath = path, ReadOnlyProperty = readOnly ? true : null, SubPath = folder };

    private List<V1Volume> Volumes() =>
    [
        Empty(Work, worker.DiskBytes), Empty(Inputs, options.Collection.MaxTotalBytes * 4), Empty(Tools, ToolsBytes), Empty(Logs, options.LogBytes + ControlBytes),
        Empty(Scratch, worker.DiskBytes), Empty(Control, ControlBytes),
        new V1Volume { Name = Shared, EmptyDir = new V1EmptyDirVolumeSource { Medium = "Memory", SizeLimit = Bytes(Math.Min(SharedBytes, worker.MemoryBytes / SharedShare)) } },
        Token(FetchToken, FetchName), Token(CollectToken, CollectName),
    ];

    private V1Volume Token(string volume, string key) => new()
    {
        Name = volume,
        Secret = new V1SecretVolumeSource
        {
            SecretName = Name,
            DefaultMode = TokenMode,
            Items = [new V1KeyToPath { Key = key, Path = "token" }, new V1KeyToPath { Key = "ca.crt", Path = "ca.crt" }],
        },
    };

    private static V1Volume Empty(string name, long bytes) => new() { Name = name, EmptyDir = new V1EmptyDirVolumeSource { SizeLimit = Bytes(bytes) } };

    private V1ResourceRequirements Resources() => new()
    {
        Requests = Quantities(worker.CpuMillis, worker.MemoryBytes, PodDiskBytes),
        Limits = Quantities(worker.CpuLimitMillis, worker.MemoryBytes, PodDiskBytes),
    };

    // What the kubelet counts besides the stage's own disk: the program, the log and its copy in the container's log.
    private long PodDiskBytes => worker.DiskBytes + ToolsBytes + ControlBytes + 2 * options.LogBytes;

    /// <summary>What the attempt takes of a quota.</summary>
    public Admission.Demand Demand => new()
    {
        Pods = 1 + spec.Stage.Services.Count,
        CpuMillis = worker.CpuMillis + spec.Stage.Services.Count * (long)options.Services.CpuMillis,
        CpuLimitMillis = (worker.CpuLimitMillis ?? 0) + spec.Stage.Services.Count * (long)options.Services.CpuMillis,
        MemoryBytes = worker.MemoryBytes + spec.Stage.Services.Count * options.Services.MemoryBytes,
        DiskBytes = PodDiskBytes + spec.Stage.Services.Count * options.Services.DiskBytes,
    };

    internal static Dictionary<string, ResourceQuantity> Quantities(int? cpuMillis, long memory, long disk)
    {
        var quantities = new Dictionary<string, ResourceQuantity>(StringComparer.Ordinal) { ["memory"] = Bytes(memory), ["ephemeral-storage"] = Bytes(disk) };
        if (cpuMillis is { } millis) quantities["cpu"] = new ResourceQuantity(string.Create(CultureInfo.InvariantCulture, $"{millis}m"));
        return quantities;
    }

    private Dictionary<string, string>? Selector()
    {
        var labels = worker.NodeSelector.ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal);
        if (worker.Architecture is { } architecture) labels["kubernetes.io/arch"] = architecture;
        return labels.Count == 0 ? null : labels;
    }

    // Kubernetes would leave a pod on a lost node for five minutes, and nobody would know until then that it is lost.
    private List<V1Toleration> Tolerations() =>
    [
        .. worker.Tolerations.Select(Tolerated),
        .. from taint in LostNode
           where !worker.Tolerations.Any(own => own.Key == taint && own.Effect is null or "NoExecute")
           select new V1Toleration { Key = taint, OperatorProperty = "Exists", Effect = "NoExecute", TolerationSeconds = LostNodeSeconds },
    ];

    private static V1Toleration Tolerated(Toleration taint) =>
        new() { Key = taint.Key, OperatorProperty = taint.Operator, Value = taint.Value, Effect = taint.Effect, TolerationSeconds = taint.Seconds };

    private static ResourceQuantity Bytes(long bytes) => new(bytes.ToString(CultureInfo.InvariantCulture));

    private static long Seconds(TimeSpan time) => (long)Math.Ceiling(time.TotalSeconds);

    private IEnumerable<Variable> Environment()
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var variable in StepVariables.Base.Prepend(StepVariables.Path).Concat(spec.Stage.Environment).Concat(spec.Facts)) values[variable.Name] = variable.Value;
        return values.Select(pair => new Variable(pair.Key, pair.Value));
    }
}

/// <summary>What an attempt's pod is told: stored once, read by whichever replica it asks.</summary>
/// <param name="Fetch">At its beginning.</param>
/// <param name="Collect">At its end.</param>
internal sealed record StageOrders(FetchOrder Fetch, CollectOrder Collect);

/// <summary>Where pods find the exchange.</summary>
/// <param name="Url">Its address, ending with a slash.</param>
internal sealed record ExchangeAddress(Uri Url)
{
    /// <summary>The address of an attempt there.</summary>
    public Uri Of(string name) => new(Url, $"attempts/{name}/");
}
