using System.Collections.Immutable;

namespace WmfCi.Git;

/// <summary>How Gerrit submits a change of the project (<c>INHERIT</c> is resolved by the caller).</summary>
public enum SubmitType
{
    /// <summary>The change itself where the branch can be fast-forwarded, else a merge commit.</summary>
    MergeIfNecessary,

    /// <summary>Always a merge commit.</summary>
    MergeAlways,

    /// <summary>The change itself or nothing.</summary>
    FastForwardOnly,

    /// <summary>The change itself where the branch can be fast-forwarded, else its unmerged commits rebased.</summary>
    RebaseIfNecessary,

    /// <summary>The unmerged commits rebased, even where a fast-forward would do.</summary>
    RebaseAlways,

    /// <summary>The change's own commit picked onto the branch, without those below it: this type ignores dependencies between changes.</summary>
    CherryPick,
}

/// <summary>How to merge: the project's settings in Gerrit, and who is named in the commits that are made.</summary>
public sealed record MergeSettings
{
    /// <summary>Gerrit's defaults for a new project of the testbed: merge if necessary, with content merge.</summary>
    public static MergeSettings Default { get; } = new();

    /// <summary>The project's submit type.</summary>
    public SubmitType SubmitType { get; init; } = SubmitType.MergeIfNecessary;

    /// <summary>The project's <c>use_content_merge</c>; false makes every path changed differently on both sides a conflict.</summary>
    public bool UseContentMerge { get; init; } = true;

    /// <summary>Committer (and, of merges, author) of the commits made. No angle brackets, no line ends.</summary>
    public string IdentityName { get; init; } = "WmfCi";

    /// <summary>The address that goes with <see cref="IdentityName"/>.</summary>
    public string IdentityEmail { get; init; } = "wmfci@localhost";
}

/// <summary>What became of a speculative merge.</summary>
public abstract record MergeResult
{
    private MergeResult()
    {
    }

    /// <summary>It merges cleanly. The objects are in the repository.</summary>
    /// <param name="Tree">Id of the tree, the one that Gerrit would make.</param>
    /// <param name="Commit">Id of a commit with that tree: the change's own where the branch is fast-forwarded, else one made here, the same for the same inputs.</param>
    public sealed record Merged(string Tree, string Commit) : MergeResult;

    /// <summary>Gerrit would refuse it with a path conflict.</summary>
    /// <param name="Paths">The paths in conflict, in git's order; may be empty where the reason is not a path.</param>
    /// <param name="Reason">Why, in a sentence for the author of the change.</param>
    public sealed record Conflict(ImmutableArray<GitPath> Paths, string Reason) : MergeResult
    {
        /// <inheritdoc/>
        public bool Equals(Conflict? other) => other is not null && Reason == other.Reason && Paths.AsSpan().SequenceEqual(other.Paths.AsSpan());

        /// <inheritdoc/>
        public override int GetHashCode() => HashCode.Combine(Reason, Paths.Length);
    }

    /// <summary>The branch has the change already.</summary>
    /// <param name="Tree">Id of the branch's tree.</param>
    /// <param name="Commit">Id of the branch's tip.</param>
    public sealed record AlreadyMerged(string Tree, string Commit) : MergeResult;

    /// <summary>The project only takes fast-forwards, and this is none.</summary>
    /// <param name="Reason">What to do, in a sentence for the author.</param>
    public sealed record NotFastForward(string Reason) : MergeResult;
}
