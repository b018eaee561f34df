namespace WmfCi.Git;

/// <summary>
/// The one base to merge from. Where two histories have crossed there are several merge bases; JGit merges those first, two by two in the order in which it
/// finds them, conflicts and all, and takes the outcome as the base.
/// </summary>
internal sealed class VirtualBase(BareRepository repository, CancellationToken cancellationToken)
{
    /// <summary>JGit gives up at this many merge bases.</summary>
    public const int MaxBases = 200;

    // Commits that exist only during this merge, by a made-up name.
    private readonly Dictionary<ObjectName, CommitData> made = [];

    /// <summary>Finds it.</summary>
    /// <returns>The tree (<see cref="ObjectName.None"/> where the histories have nothing in common), or why there is none.</returns>
    public (ObjectName Tree, string? Refusal) Find(CommitData ours, CommitData theirs)
    {
        var (commit, refusal) = Single(ours, theirs);
        return (commit?.Tree ?? ObjectName.None, refusal);
    }

    private (CommitData? Commit, string? Refusal) Single(CommitData ours, CommitData theirs)
    {
        var bases = History.MergeBases(ours, theirs, Read);
        if (bases.Count == 0) return (null, null);
        if (bases.Count >= MaxBases) return (null, $"The change and its branch have {bases.Count} merge bases, which Gerrit does not merge: rebase the change");
        var current = bases[0];
        for (var i = 1; i < bases.Count; i++)
        {
            var (below, refusal) = Single(current, bases[i]);
            if (refusal is not null) return (null, refusal);
            var merge = new TreeMerge(repository, TreeMergeMode.VirtualBase, cancellationToken);
            var tree = merge.Merge(below?.Tree ?? ObjectName.None, current.Tree, bases[i].Tree);
            if (merge.Conflicts.Count > 0) return (null, "The change and its branch have several merge bases, and those conflict in a binary file: rebase the change");
            current = Make(tree, [.. bases[..(i + 1)]]);
        }

        return (current, null);
    }

    private CommitData Read(ObjectName name) => made.TryGetValue(name, out var own) ? own : repository.Commit(name);

    private CommitData Make(ObjectName tree, List<CommitData> parents)
    {
        var name = new ObjectName(0, 0, (uint)made.Count + 1);
        return made[name] = new CommitData(name, tree, [.. parents.Select(one => one.Id)]) { CommitTime = parents.Max(one => one.CommitTime) + 1 };
    }
}
