using System.Buffers;
using System.Text;

namespace WmfCi.Kubernetes.Tests;

public sealed class LogAssemblyTests
{
    private const long Most = 1000;
    private readonly List<(long Offset, string Text, long Missing)> _pieces = [];

    [Fact]
    public void Frames_that_follow_one_another_are_one_piece()
    {
        Read(new FramedLog(0, Most), "0+one", "4+two", "8-thr", "11+ee");
        _pieces.ShouldBe([(0, "one\ntwo\nthree\n", 0)]);
    }

    [Fact]
    public void What_was_there_before_is_left_out_even_half_of_a_frame()
    {
        var log = new FramedLog(2, Most);
        Read(log, "0+one", "4+two");
        Read(log, "0+one", "4+two", "8+three");
        _pieces.ShouldBe([(2, "e\ntwo\n", 0), (8, "three\n", 0)]);
        log.Foreign.ShouldBe(0);
    }

    [Fact]
    public void A_gap_is_told_with_what_comes_after_it()
    {
        Read(new FramedLog(0, Most), "0+one", "100+far");
        _pieces.ShouldBe([(0, "one\n", 0), (100, "far\n", 96)]);
    }

    [Theory]
    [InlineData("no frame"), InlineData("-5+x"), InlineData("+x"), InlineData("5"), InlineData("99999999999999999999+x"), InlineData("5000+beyond the bound")]
    public void A_line_that_is_no_frame_is_counted_and_changes_nothing(string line)
    {
        var log = new FramedLog(0, Most);
        Read(log, "0+one", line, "4+two");
        _pieces.ShouldBe([(0, "one\ntwo\n", 0)]);
        log.Foreign.ShouldBe(1);
    }

    [Fact]
    public void A_line_without_a_time_is_counted()
    {
        var log = new FramedLog(0, Most);
        log.Take(Bytes("0+one"));
        log.Take(Bytes("yesterday 0+one"));
        (log.Foreign, log.Next).ShouldBe((2, 0));
    }

    [Fact]
    public void No_more_is_taken_than_the_bound()
    {
        Read(new FramedLog(0, 6), "0+one", "4+two", "8+three");
        _pieces.ShouldBe([(0, "one\ntw", 0)]);
    }

    [Fact]
    public void Of_plain_lines_those_are_repeated_whose_time_and_text_are_the_same()
    {
        var log = new PlainLog(Most);
        Take(log, "2026-11-23T10:00:00.1Z a", "2026-11-23T10:00:01.2Z same", "2026-11-23T10:00:01.3Z same");
        log.Connected();
        Take(log, "2026-11-23T10:00:01.2Z same", "2026-11-23T10:00:01.3Z same", "2026-11-23T10:00:01.3Z other", "2026-11-23T10:00:02.3Z same");
        _pieces.ShouldBe([(0, "a\nsame\nsame\n", 0), (12, "other\nsame\n", 0)]);
    }

    [Fact]
    public async Task A_line_that_is_too_long_is_left_out_and_those_around_it_are_not()
    {
        var text = $"one\n{new string('x', 200_000)}\ntwo\nrest";
        await using var reader = new LineReader(new MemoryStream(Encoding.UTF8.GetBytes(text)), 100);
        var lines = new List<string>();
        while (await reader.MoreAsync(TestContext.Current.CancellationToken))
        {
            while (reader.TryTake(out var line)) lines.Add(Encoding.UTF8.GetString(line));
        }
        lines.ShouldBe(["one", "two"]);
        Encoding.UTF8.GetString(reader.Rest).ShouldBe("rest");
        reader.TooLong.ShouldBe(1);
    }

    private static ReadOnlySequence<byte> Bytes(string line) => new(Encoding.UTF8.GetBytes(line));

    private void Read(LogAssembly log, params string[] frames) => Take(log, [.. frames.Select(frame => $"2026-11-23T10:00:00.123456789Z {frame}")]);

    private void Take(LogAssembly log, params string[] lines)
    {
        foreach (var line in lines) Keep(log.Take(Bytes(line)));
        Keep(log.Flush());
    }

    private void Keep(LogPiece? piece)
    {
        if (piece is { } kept) _pieces.Add((kept.Offset, Encoding.UTF8.GetString(kept.Bytes.Span), kept.Missing));
    }
}
