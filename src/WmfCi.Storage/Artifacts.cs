using System.Text.Json;
using Npgsql;
using WmfCi.Core;
using WmfCi.Core.Runs;

namespace WmfCi.Storage;

/// <summary>A file that an attempt left in the store.</summary>
/// <param name="Path">Relative to the workspace.</param>
/// <param name="Digest">Its SHA-256.</param>
/// <param name="Size">In bytes.</param>
/// <param name="IsReport">Whether it is a test report.</param>
public sealed record StoredArtifact(string Path, string Digest, long Size, bool IsReport);

/// <summary>A published source.</summary>
/// <param name="Digest">What names it in the store.</param>
/// <param name="Size">In bytes, compressed.</param>
/// <param name="Submodules">The repositories within it, which are recorded and not fetched.</param>
public sealed record StoredSnapshot(string Digest, long Size, ValueArray<Submodule> Submodules);

/// <summary>Which bytes of the store belong to what.</summary>
/// <param name="source">The database.</param>
public sealed class Artifacts(NpgsqlDataSource source)
{
    /// <summary>The statements that record what an attempt left, for the transaction that records its end.</summary>
    public static IEnumerable<NpgsqlBatchCommand> Add(AttemptId id, IReadOnlyCollection<StoredArtifact> files)
    {
        if (files.Count == 0) yield break;
        yield return Sql.Statement(
            "insert into artifacts (run, stage, attempt, path, digest, size, is_report) select $1, $2, $3, * from unnest($4::text[], $5::text[], $6::bigint[], $7::boolean[]) on conflict do nothing",
            Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number), Sql.Value(files.Select(file => file.Path).ToArray()), Sql.Value(files.Select(file => file.Digest).ToArray()),
            Sql.Value(files.Select(file => file.Size).ToArray()), Sql.Value(files.Select(file => file.IsReport).ToArray()));
    }

    /// <summary>What an attempt left, by path.</summary>
    public async Task<IReadOnlyList<StoredArtifact>> OfAttemptAsync(AttemptId id, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "select path, digest, size, is_report from artifacts where run = $1 and stage = $2 and attempt = $3 order by path", Sql.Value(id.Run.Value), Sql.Value(id.Stage), Sql.Value(id.Number));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var files = new List<StoredArtifact>();
        while (await reader.ReadAsync(cancellationToken)) files.Add(new StoredArtifact(reader.GetString(0), reader.GetString(1), reader.GetInt64(2), reader.GetBoolean(3)));
        return files;
    }

    /// <summary>The published source of a tree, if there is one.</summary>
    public async Task<StoredSnapshot?> FindSnapshotAsync(string project, string tree, bool history, CancellationToken cancellationToken)
    {
        await using var command = source.Command("select digest, size, submodules from snapshots where project = $1 and tree = $2 and history = $3", Sql.Value(project), Sql.Value(tree), Sql.Value(history));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken)
            ? new StoredSnapshot(reader.GetString(0), reader.GetInt64(1), JsonSerializer.Deserialize<ValueArray<Submodule>>(reader.GetString(2), CoreJson.Options))
            : null;
    }

    /// <summary>Records a published source; the first to publish a tree names it.</summary>
    public async Task AddSnapshotAsync(string project, string tree, bool history, StoredSnapshot snapshot, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "insert into snapshots (project, tree, history, digest, size, submodules) values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
            Sql.Value(project), Sql.Value(tree), Sql.Value(history), Sql.Value(snapshot.Digest), Sql.Value(snapshot.Size),
            Sql.Json(JsonSerializer.Serialize(snapshot.Submodules, CoreJson.Options)));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
