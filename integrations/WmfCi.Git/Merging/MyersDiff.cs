namespace WmfCi.Git;

/// <summary>
/// Myers' O(ND) comparison in linear space, searching from both ends as JGit does; it stands in where a region has no line that is rare enough for
/// <see cref="HistogramDiff"/>. Diagonals are numbered <c>k = y - x</c>, x in A and y in B.
/// </summary>
internal sealed class MyersDiff
{
    private readonly int[] a;
    private readonly int[] b;
    private readonly List<Edit> edits = [];
    private readonly CancellationToken cancellationToken;
    private readonly Search forward;
    private readonly Search backward;
    private Edit window;
    private Edit middle;

    private MyersDiff(int[] a, int[] b, CancellationToken cancellationToken)
    {
        (this.a, this.b, this.cancellationToken) = (a, b, cancellationToken);
        (forward, backward) = (new Search(this, isForward: true), new Search(this, isForward: false));
    }

    /// <summary>The edits within <paramref name="part"/>, in order.</summary>
    public static List<Edit> Compare(int[] a, int[] b, Edit part, CancellationToken cancellationToken)
    {
        var diff = new MyersDiff(a, b, cancellationToken) { window = part };
        var x = diff.forward.Slide(part.BeginB - part.BeginA, part.BeginA);
        var start = part with { BeginA = x, BeginB = x + part.BeginB - part.BeginA };
        diff.window = start;
        var end = diff.backward.Slide(start.EndB - start.EndA, start.EndA);
        diff.Solve(start with { EndA = end, EndB = end + start.EndB - start.EndA });
        return diff.edits;
    }

    private void Solve(Edit part)
    {
        if (part.IsEmpty) return;
        var edit = FindMiddle(part);
        if (part.BeginA < edit.BeginA || part.BeginB < edit.BeginB)
        {
            var k = edit.BeginB - edit.BeginA;
            var x = backward.Slide(k, edit.BeginA);
            Solve(new Edit(part.BeginA, x, part.BeginB, k + x));
        }

        if (!edit.IsEmpty) edits.Add(edit);

        // The window is by now that of the part before, if there was one, so that nothing slides here. JGit has it so, and what it finds next depends on it.
        if (part.EndA > edit.EndA || part.EndB > edit.EndB)
        {
            var k = edit.EndB - edit.EndA;
            var x = forward.Slide(k, edit.EndA);
            Solve(new Edit(x, part.EndA, k + x, part.EndB));
        }
    }

    private Edit FindMiddle(Edit part)
    {
        if (part.LengthA == 0 || part.LengthB == 0) return part;
        window = part;
        var (lowest, highest) = (part.BeginB - part.EndA, part.EndB - part.BeginA);
        forward.Start(part.BeginB - part.BeginA, part.BeginA, (lowest, highest));
        backward.Start(part.EndB - part.EndA, part.EndA, (lowest, highest));
        for (var d = 1; ; d++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (forward.Step(d) || backward.Step(d))
                return middle;
        }
    }

    private bool Meet((int X, int Y) from, (int X, int Y) to)
    {
        // Among equals the two searches may have taken paths that do not fit; an empty edit at one of them forces a choice in the next round.
        if (from.X > to.X || from.Y > to.Y) from = to;
        middle = new Edit(from.X, to.X, from.Y, to.Y);
        return true;
    }

    private sealed class Search(MyersDiff diff, bool isForward)
    {
        private readonly List<(int X, (int X, int Y) Snake)> reached = [];
        private int begin;
        private int end;
        private int center;
        private int lowest;
        private int highest;

        private Search Other => isForward ? diff.backward : diff.forward;

        public void Start(int k, int x, (int Lowest, int Highest) limits)
        {
            (lowest, highest) = limits;
            begin = end = center = k;
            reached.Clear();
            reached.Add((x, (x, k + x)));
        }

        /// <summary>Follows equal lines from x on diagonal k, forwards or backwards.</summary>
        public int Slide(int k, int x)
        {
            var w = diff.window;
            if (isForward)
                while (x < w.EndA && k + x < w.EndB && diff.a[x] == diff.b[k + x]) x++;
            else
                while (x > w.BeginA && k + x > w.BeginB && diff.a[x - 1] == diff.b[k + x - 1]) x--;
            return x;
        }

        /// <summary>Goes one difference further on every diagonal; true when the other search was met.</summary>
        public bool Step(int d)
        {
            var (previousBegin, previousEnd) = (begin, end);
            (begin, end) = (Within(center - d), Within(center + d));
            for (var k = end; k >= begin; k -= 2)
            {
                (int X, (int X, int Y) Snake) left = (-1, default), right = (-1, default);
                if (k > previousBegin && TryNeighbour(d, k - 1, out left)) return true;
                if (k < previousEnd && TryNeighbour(d, k + 1, out right)) return true;
                if (k > previousBegin) left.X -= isForward ? 0 : 1;
                if (k < previousEnd) right.X += isForward ? 1 : 0;
                var best = k >= previousEnd || (k > previousBegin && (isForward ? left.X > right.X : left.X < right.X)) ? left : right;
                if (Meets(d, k, best.X, best.Snake)) return true;
                Narrow(k, best.X);
                Set((d + k - center) / 2, best);
            }

            return false;
        }

        private bool TryNeighbour(int d, int k, out (int X, (int X, int Y) Snake) point)
        {
            var (x, snake) = reached[(d - 1 + k - center) / 2];
            var stop = Slide(k, x);
            if (stop != x) snake = (stop, k + stop);
            point = (stop, snake);
            return Meets(d, k, stop, snake);
        }

        private bool Meets(int d, int k, int x, (int X, int Y) snake)
        {
            var other = Other;
            var otherD = isForward ? d - 1 : d;
            if (k < other.begin || k > other.end || (otherD + k - other.center) % 2 != 0) return false;
            var (otherX, otherSnake) = other.reached[(otherD + k - other.center) / 2];
            if (isForward ? x < otherX : x > otherX) return false;
            return isForward ? diff.Meet(snake, otherSnake) : diff.Meet(otherSnake, snake);
        }

        private void Narrow(int k, int x)
        {
            var w = diff.window;
            if (isForward ? x < w.EndA && k + x < w.EndB : x > w.BeginA && k + x > w.BeginB) return;
            if (k > Other.center) highest = k;
            else lowest = k;
        }

        private int Within(int k) => k < lowest ? lowest + ((k ^ lowest) & 1) : k > highest ? highest - ((k ^ highest) & 1) : k;

        private void Set(int index, (int X, (int X, int Y) Snake) point)
        {
            while (reached.Count <= index) reached.Add(default);
            reached[index] = point;
        }
    }
}
