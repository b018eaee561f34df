using WmfCi.Core;
using WmfCi.Workspaces;

namespace WmfCi.LocalRunner;

/// <summary>Where stages run on this machine, and what each of them may use.</summary>
public sealed record LocalRunnerOptions
{
    /// <summary>Where workspaces and the records of attempts are kept. Several processes may share it. Only its owner may read what is made in it.</summary>
    public required string WorkFolder { get; init; }

    /// <summary>The memory of a stage with all its processes, in bytes, its shared memory included. 4 GiB by default.</summary>
    public long MemoryBytes { get; init; } = 4L << 30;

    /// <summary>How many processes and threads a stage may have at once. 2,048 by default.</summary>
    public int MaxProcesses { get; init; } = 2048;

    /// <summary>What a stage may keep on disk, in bytes: workspace, <c>/tmp</c> and home together. No file of it may be larger either. 10 GiB by default.</summary>
    public long DiskBytes { get; init; } = 10L << 30;

    /// <summary>How many files, folders and links a stage may have on disk. A million by default.</summary>
    public long MaxDiskEntries { get; init; } = 1_000_000;

    /// <summary>What every stage leaves free on the disk of <see cref="WorkFolder"/>, in bytes: with less, stages are stopped, and it is nobody's fault. 512 MiB by default.</summary>
    public long ReservedDiskBytes { get; init; } = 512L << 20;

    /// <summary>How much of <c>/dev/shm</c> a step may use, in bytes; it counts as memory. 256 MiB by default.</summary>
    public long SharedMemoryBytes { get; init; } = 256L << 20;

    /// <summary>How much output of an attempt is kept, in bytes. What comes after it is counted and dropped; the stage goes on. 64 MiB by default.</summary>
    public long LogBytes { get; init; } = 64L << 20;

    /// <summary>How long the processes of a stage may tidy up after SIGTERM, before SIGKILL. 10 s by default.</summary>
    public TimeSpan StopGrace { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long fetching an image may take. 10 min by default.</summary>
    public TimeSpan ImagePullTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>How long the report of an attempt is kept, to be answered again to who asks again. A day by default.</summary>
    public TimeSpan ReportsKept { get; init; } = TimeSpan.FromDays(1);

    /// <summary>
    /// Whether stages may have services. What a service writes is bound by the disk only, so they are for a machine on which everybody's code is its owner's choice. Not by default.
    /// </summary>
    public bool HasServices { get; init; }

    /// <summary>Where the workspace of each attempt is kept as its last step left it, on the disk of <see cref="WorkFolder"/>; null keeps none, the default. Nothing removes it.</summary>
    public string? KeptFolder { get; init; }

    /// <summary>The bounds on source snapshots.</summary>
    public SnapshotBounds Snapshot { get; init; } = new();

    /// <summary>The bounds on what is kept of a workspace.</summary>
    public CollectionBounds Collection { get; init; } = new();

    /// <summary>
    /// The user and group on this machine that steps run as when the service runs as root; it must be nobody's. When the service runs as an ordinary
    /// user, steps run as that user. The default lies in the range that Linux distributions leave unassigned.
    /// </summary>
    public int StepUser { get; init; } = 1_900_000_000;

    /// <summary>Folders of the machine that stages with <c>image: host</c> see read-only, beside <c>/usr</c> and the few files of <c>/etc</c> that programs need. None by default.</summary>
    public ValueArray<string> HostFolders { get; init; } = [];

    /// <summary>Whether control groups are used where they can be. Without them memory is watched ten times a second. True by default.</summary>
    public bool UseControlGroups { get; init; } = true;

    /// <summary>The program that makes sandboxes for <c>image: host</c>.</summary>
    public string BubblewrapProgram { get; init; } = "bwrap";

    /// <summary>The program that runs named images.</summary>
    public string PodmanProgram { get; init; } = "podman";
}
