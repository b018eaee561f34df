using Npgsql;
using WmfCi.Core.Runs;

namespace WmfCi.Storage;

/// <summary>What is known of an attempt's log.</summary>
/// <param name="Size">In bytes, so far.</param>
/// <param name="Lines">Lines that have ended so far.</param>
/// <param name="Digest">What names it in the store once it is whole; null while it grows.</param>
public sealed record LogState(long Size, long Lines, string? Digest);

/// <summary>A piece of a growing log.</summary>
/// <param name="Start">The place of its first byte.</param>
/// <param name="FirstLine">How many lines ended before it.</param>
/// <param name="Bytes">Its bytes.</param>
public sealed record LogChunk(long Start, long FirstLine, byte[] Bytes);

/// <summary>Logs while they grow: any replica writes, any replica shows. When an attempt ends its log goes to the store whole, and the pieces here go.</summary>
/// <param name="source">The database.</param>
public sealed class Logs(NpgsqlDataSource source)
{
    /// <summary>Adds a piece at the end. The same piece again is harmless, and so is one that comes after the log was closed.</summary>
    public async Task AppendAsync(AttemptId id, LogChunk chunk, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        var ended = chunk.FirstLine + chunk.Bytes.AsSpan().Count((byte)'\n');
        // The log's row is locked first, as when it is closed: a piece is either removed with the others or not stored.
        batch.BatchCommands.Add(Sql.Statement(
            """
            insert into logs (run, stage, attempt, size, lines) values ($1, $2, $3, $4, $5)
            on conflict (run, stage, attempt) do update set size = greatest(logs.size, excluded.size), lines = greatest(logs.lines, excluded.lines) where logs.digest is null
            """,
            Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number), Sql.Value(chunk.Start + chunk.Bytes.Length), Sql.Value(ended)));
        batch.BatchCommands.Add(Sql.Statement(
            """
            insert into log_chunks (run, stage, attempt, start, first_line, bytes)
            select run, stage, attempt, $4, $5, $6 from logs where run = $1 and stage = $2 and attempt = $3 and digest is null on conflict do nothing
            """,
            Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number), Sql.Value(chunk.Start), Sql.Value(chunk.FirstLine), Sql.Value(chunk.Bytes)));
        batch.BatchCommands.Add(Sql.Statement("select pg_notify($1, $2)", Sql.Value(Wakeups.Logs), Sql.Value(id.ToString())));
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The statements that replace the pieces by the whole log in the store, for the transaction that records the attempt's end.</summary>
    public static IEnumerable<NpgsqlBatchCommand> Close(AttemptId id, LogState whole)
    {
        yield return Sql.Statement(
            """
            insert into logs (run, stage, attempt, size, lines, digest) values ($1, $2, $3, $4, $5, $6)
            on conflict (run, stage, attempt) do update set size = excluded.size, lines = excluded.lines, digest = excluded.digest
            """,
            Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number), Sql.Value(whole.Size), Sql.Value(whole.Lines), Sql.Nullable(whole.Digest, NpgsqlTypes.NpgsqlDbType.Text));
        yield return Sql.Statement("delete from log_chunks where run = $1 and stage = $2 and attempt = $3", Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number));
        yield return Sql.Statement("select pg_notify($1, $2)", Sql.Value(Wakeups.Logs), Sql.Value(id.ToString()));
    }

    /// <summary>What is known of a log; null when the attempt has none yet.</summary>
    public async Task<LogState?> FindAsync(AttemptId id, CancellationToken cancellationToken)
    {
        await using var command = source.Command("select size, lines, digest from logs where run = $1 and stage = $2 and attempt = $3", Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken) ? new LogState(reader.GetInt64(0), reader.GetInt64(1), reader.GetValue(2) as string) : null;
    }

    /// <summary>The pieces of a growing log from a place on, at most <paramref name="max"/> of them. The first is the one that has the place in it, and may begin before it.</summary>
    public async Task<IReadOnlyList<LogChunk>> ReadAsync(AttemptId id, long from, int max, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            """
            select start, first_line, bytes from log_chunks
            where run = $1 and stage = $2 and attempt = $3 and start + length(bytes) > $4
              and start >= coalesce((select max(start) from log_chunks where run = $1 and stage = $2 and attempt = $3 and start <= $4), 0)
            order by start limit $5
            """,
            Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number), Sql.Value(from), Sql.Value(max));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var chunks = new List<LogChunk>();
        while (await reader.ReadAsync(cancellationToken)) chunks.Add(new LogChunk(reader.GetInt64(0), reader.GetInt64(1), await reader.GetFieldValueAsync<byte[]>(2, cancellationToken)));
        return chunks;
    }

    /// <summary>Forgets what an earlier holder of the attempt wrote, before it is begun anew.</summary>
    public async Task RestartAsync(AttemptId id, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var table in (string[])["logs", "log_chunks"])
        {
            batch.BatchCommands.Add(Sql.Statement(
                $"delete from {table} where run = $1 and stage = $2 and attempt = $3", Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number)));
        }
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }
}
