namespace WmfCi.Git.Tests;

/// <summary>The comparison of lines, on random texts of few different lines: what it finds must make the one text of the other.</summary>
public sealed class Line_differences
{
    [Theory]
    [InlineData(3, 40)]
    [InlineData(2, 400)] // every line is too frequent to be a landmark: the other algorithm
    [InlineData(200, 300)]
    public void Turn_one_text_into_the_other_and_come_in_order(int vocabulary, int length)
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            int[] a = [.. Enumerable.Range(0, random.Next(length)).Select(_ => random.Next(vocabulary))];
            var b = Edited(a, random, vocabulary);
            var edits = HistogramDiff.Compare(a, b, vocabulary, TestContext.Current.CancellationToken);
            Apply(a, b, edits).ShouldBe(b, $"seed {seed}");
            for (var i = 1; i < edits.Count; i++) edits[i].BeginA.ShouldBeGreaterThanOrEqualTo(edits[i - 1].EndA, $"seed {seed}");
        }
    }

    [Fact]
    public void An_insertion_that_could_stand_in_several_places_stands_in_the_last() =>
        HistogramDiff.Compare([1, 2, 3, 9], [1, 2, 3, 1, 2, 3, 8], 10, TestContext.Current.CancellationToken)[0].ShouldBe(new Edit(3, 4, 3, 7));

    [Fact]
    public void Texts_made_to_take_hours_can_be_stopped()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        var random = new Random(1);
        int[] Text() => [.. Enumerable.Range(0, 300_000).Select(_ => random.Next(2))];
        Should.Throw<OperationCanceledException>(() => HistogramDiff.Compare(Text(), Text(), 2, stop.Token));
    }

    [Fact]
    public void Equal_texts_have_no_differences() => HistogramDiff.Compare([1, 2, 3], [1, 2, 3], 4, TestContext.Current.CancellationToken).ShouldBeEmpty();

    private static int[] Edited(int[] a, Random random, int vocabulary)
    {
        var b = a.ToList();
        for (var times = random.Next(6); times > 0; times--)
        {
            var at = random.Next(b.Count + 1);
            if (random.Next(2) == 0) b.RemoveRange(at, Math.Min(random.Next(4), b.Count - at));
            else b.InsertRange(at, Enumerable.Range(0, random.Next(4)).Select(_ => random.Next(vocabulary)));
        }

        return [.. b];
    }

    private static int[] Apply(int[] a, int[] b, List<Edit> edits)
    {
        var result = new List<int>();
        var at = 0;
        foreach (var edit in edits)
        {
            result.AddRange(a[at..edit.BeginA]);
            result.AddRange(b[edit.BeginB..edit.EndB]);
            at = edit.EndA;
        }

        result.AddRange(a[at..]);
        return [.. result];
    }
}
