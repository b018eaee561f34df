using WmfCi.Core;
using WmfCi.Workspaces;

namespace WmfCi.Kubernetes;

/// <summary>Where stages run in a cluster, and what each of them may use.</summary>
public sealed record KubernetesRunnerOptions
{
    /// <summary>The namespace of stages' pods. Nothing else should live in it.</summary>
    public required string Namespace { get; init; }

    /// <summary>Tells several services apart that share a namespace: a label's value.</summary>
    public string Site { get; init; } = "wmfci";

    /// <summary>The image of <c>wmfci-pod</c>.</summary>
    public required string Image { get; init; }

    /// <summary>The Secret of the registry's credentials in that namespace, or null. The kubelet alone uses it.</summary>
    public string? PullSecret { get; init; }

    /// <summary>Where pods hand in and out.</summary>
    public required ExchangeOptions Exchange { get; init; }

    /// <summary>The classes of workers, by name.</summary>
    public required IReadOnlyDictionary<string, WorkerClass> Workers { get; init; }

    /// <summary>The class of stages that choose none.</summary>
    public required string DefaultWorker { get; init; }

    /// <summary>The user ids that attempts run as: each has its own, so that the kernel's bounds by user are bounds by attempt.</summary>
    public required UserRange Users { get; init; }

    /// <summary>Addresses that stages with network may not reach, beside the private and link-local ones.</summary>
    public ValueArray<string> Blocked { get; init; } = [];

    /// <summary>What a stage's services may use.</summary>
    public required ServiceBounds Services { get; init; }

    /// <summary>How much output of an attempt is kept, in bytes.</summary>
    public required long LogBytes { get; init; }

    /// <summary>How long processes may tidy up after SIGTERM. 10 s by default.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The bounds on source snapshots.</summary>
    public SnapshotBounds Snapshot { get; init; } = new();

    /// <summary>The bounds on what is kept of a workspace.</summary>
    public CollectionBounds Collection { get; init; } = new();

    /// <summary>How long things may take that are no work of the stage's.</summary>
    public Allowances Allowances { get; init; } = new();

    /// <summary>When leftovers are removed.</summary>
    public Sweeping Sweeping { get; init; } = new();
}

/// <summary>When leftovers are removed.</summary>
public sealed record Sweeping
{
    /// <summary>How often they are looked for. 30 s by default.</summary>
    public TimeSpan Every { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long something must be there before it can be a leftover: what was begun a moment ago may not be recorded yet. A minute by default.</summary>
    public TimeSpan Grace { get; init; } = TimeSpan.FromMinutes(1);
}

/// <summary>Where pods hand in and out.</summary>
/// <param name="Listen">Where this process listens for them; the port may be 0.</param>
/// <param name="Url">Where they find it, ending with a slash; null for where it listens.</param>
public sealed record ExchangeOptions(Uri Listen, Uri? Url)
{
    /// <summary>The certificate chain and its key, in PEM files; null for plain HTTP.</summary>
    public (string CertificateFile, string KeyFile)? Tls { get; init; }

    /// <summary>The PEM file of the authority that signed the certificate, which pods trust and no other; null with plain HTTP.</summary>
    public string? AuthorityFile { get; init; }
}

/// <summary>A kind of worker that a site offers.</summary>
public sealed record WorkerClass
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>The processor that a stage is promised, in thousandths of a core.</summary>
    public required int CpuMillis { get; init; }

    /// <summary>The processor that it may take at most, likewise; null for as much as is idle.</summary>
    public int? CpuLimitMillis { get; init; }

    /// <summary>Its memory, in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>What it may keep on disk, in bytes.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>How many processes and threads it may have at once.</summary>
    public required int MaxProcesses { get; init; }

    /// <summary>The architecture (<c>amd64</c>, <c>arm64</c>), or null for any.</summary>
    public string? Architecture { get; init; }

    /// <summary>Labels of the nodes that it may run on.</summary>
    public ValueArray<KeyValuePair<string, string>> NodeSelector { get; init; } = [];

    /// <summary>Taints that it bears.</summary>
    public ValueArray<Toleration> Tolerations { get; init; } = [];

    /// <summary>The RuntimeClass, or null.</summary>
    public string? RuntimeClass { get; init; }

    /// <summary>The PriorityClass, or null.</summary>
    public string? PriorityClass { get; init; }

    /// <summary>How long a stage waits for a node that fits.</summary>
    public required TimeSpan Waits { get; init; }
}

/// <summary>A taint that is borne; see the Kubernetes reference of <c>tolerations</c>.</summary>
public sealed record Toleration(string? Key, string? Operator, string? Value, string? Effect, long? Seconds);

/// <summary>A range of user ids.</summary>
/// <param name="First">The first.</param>
/// <param name="Count">How many.</param>
public sealed record UserRange(long First, int Count);

/// <summary>What each service of a stage may use.</summary>
public sealed record ServiceBounds
{
    /// <summary>How many of them a stage may have.</summary>
    public required int Most { get; init; }

    /// <summary>Processor that is promised, in thousandths of a core.</summary>
    public required int CpuMillis { get; init; }

    /// <summary>Memory, in bytes.</summary>
    public required long MemoryBytes { get; init; }

    /// <summary>Disk, in bytes.</summary>
    public required long DiskBytes { get; init; }

    /// <summary>How long it may take until it is ready, its image's fetching included.</summary>
    public TimeSpan ReadyWithin { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>How much of its output is kept, in bytes.</summary>
    public long LogBytes { get; init; } = 4L << 20;
}

/// <summary>How long what is not the stage's work may take, before it is the cluster's failure.</summary>
public sealed record Allowances
{
    /// <summary>Until the Job has a pod.</summary>
    public TimeSpan Pod { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Fetching an image that is there.</summary>
    public TimeSpan Pull { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Trying to fetch an image that the registry does not give.</summary>
    public TimeSpan RefusedPull { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>Making a container: volumes, network.</summary>
    public TimeSpan Creation { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Laying out the workspace.</summary>
    public TimeSpan Fetch { get; init; } = TimeSpan.FromMinutes(15);

    /// <summary>Storing what the stage left.</summary>
    public TimeSpan Collect { get; init; } = TimeSpan.FromMinutes(30);

    /// <summary>Between the end of a container and the next sign of life.</summary>
    public TimeSpan Silence { get; init; } = TimeSpan.FromMinutes(3);

    /// <summary>After the stage's own time and grace, until the service ends it itself.</summary>
    public TimeSpan Overtime { get; init; } = TimeSpan.FromSeconds(30);
}
