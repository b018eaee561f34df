using System.Net;
using WmfCi.Core;

namespace WmfCi.Config.Sites;

/// <summary>The cluster that stages run on, with every default filled in; paths are absolute, sizes are in bytes.</summary>
public sealed record KubernetesSettings
{
    /// <summary>The file that says how the cluster is reached; null for the account of the pod that the service runs in.</summary>
    public string? Kubeconfig { get; init; }

    /// <summary>Which context of that file; null for its current one, and without a file.</summary>
    public string? Context { get; init; }

    /// <summary>The namespace of the stages' pods.</summary>
    public required string Namespace { get; init; }

    /// <summary>The reference of the image of the program that fetches, supervises and collects.</summary>
    public required string Image { get; init; }

    /// <summary>Where pods hand over and take what they may.</summary>
    public required ExchangeSettings Exchange { get; init; }

    /// <summary>The Secret of that namespace with which images are pulled; null where none is needed.</summary>
    public string? PullSecret { get; init; }

    /// <summary>The classes that a stage can run on, at least one; their names differ.</summary>
    public required ValueArray<WorkerClass> Workers { get; init; }

    /// <summary>The name of the class of stages that name none; one of <see cref="Workers"/>.</summary>
    public required string Worker { get; init; }

    /// <summary>The user ids that attempts run under.</summary>
    public UserRange Users { get; init; } = new(KubernetesLimits.FirstUser, KubernetesLimits.Users);

    /// <summary>What stages with the network may not reach, besides the private and link-local ranges. Never a range of everything.</summary>
    public ValueArray<IPNetwork> Blocked { get; init; } = [];

    /// <summary>Bounds of what runs beside stages.</summary>
    public ServiceLimits Services { get; init; } = new();

    /// <summary>The class of a stage's <c>worker</c>, the site's own choice for the empty name; null for a name that the site does not have.</summary>
    public WorkerClass? Find(string worker)
    {
        var name = worker.Length == 0 ? Worker : worker;
        return Workers.FirstOrDefault(one => one.Name == name);
    }
}

/// <summary>Where the service speaks with the pods of stages, apart from where people reach it.</summary>
public sealed record ExchangeSettings
{
    /// <summary>Where it listens: scheme, address and port.</summary>
    public required Uri Listen { get; init; }

    /// <summary>Where pods reach it; ends with a slash.</summary>
    public required Uri Url { get; init; }

    /// <summary>The certificate and its chain, PEM; set with <see cref="KeyFile"/> exactly when <see cref="Listen"/> is https.</summary>
    public string? CertificateFile { get; init; }

    /// <summary>The key of the certificate, PEM.</summary>
    public string? KeyFile { get; init; }

    /// <summary>The certificate of the one authority that pods believe, PEM; set exactly when <see cref="Url"/> is https.</summary>
    public string? AuthorityFile { get; init; }
}

/// <summary>A kind of worker that a stage can run on.</summary>
public sealed record WorkerClass
{
    /// <summary>What stages call it: a DNS label.</summary>
    public required string Name { get; init; }

    /// <summary>Thousandths of a CPU that are kept for it.</summary>
    public int MilliCpu { get; init; } = KubernetesLimits.MilliCpu;

    /// <summary>Thousandths of a CPU that it may use at most, not less than <see cref="MilliCpu"/>; null for all that is free.</summary>
    public int? MilliCpuLimit { get; init; }

    /// <summary>Memory that is kept for it, and that it may use at most.</summary>
    public long Memory { get; init; } = SiteLimits.Memory;

    /// <summary>Disk of its workspace.</summary>
    public long Disk { get; init; } = SiteLimits.Disk;

    /// <summary>Its processes and threads.</summary>
    public int Processes { get; init; } = SiteLimits.Processes;

    /// <summary>The architecture of its node as Kubernetes calls it (<c>amd64</c>, <c>arm64</c>); null for any.</summary>
    public string? Architecture { get; init; }

    /// <summary>Labels that its node must have, in the order of the file.</summary>
    public ValueArray<NodeLabel> NodeSelector { get; init; } = [];

    /// <summary>Taints that it bears.</summary>
    public ValueArray<Toleration> Tolerations { get; init; } = [];

    /// <summary>The RuntimeClass; null for the cluster's own.</summary>
    public string? RuntimeClass { get; init; }

    /// <summary>The PriorityClass; null for the cluster's own.</summary>
    public string? PriorityClass { get; init; }

    /// <summary>How long an attempt waits for a node that has room for it.</summary>
    public TimeSpan Waits { get; init; } = KubernetesLimits.Waits;
}

/// <summary>A label of a node.</summary>
/// <param name="Key">Such as <c>kubernetes.io/os</c>.</param>
/// <param name="Value">Perhaps empty.</param>
public sealed record NodeLabel(string Key, string Value);

/// <summary>A taint that is borne, with Kubernetes' meanings.</summary>
public sealed record Toleration
{
    /// <summary>The taint's key; null for all, with <see cref="Exists"/> only.</summary>
    public string? Key { get; init; }

    /// <summary>Whether any value will do (<c>Exists</c>); otherwise it must be <see cref="Value"/> (<c>Equal</c>).</summary>
    public bool Exists { get; init; }

    /// <summary>The taint's value; empty with <see cref="Exists"/>.</summary>
    public string Value { get; init; } = "";

    /// <summary><c>NoSchedule</c>, <c>PreferNoSchedule</c> or <c>NoExecute</c>; null for all.</summary>
    public string? Effect { get; init; }

    /// <summary>For how many seconds <c>NoExecute</c> is borne; null for ever.</summary>
    public int? Seconds { get; init; }
}

/// <summary>A range of user ids, from which each attempt gets one of its own.</summary>
/// <param name="First">The lowest.</param>
/// <param name="Count">How many; not fewer than stages can run at once.</param>
public sealed record UserRange(int First, int Count);

/// <summary>Bounds of the services of a stage.</summary>
public sealed record ServiceLimits
{
    /// <summary>Thousandths of a CPU that are kept for one.</summary>
    public int MilliCpu { get; init; } = KubernetesLimits.ServiceMilliCpu;

    /// <summary>Memory that is kept for one, and that it may use at most.</summary>
    public long Memory { get; init; } = KubernetesLimits.ServiceMemory;

    /// <summary>Disk of one.</summary>
    public long Disk { get; init; } = KubernetesLimits.ServiceDisk;

    /// <summary>How many a stage may have.</summary>
    public int Most { get; init; } = KubernetesLimits.Services;
}
