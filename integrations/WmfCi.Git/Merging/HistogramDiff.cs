namespace WmfCi.Git;

/// <summary>
/// The line differences that JGit finds (its histogram algorithm, with its order of choices among equals), because where they begin and end decides
/// whether two edits touch: xdiff, which git and libgit2 use, places them elsewhere often enough to make another verdict or even another text.
/// Lines are numbers here, equal where the lines are equal.
/// </summary>
internal sealed class HistogramDiff
{
    /// <summary>A line that is in a region more often than this is no landmark there (JGit's limit).</summary>
    private const int MaxOccurrences = 64;

    private const int Nowhere = -1;
    private readonly int[] a;
    private readonly int[] b;
    private readonly int[] occurrences; // by line: how often in the region of A
    private readonly int[] first; // by line: its first place in the region of A
    private readonly int[] next; // by place in A: the next place of the same line
    private readonly List<Edit> edits = [];
    private Edit region;
    private Edit common; // the best common run so far
    private int rarity; // occurrences of the rarest line in it
    private bool anyCommon;

    private HistogramDiff(int[] a, int[] b, int lines)
    {
        (this.a, this.b) = (a, b);
        (occurrences, first, next) = (new int[lines], new int[lines], new int[a.Length]);
    }

    /// <summary>The edits that make <paramref name="b"/> of <paramref name="a"/>, in order.</summary>
    /// <param name="a">The older text, a number per line.</param>
    /// <param name="b">The newer text.</param>
    /// <param name="lines">One more than the greatest number in either.</param>
    /// <param name="cancellationToken">Stops it: the time may grow with the square of the length.</param>
    public static List<Edit> Compare(int[] a, int[] b, int lines, CancellationToken cancellationToken)
    {
        var start = 0;
        while (start < a.Length && start < b.Length && a[start] == b[start]) start++;
        var (endA, endB) = (a.Length, b.Length);
        while (endA > start && endB > start && a[endA - 1] == b[endB - 1]) (endA, endB) = (endA - 1, endB - 1);
        var whole = new Edit(start, endA, start, endB);
        if (whole.IsEmpty) return [];
        if (!whole.IsReplacement || (whole.LengthA == 1 && whole.LengthB == 1)) return [whole];
        var diff = new HistogramDiff(a, b, lines);
        diff.Split(whole, cancellationToken);
        diff.MoveDown();
        return diff.edits;
    }

    private void Split(Edit whole, CancellationToken cancellationToken)
    {
        var waiting = new Stack<Edit>([whole]);
        while (waiting.TryPop(out var part))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!part.IsReplacement || (part.LengthA == 1 && part.LengthB == 1))
            {
                edits.Add(part);
                continue;
            }

            if (!FindLandmark(part)) edits.AddRange(MyersDiff.Compare(a, b, part, cancellationToken));
            else if (common.IsEmpty) edits.Add(part);
            else
            {
                var (before, after) = (new Edit(part.BeginA, common.BeginA, part.BeginB, common.BeginB), new Edit(common.EndA, part.EndA, common.EndB, part.EndB));
                if (!after.IsEmpty) waiting.Push(after);
                if (!before.IsEmpty) waiting.Push(before);
            }
        }
    }

    /// <summary>Sets <see cref="common"/> to the run to split at; false if all that is common is too frequent to tell.</summary>
    private bool FindLandmark(Edit part)
    {
        (region, common, rarity, anyCommon) = (part, default, MaxOccurrences + 1, false);
        for (var i = part.BeginA; i < part.EndA; i++) occurrences[a[i]] = 0;
        for (var i = part.BeginB; i < part.EndB; i++) occurrences[b[i]] = 0;
        for (var i = part.EndA - 1; i >= part.BeginA; i--)
        {
            next[i] = occurrences[a[i]]++ > 0 ? first[a[i]] : Nowhere;
            first[a[i]] = i;
        }

        for (var at = part.BeginB; at < part.EndB;) at = TryRunsThrough(at);
        return !anyCommon || rarity <= MaxOccurrences;
    }

    /// <summary>Looks at every common run through line <paramref name="at"/> of B; returns where to go on.</summary>
    private int TryRunsThrough(int at)
    {
        var continueAt = at + 1;
        var line = b[at];
        if (occurrences[line] == 0) return continueAt;
        anyCommon = true;
        if (occurrences[line] > rarity) return continueAt;
        for (var place = first[line]; place != Nowhere;)
        {
            var run = Grow(place, at, out var rarest);
            continueAt = Math.Max(continueAt, run.EndB);
            if (run.LengthA > common.LengthA || rarest < rarity) (common, rarity) = (run, rarest);
            for (place = next[place]; place != Nowhere && place < run.EndA;) place = next[place];
        }

        return continueAt;
    }

    private Edit Grow(int inA, int inB, out int rarest)
    {
        rarest = occurrences[a[inA]];
        var (beginA, beginB, endA, endB) = (inA, inB, inA + 1, inB + 1);
        while (beginA > region.BeginA && beginB > region.BeginB && a[beginA - 1] == b[beginB - 1])
        {
            (beginA, beginB) = (beginA - 1, beginB - 1);
            rarest = Math.Min(rarest, occurrences[a[beginA]]);
        }

        while (endA < region.EndA && endB < region.EndB && a[endA] == b[endB])
        {
            rarest = Math.Min(rarest, occurrences[a[endA]]);
            (endA, endB) = (endA + 1, endB + 1);
        }

        return new Edit(beginA, endA, beginB, endB);
    }

    /// <summary>An insertion or deletion that could as well stand lower stands as low as it can.</summary>
    private void MoveDown()
    {
        var (limitA, limitB) = (a.Length, b.Length);
        for (var i = edits.Count - 1; i >= 0; i--)
        {
            var edit = edits[i];
            while (edit.EndA < limitA && edit.EndB < limitB
                && ((edit.IsInsertion && b[edit.BeginB] == b[edit.EndB]) || (edit.IsDeletion && a[edit.BeginA] == a[edit.EndA])))
                edit = edit.Shift(1);
            edits[i] = edit;
            (limitA, limitB) = (edit.BeginA, edit.BeginB);
        }
    }
}
