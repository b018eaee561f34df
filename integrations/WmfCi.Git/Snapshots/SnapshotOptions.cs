using System.Collections.Immutable;

namespace WmfCi.Git;

/// <summary>What goes into a snapshot, and how much may.</summary>
public sealed record SnapshotOptions
{
    /// <summary>The limits that a site gets if it says nothing.</summary>
    public static SnapshotOptions Default { get; } = new();

    /// <summary>More entries are refused.</summary>
    public int MaxFiles { get; init; } = 500_000;

    /// <summary>More bytes in files (before compression) are refused: 4 GiB.</summary>
    public long MaxBytes { get; init; } = 4L * 1024 * 1024 * 1024;

    /// <summary>Longer paths are refused (the kernel takes no more either).</summary>
    public int MaxPathBytes { get; init; } = 4095;

    /// <summary>
    /// Whether a <c>.git</c> with the commit's history goes along, on which <c>git log</c>, <c>git status</c> and <c>git describe</c> work.
    /// Its bytes depend on how the mirror is packed, so they may differ from one mirror, or one day, to the next; the files beside it do not.
    /// </summary>
    public bool IncludeHistory { get; init; }

    /// <summary>The zstd level: 1 is fast, 19 slow and small.</summary>
    public int CompressionLevel { get; init; } = 1;
}

/// <summary>A submodule: in the snapshot an empty folder.</summary>
/// <param name="Path">Where it stands.</param>
/// <param name="Commit">The commit that belongs there.</param>
/// <param name="Url">From <c>.gitmodules</c>, as it is written there, perhaps relative; null where it says nothing. Not trustworthy: the author of the change wrote it.</param>
public sealed record Submodule(GitPath Path, string Commit, string? Url);

/// <summary>What was written.</summary>
/// <param name="Tree">Id of the tree.</param>
/// <param name="Files">How many files and links.</param>
/// <param name="Bytes">Their size together.</param>
/// <param name="Submodules">Those that the tree names, in its order.</param>
public sealed record SnapshotSummary(string Tree, int Files, long Bytes, ImmutableArray<Submodule> Submodules);

/// <summary>The source is larger than the site allows. The message says what, and how much is allowed.</summary>
public sealed class SnapshotTooLargeException(string message) : Exception(message);
