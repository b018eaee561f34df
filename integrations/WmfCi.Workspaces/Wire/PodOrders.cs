using System.Text.Json.Serialization;
using WmfCi.Core.Pipelines;
using WmfCi.Ports;

namespace WmfCi.Workspaces.Wire;

// Where a property is missing in what is read, the serializer's generated code sets it to null, whatever its initial value: that is what the ?? are for.

/// <summary>What the pod that claimed an attempt is to lay out, and within which bounds its steps run.</summary>
public sealed record FetchOrder
{
    /// <summary>The digest of the source snapshot.</summary>
    public required string Snapshot { get; init; }

    /// <summary>Artifacts of earlier stages.</summary>
    public InputFile[] Inputs { get; init => field = value ?? []; } = [];

    /// <summary>The bounds on the snapshot.</summary>
    public SnapshotBounds Bounds { get; init => field = value ?? new(); } = new();

    /// <summary>What the steps do.</summary>
    public required StepOrder Steps { get; init; }
}

/// <summary>What the steps of an attempt do. It lies in the pod, read-only for the steps.</summary>
public sealed record StepOrder
{
    /// <summary>The steps, in order.</summary>
    public required Step[] Steps { get; init; }

    /// <summary>Their environment, beside and before what the image sets; <c>PATH</c> counts only where the image sets none.</summary>
    public Variable[] Environment { get; init => field = value ?? []; } = [];

    /// <summary>How long all of them may take together.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>How long processes may tidy up after SIGTERM, before SIGKILL.</summary>
    public required TimeSpan StopGrace { get; init; }

    /// <summary>How many processes and threads there may be at once.</summary>
    public required int MaxProcesses { get; init; }

    /// <summary>How large a file may become, in bytes.</summary>
    public required long MaxFileBytes { get; init; }

    /// <summary>How much output of all steps together is kept, in bytes.</summary>
    public required long LogBytes { get; init; }
}

/// <summary>What the collector is to keep.</summary>
public sealed record CollectOrder
{
    /// <summary>Patterns of artifacts.</summary>
    public string[] Artifacts { get; init => field = value ?? []; } = [];

    /// <summary>Patterns of test reports.</summary>
    public string[] Reports { get; init => field = value ?? []; } = [];

    /// <summary>The bounds on what is kept.</summary>
    public CollectionBounds Bounds { get; init => field = value ?? new(); } = new();

    /// <summary>How many steps there are, each with a log.</summary>
    public required int Steps { get; init; }

    /// <summary>How large a step's log may be, in bytes.</summary>
    public required long LogBytes { get; init; }
}

/// <summary>What a pod left in the store.</summary>
public sealed record PodManifest
{
    /// <summary>Artifacts and reports.</summary>
    public CollectedFile[] Files { get; init => field = value ?? []; } = [];

    /// <summary>The complete output of the steps that ran.</summary>
    public StepLog[] Logs { get; init => field = value ?? []; } = [];

    /// <summary>What the log should say about the files.</summary>
    public string[] Notes { get; init => field = value ?? []; } = [];
}

/// <summary>The complete output of a step.</summary>
/// <param name="Step">Counted from 1.</param>
/// <param name="Blob">What the store has of it.</param>
public sealed record StepLog(int Step, Blob Blob);

/// <summary>Asks for an attempt.</summary>
/// <param name="Pod">The UID of the pod that asks.</param>
public sealed record PodClaim(string Pod);

/// <summary>What a trusted container says about its failure, in its termination message.</summary>
/// <param name="Message">One sentence.</param>
/// <param name="IsRefused">Whether the source is to blame, not the cluster or the store.</param>
public sealed record ContainerFailure(string Message, bool IsRefused = false);

/// <summary>
/// What became of a step, as its supervisor says in the container's termination message. A hostile step could at most forge its own, which says no more
/// than what it may say by its exit status.
/// </summary>
public sealed record StepEnd
{
    /// <summary>Its exit status, 128 and the signal's number where a signal ended it; null where it did not run.</summary>
    public int? Exit { get; init; }

    /// <summary>Whether it did not run, because one before it failed.</summary>
    public bool Skipped { get; init; }

    /// <summary>Whether the stage's time was over.</summary>
    public bool TimedOut { get; init; }

    /// <summary>Whether the kernel killed something in it for want of memory.</summary>
    public bool RanOutOfMemory { get; init; }

    /// <summary>Whether it had as many processes as it may.</summary>
    public bool WantedMoreProcesses { get; init; }

    /// <summary>Why it could not be started; null where it could.</summary>
    public string? Trouble { get; init; }

    /// <summary>How many bytes of output were kept.</summary>
    public long LogBytes { get; init; }

    /// <summary>How many were not, because the log was full.</summary>
    public long LogDropped { get; init; }

    /// <summary>The SHA-256 of what was kept.</summary>
    public string LogDigest { get; init => field = value ?? ""; } = "";
}

/// <summary>How orders and messages are written; compiled ahead of time.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(FetchOrder))]
[JsonSerializable(typeof(CollectOrder))]
[JsonSerializable(typeof(PodManifest))]
[JsonSerializable(typeof(PodClaim))]
[JsonSerializable(typeof(StepEnd))]
[JsonSerializable(typeof(ContainerFailure))]
[JsonSerializable(typeof(Blob))]
public sealed partial class WireJson : JsonSerializerContext;
