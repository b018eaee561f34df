using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>How a patch set differs from the one before, in Gerrit's words.</summary>
internal static class ChangeKinds
{
    public const string Rework = "REWORK";
    public const string TrivialRebase = "TRIVIAL_REBASE";
    public const string NoCodeChange = "NO_CODE_CHANGE";
    public const string NoChange = "NO_CHANGE";

    public static async Task<string> BetweenAsync(Repository repository, TreeMerge merge, (CommitInfo Prior, CommitInfo Next) pair, CancellationToken ct)
    {
        var (prior, next) = pair;
        if (prior.Parents.Count != next.Parents.Count) return Rework;
        var sameMessage = prior.Message == next.Message;
        if (prior.Tree == next.Tree && await SameParentTreesAsync(repository, prior, next, ct))
            return sameMessage ? NoChange : NoCodeChange;
        if (next.Parents.Count != 1 || prior.Parents[0] == next.Parents[0]) return Rework;
        var rebased = await merge.MergeAsync(prior.Parents[0], (next.Parents[0], prior.Id), ct);
        if (rebased.Tree != next.Tree) return Rework;
        return sameMessage ? TrivialRebase : "TRIVIAL_REBASE_WITH_MESSAGE_UPDATE";
    }

    private static async Task<bool> SameParentTreesAsync(Repository repository, CommitInfo prior, CommitInfo next, CancellationToken ct)
    {
        if (prior.Parents.SequenceEqual(next.Parents)) return true;
        var before = await repository.CommitsAsync(prior.Parents.ToList(), ct);
        var after = await repository.CommitsAsync(next.Parents.ToList(), ct);
        return before.Select(c => c.Tree).SequenceEqual(after.Select(c => c.Tree));
    }
}
