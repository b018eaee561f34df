namespace WmfCi.Workspaces;

/// <summary>The bounds on a source snapshot; one that exceeds them is not unpacked to its end.</summary>
public sealed record SnapshotBounds
{
    /// <summary>Files, folders and links together. A million by default.</summary>
    public int MaxEntries { get; init; } = 1_000_000;

    /// <summary>The bytes of all its files together, unpacked. 8 GiB by default.</summary>
    public long MaxBytes { get; init; } = 8L << 30;

    /// <summary>How many times larger than packed it may become. 1,000 by default.</summary>
    public int MaxRatio { get; init; } = 1000;

    /// <summary>Up to so many unpacked bytes the ratio is not looked at. 64 MiB by default.</summary>
    public long RatioFreeBytes { get; init; } = 64L << 20;
}

/// <summary>The bounds on what is kept of a workspace; what exceeds them is left out, and the log says so.</summary>
public sealed record CollectionBounds
{
    /// <summary>How many files are kept. 5,000 by default.</summary>
    public int MaxFiles { get; init; } = 5000;

    /// <summary>How large one file may be, in bytes. 2 GiB by default.</summary>
    public long MaxFileBytes { get; init; } = 2L << 30;

    /// <summary>How large all of them together may be, in bytes. 4 GiB by default.</summary>
    public long MaxTotalBytes { get; init; } = 4L << 30;

    /// <summary>How many bytes a path may have, in UTF-8. 1,024 by default.</summary>
    public int MaxPathBytes { get; init; } = 1024;

    /// <summary>How many folders deep a file may lie. 64 by default.</summary>
    public int MaxDepth { get; init; } = 64;

    /// <summary>How many entries of the workspace are looked at. Two million by default.</summary>
    public int MaxVisited { get; init; } = 2_000_000;

    /// <summary>How many files that were left out are named in the log; the rest is counted. 20 by default.</summary>
    public int MaxNotes { get; init; } = 20;
}
