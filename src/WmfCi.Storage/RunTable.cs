using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Core.Runs;

namespace WmfCi.Storage;

/// <summary>A run as pages list it.</summary>
/// <param name="Run">The run.</param>
/// <param name="IsHidden">Whether its change may not be known.</param>
public sealed record StoredRun(Run Run, bool IsHidden);

/// <summary>All runs, for pages and metrics. Written with the decisions; nothing is decided by it.</summary>
/// <param name="source">The database.</param>
public sealed class RunTable(NpgsqlDataSource source)
{
    internal static void Add(NpgsqlBatch batch, LaneOutcome outcome)
    {
        foreach (var run in outcome.After.Runs.Where(run => outcome.Before.Find(run.Id) != run))
        {
            // A repository that asks for nothing gets nothing: not even a line on a page.
            var hidden = run.Result == RunResult.NothingToDo || outcome.After.Change is null;
            batch.BatchCommands.Add(Sql.Statement(
                """
                insert into runs (id, project, number, patch_set, created, finished, result, hidden, doc) values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                on conflict (id) do update set finished = excluded.finished, result = excluded.result, hidden = excluded.hidden, doc = excluded.doc
                """,
                Sql.Value(run.Id.Value), Sql.Value(run.Change.Project), Sql.Value(run.Change.Number), Sql.Value(run.PatchSet.Number), Sql.Value(run.Created.ToUniversalTime()),
                Sql.Nullable(run.Finished?.ToUniversalTime(), NpgsqlDbType.TimestampTz), Sql.Nullable(run.Result?.ToString(), NpgsqlDbType.Text), Sql.Value(hidden),
                Sql.Json(JsonSerializer.Serialize(run, CoreJson.Options))));
        }
        if (!ChangeId.TryFromLane(outcome.Claim.Key, out var id) || (outcome.Before.Change is null) == (outcome.After.Change is null)) return;
        batch.BatchCommands.Add(Sql.Statement(
            "update runs set hidden = $3 or coalesce(result = 'NothingToDo', false) where project = $1 and number = $2",
            Sql.Value(id.Project), Sql.Value(id.Number), Sql.Value(outcome.After.Change is null)));
    }

    /// <summary>A run.</summary>
    public async Task<StoredRun?> FindAsync(RunId id, CancellationToken cancellationToken)
    {
        var found = await ReadAsync(source.Command("select doc, hidden from runs where id = $1", Sql.Value(id.Value)), cancellationToken);
        return found.Count == 0 ? null : found[0];
    }

    /// <summary>The runs that go on, oldest first.</summary>
    public Task<IReadOnlyList<StoredRun>> ActiveAsync(int max, CancellationToken cancellationToken) =>
        ReadAsync(source.Command("select doc, hidden from runs where result is null and not hidden order by id limit $1", Sql.Value(max)), cancellationToken);

    /// <summary>The newest runs before one, newest first.</summary>
    public Task<IReadOnlyList<StoredRun>> RecentAsync(RunId before, int max, CancellationToken cancellationToken) =>
        ReadAsync(source.Command("select doc, hidden from runs where not hidden and id < $1 order by id desc limit $2", Sql.Value(before.Value), Sql.Value(max)), cancellationToken);

    /// <summary>The newest runs of a project before one, newest first.</summary>
    public Task<IReadOnlyList<StoredRun>> OfProjectAsync(string project, RunId before, int max, CancellationToken cancellationToken) =>
        ReadAsync(source.Command("select doc, hidden from runs where project = $1 and not hidden and id < $2 order by id desc limit $3", Sql.Value(project), Sql.Value(before.Value), Sql.Value(max)), cancellationToken);

    /// <summary>The runs of a change, newest first.</summary>
    public Task<IReadOnlyList<StoredRun>> OfChangeAsync(ChangeId change, int max, CancellationToken cancellationToken) =>
        ReadAsync(source.Command("select doc, hidden from runs where project = $1 and number = $2 and not hidden order by id desc limit $3", Sql.Value(change.Project), Sql.Value(change.Number), Sql.Value(max)), cancellationToken);

    private static async Task<IReadOnlyList<StoredRun>> ReadAsync(NpgsqlCommand query, CancellationToken cancellationToken)
    {
        await using var command = query;
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var runs = new List<StoredRun>();
        while (await reader.ReadAsync(cancellationToken))
            runs.Add(new StoredRun(JsonSerializer.Deserialize<Run>(reader.GetString(0), CoreJson.Options)!, reader.GetBoolean(1)));
        return runs;
    }
}
