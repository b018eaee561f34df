using System.Text.Json;
using Npgsql;
using WmfCi.Core;
using WmfCi.Core.Rules;

namespace WmfCi.Storage;

/// <summary>An event for a lane.</summary>
/// <param name="Lane">The lane's key.</param>
/// <param name="Event">What happened.</param>
public sealed record LaneEvent(string Lane, Event Event);

/// <summary>Where everything that happens is stored before anything acts on it.</summary>
/// <param name="source">The database.</param>
public sealed class Inbox(NpgsqlDataSource source)
{
    /// <summary>Stores events; when this returns they are safe, and the loop is awake.</summary>
    public async Task AddAsync(IReadOnlyCollection<LaneEvent> events, CancellationToken cancellationToken)
    {
        if (events.Count == 0) return;
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var statement in Add(events)) batch.BatchCommands.Add(statement);
        await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>
    /// The statements that store events, for a transaction that does more. They come first in it: a lane's row is locked before anything that belongs to the lane, and
    /// several lanes in the order of their keys, so that no two transactions wait for one another in a circle. It also makes the numbers of one lane's events grow in the
    /// order in which they become visible.
    /// </summary>
    internal static IEnumerable<NpgsqlBatchCommand> Add(IReadOnlyCollection<LaneEvent> events)
    {
        // The database sorts, as it does when lanes are saved: its order of texts and the program's differ.
        yield return Sql.Statement(
            """
            insert into lanes (key, ready_at) select key, now() from (select distinct unnest($1::text[]) as key) wanted order by key collate "C"
            on conflict (key) do update set ready_at = least(lanes.ready_at, now())
            """,
            Sql.Value(events.Select(one => one.Lane).Distinct(StringComparer.Ordinal).ToArray()));
        yield return Sql.Statement(
            "insert into events (lane, body) select * from unnest($1::text[], $2::json[])",
            Sql.Value(events.Select(one => one.Lane).ToArray()),
            Sql.JsonArray([.. events.Select(one => JsonSerializer.Serialize(one.Event, CoreJson.Options))]));
        yield return Sql.Statement($"select pg_notify('{Wakeups.Lanes}', '')");
    }
}
