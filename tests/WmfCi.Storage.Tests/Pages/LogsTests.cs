using System.Text;
using Npgsql;
using WmfCi.Core.Runs;

namespace WmfCi.Storage.Tests.Pages;

public sealed class LogsTests : DatabaseTest
{
    private static readonly AttemptId Attempt = new(new RunId(3), "commit", 1);
    private static readonly string Digest = new('d', 64);

    private Logs Logs => new(Source);

    [Fact]
    public async Task A_log_that_nobody_wrote_is_unknown()
    {
        (await Logs.FindAsync(Attempt, Cancel)).ShouldBeNull();
        (await Logs.ReadAsync(Attempt, 0, 10, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task A_log_grows_and_tells_its_readers()
    {
        await using var listener = await Listener.StartAsync(Source, Cancel);
        await AppendAsync(0, 0, "one\ntwo\n");
        await AppendAsync(8, 2, "thr");
        await AppendAsync(11, 2, "ee\n");

        await listener.HeardAsync(Wakeups.Logs, "3/commit/1", Cancel);
        (await Logs.FindAsync(Attempt, Cancel)).ShouldBe(new LogState(14, 3, null));
        (await ReadAsync(0)).ShouldBe("one\ntwo\n|thr|ee\n");
        (await Logs.FindAsync(Attempt with { Number = 2 }, Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task The_same_piece_twice_is_there_once()
    {
        await AppendAsync(0, 0, "one\n");
        await AppendAsync(4, 1, "two\n");
        await AppendAsync(0, 0, "one\n");

        (await ReadAsync(0)).ShouldBe("one\n|two\n");
        (await Logs.FindAsync(Attempt, Cancel)).ShouldBe(new LogState(8, 2, null));
    }

    [Theory]
    [InlineData(0, "one\n|two\n|three\n")]
    [InlineData(3, "one\n|two\n|three\n")]
    [InlineData(4, "two\n|three\n")]
    [InlineData(6, "two\n|three\n")]
    [InlineData(13, "three\n")]
    [InlineData(14, "")]
    [InlineData(99, "")]
    public async Task A_log_can_be_read_from_any_place_on(long from, string expected)
    {
        await AppendAsync(0, 0, "one\n");
        await AppendAsync(4, 1, "two\n");
        await AppendAsync(8, 2, "three\n");

        (await ReadAsync(from)).ShouldBe(expected);
        (await Logs.ReadAsync(Attempt, from, 1, Cancel)).Count.ShouldBe(expected.Length == 0 ? 0 : 1);
    }

    [Fact]
    public async Task Bytes_that_are_no_text_survive()
    {
        byte[] bytes = [0, 255, 10, 0xc3, 0x28];
        await Logs.AppendAsync(Attempt, new LogChunk(0, 0, bytes), Cancel);
        (await Logs.ReadAsync(Attempt, 0, 1, Cancel)).Single().Bytes.ShouldBe(bytes);
    }

    [Fact]
    public async Task A_closed_log_has_its_digest_and_no_pieces_and_a_late_piece_changes_nothing()
    {
        await AppendAsync(0, 0, "one\n");
        await CloseAsync(new LogState(8, 2, Digest));
        await AppendAsync(4, 1, "two\nand more\n");

        (await Logs.FindAsync(Attempt, Cancel)).ShouldBe(new LogState(8, 2, Digest));
        (await ReadAsync<long>("select count(*) from log_chunks")).ShouldBe(0);
    }

    [Fact]
    public async Task An_attempt_that_is_begun_anew_has_an_empty_log()
    {
        await AppendAsync(0, 0, "one\ntwo\nthree\n");
        await Logs.RestartAsync(Attempt, Cancel);
        (await Logs.FindAsync(Attempt, Cancel)).ShouldBeNull();

        await AppendAsync(0, 0, "uno\n");
        (await Logs.FindAsync(Attempt, Cancel)).ShouldBe(new LogState(4, 1, null));
        (await ReadAsync(0)).ShouldBe("uno\n");
    }

    private Task AppendAsync(long start, long firstLine, string text) => Logs.AppendAsync(Attempt, new LogChunk(start, firstLine, Encoding.UTF8.GetBytes(text)), Cancel);

    private async Task<string> ReadAsync(long from) =>
        string.Join('|', (await Logs.ReadAsync(Attempt, from, 10, Cancel)).Select(chunk => Encoding.UTF8.GetString(chunk.Bytes)));

    private async Task CloseAsync(LogState whole)
    {
        await using var connection = await Source.OpenConnectionAsync(Cancel);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var statement in Logs.Close(Attempt, whole)) batch.BatchCommands.Add(statement);
        await batch.ExecuteNonQueryAsync(Cancel);
    }
}
