using System.Collections.Immutable;

namespace WmfCi.Git;

/// <summary>
/// What Gerrit would make of a change and its branch, worked out beforehand in a mirror: the same tree or the same refusal, without work tree or index.
/// docs/merging.md says how it is compared with the real one and what differs.
/// </summary>
public static class SpeculativeMerge
{
    /// <summary>A change that brings more unmerged commits than this is not rebased or picked.</summary>
    public const int MaxCommits = 1000;

    /// <summary>Merges a change into its branch.</summary>
    /// <param name="repository">Where both commits are; receives the new objects, only if it merges cleanly.</param>
    /// <param name="ours">Commit id of the branch's tip (or of what is expected to be there).</param>
    /// <param name="theirs">Commit id of the change's patch set.</param>
    /// <param name="settings">How the project merges.</param>
    /// <param name="cancellationToken">Stops it: texts can be made on which comparing lines takes hours, so give it a time limit.</param>
    /// <exception cref="GitObjectException">A commit is missing, or an object is damaged.</exception>
    public static MergeResult Run(BareRepository repository, string ours, string theirs, MergeSettings settings, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(settings);
        var work = new Work(repository, settings, cancellationToken);
        return work.Submit(repository.Commit(ObjectName.Parse(ours)), repository.Commit(ObjectName.Parse(theirs)));
    }

    private sealed class Work(BareRepository repository, MergeSettings settings, CancellationToken cancellationToken)
    {
        private readonly CommitWriter writer = new(repository, settings);

        public MergeResult Submit(CommitData tip, CommitData change)
        {
            var isBehind = History.IsAncestor(tip, change, repository.Commit);
            if (tip.Id == change.Id || (!isBehind && History.IsAncestor(change, tip, repository.Commit)))
                return new MergeResult.AlreadyMerged(tip.Tree.ToString(), tip.Id.ToString());
            return settings.SubmitType switch
            {
                SubmitType.MergeIfNecessary => isBehind ? Same(change) : Finish(MergeTips(tip, change)),
                SubmitType.MergeAlways => Finish(MergeTips(tip, change)),
                SubmitType.FastForwardOnly => isBehind ? Same(change)
                    : new MergeResult.NotFastForward("The project takes only fast-forwards, and the change does not stand on the tip of its branch: rebase it"),
                SubmitType.CherryPick => Finish(Pick(tip, change)),
                SubmitType.RebaseIfNecessary when isBehind => Same(change),
                SubmitType.RebaseIfNecessary or SubmitType.RebaseAlways => Finish(Rebase(tip, change)),
                _ => throw new ArgumentOutOfRangeException(nameof(change), settings.SubmitType, "No such submit type"),
            };
        }

        private static MergeResult.Merged Same(CommitData change) => new(change.Tree.ToString(), change.Id.ToString());

        private MergeResult Finish((CommitData? Commit, MergeResult.Conflict? Conflict) outcome)
        {
            if (outcome.Commit is not { } commit) return outcome.Conflict!;
            repository.Store(commit.Id);
            return Same(commit);
        }

        // Commit by commit; a merge commit is rebased by what it changed against its first parent, and keeps its others.
        private (CommitData? Commit, MergeResult.Conflict? Conflict) Rebase(CommitData tip, CommitData change)
        {
            foreach (var one in History.Unmerged(change, tip, MaxCommits, repository.Commit))
            {
                var (next, conflict) = Move(tip, one);
                if (next is null) return (null, conflict);
                tip = next;
            }

            return (tip, null);
        }

        // A merge commit cannot be picked: Gerrit merges it.
        private (CommitData? Commit, MergeResult.Conflict? Conflict) Pick(CommitData tip, CommitData change)
        {
            if (change.Parents.Length > 1) return History.IsAncestor(tip, change, repository.Commit) ? (change, null) : MergeTips(tip, change);
            var (picked, conflict) = Move(tip, change);
            return picked?.Tree == tip.Tree ? (tip, null) : (picked, conflict); // nothing left of it: Gerrit makes no commit
        }

        private (CommitData? Commit, MergeResult.Conflict? Conflict) Move(CommitData tip, CommitData one)
        {
            if (one.Parents.IsEmpty) return (null, new MergeResult.Conflict([], "A commit without parent cannot be rebased or picked onto a branch: give it the branch as parent"));
            var (tree, conflict) = MergeTrees(repository.Commit(one.Parents[0]).Tree, tip, one);
            return conflict is not null ? (null, conflict) : (writer.Move(tree, tip, one), null);
        }

        private (CommitData? Commit, MergeResult.Conflict? Conflict) MergeTips(CommitData tip, CommitData change)
        {
            var (original, refusal) = Base(tip, change);
            if (refusal is not null) return (null, new MergeResult.Conflict([], refusal));
            var (tree, conflict) = MergeTrees(original, tip, change);
            return conflict is not null ? (null, conflict) : (writer.Merge(tree, tip, change), null);
        }

        private (ObjectName Tree, string? Refusal) Base(CommitData tip, CommitData change)
        {
            if (settings.UseContentMerge) return new VirtualBase(repository, cancellationToken).Find(tip, change);
            return History.MergeBases(tip, change, repository.Commit) switch
            {
                [] => (ObjectName.None, null),
                [var only] => (only.Tree, null),
                var several => (ObjectName.None, $"The change and its branch have {several.Count} merge bases, which Gerrit does not merge without content merge: rebase the change"),
            };
        }

        private (ObjectName Tree, MergeResult.Conflict? Conflict) MergeTrees(ObjectName original, CommitData ours, CommitData theirs)
        {
            var merge = new TreeMerge(repository, settings.UseContentMerge ? TreeMergeMode.Content : TreeMergeMode.WholeFiles, cancellationToken);
            var tree = merge.Merge(original, ours.Tree, theirs.Tree);
            if (merge.Conflicts.Count == 0) return (tree, null);
            var paths = merge.Conflicts.OrderBy(path => path.Bytes, Comparer<ReadOnlyMemory<byte>>.Create((a, b) => a.Span.SequenceCompareTo(b.Span))).ToImmutableArray();
            return (tree, new MergeResult.Conflict(paths, "The change and its branch changed the same: rebase the change and resolve the conflicts"));
        }
    }
}
