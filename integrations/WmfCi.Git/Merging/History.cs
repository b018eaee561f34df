namespace WmfCi.Git;

/// <summary>Questions about ancestry, answered by walking commits from the newest.</summary>
internal static class History
{
    [Flags]
    private enum Marks
    {
        None = 0,
        Left = 1,
        Right = 2,
        Both = Left | Right,
        Stale = 4, // an ancestor of a merge base
        Base = 8,
    }

    /// <summary>The merge bases in the order in which JGit finds them (newest first): with several, that order decides how they are merged.</summary>
    public static List<CommitData> MergeBases(CommitData left, CommitData right, Func<ObjectName, CommitData> read)
    {
        if (left.Id == right.Id) return [left];
        var marks = new Dictionary<ObjectName, Marks> { [left.Id] = Marks.Left, [right.Id] = Marks.Right };
        var queue = new NewestFirst([left, right]);
        var fresh = 2; // waiting commits that are not below a base yet
        var found = new List<CommitData>();
        while (fresh > 0 && queue.Next() is { } commit)
        {
            var mark = marks[commit.Id];
            if ((mark & Marks.Stale) == Marks.None) fresh--;
            var carried = mark & (Marks.Both | Marks.Stale);
            if ((mark & (Marks.Both | Marks.Stale | Marks.Base)) == Marks.Both)
            {
                marks[commit.Id] = mark | Marks.Base;
                found.Add(commit);
            }

            if ((mark & Marks.Both) == Marks.Both) carried |= Marks.Stale;
            foreach (var parent in commit.Parents)
            {
                var known = marks.GetValueOrDefault(parent);
                if ((known & carried) == carried) continue;
                marks[parent] = known | carried;
                var next = read(parent);
                var waiting = queue.Contains(parent);
                if (!waiting) queue.Add(next);
                var wasFresh = waiting && (known & Marks.Stale) == Marks.None;
                var isFresh = ((known | carried) & Marks.Stale) == Marks.None;
                fresh += (isFresh ? 1 : 0) - (wasFresh ? 1 : 0);
            }
        }

        return found.FindAll(one => (marks[one.Id] & Marks.Stale) == Marks.None);
    }

    /// <summary>Whether <paramref name="ancestor"/> is <paramref name="tip"/> or below it.</summary>
    public static bool IsAncestor(CommitData ancestor, CommitData tip, Func<ObjectName, CommitData> read) =>
        MergeBases(ancestor, tip, read) is [var only] && only.Id == ancestor.Id;

    /// <summary>The commits below <paramref name="tip"/> that <paramref name="merged"/> does not have, parents before children.</summary>
    /// <exception cref="GitObjectException">There are more than <paramref name="limit"/>.</exception>
    public static List<CommitData> Unmerged(CommitData tip, CommitData merged, int limit, Func<ObjectName, CommitData> read)
    {
        var below = new HashSet<ObjectName>();
        var (order, seen) = (new List<CommitData>(), new HashSet<ObjectName>());
        var stack = new Stack<(CommitData Commit, bool Done)>([(tip, false)]);
        while (stack.TryPop(out var item))
        {
            var (commit, done) = item;
            if (done)
            {
                order.Add(commit);
                continue;
            }

            if (below.Contains(commit.Id) || !seen.Add(commit.Id)) continue;
            if (IsAncestor(commit, merged, read))
            {
                below.Add(commit.Id);
                continue;
            }

            if (seen.Count > limit) throw new GitObjectException($"The change brings more than {limit} commits that its branch does not have: rebase it");
            stack.Push((commit, true));
            for (var i = commit.Parents.Length - 1; i >= 0; i--) stack.Push((read(commit.Parents[i]), false));
        }

        return order;
    }

    // JGit's queue: newest first; of the same second, in the order in which they came.
    private sealed class NewestFirst
    {
        private readonly LinkedList<CommitData> waiting = new();
        private readonly HashSet<ObjectName> names = [];

        public NewestFirst(IEnumerable<CommitData> commits)
        {
            foreach (var commit in commits) Add(commit);
        }

        public bool Contains(ObjectName name) => names.Contains(name);

        public void Add(CommitData commit)
        {
            names.Add(commit.Id);
            var newer = waiting.Last;
            while (newer is not null && newer.Value.CommitTime < commit.CommitTime) newer = newer.Previous;
            if (newer is null) waiting.AddFirst(commit);
            else waiting.AddAfter(newer, commit);
        }

        public CommitData? Next()
        {
            if (waiting.First is not { } first) return null;
            waiting.RemoveFirst();
            names.Remove(first.Value.Id);
            return first.Value;
        }
    }
}
