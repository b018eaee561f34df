using System.Text.Json;
using Npgsql;
using NpgsqlTypes;
using WmfCi.Core;
using WmfCi.Core.Rules;

namespace WmfCi.Storage;

/// <summary>An event as it was stored.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Body">Its JSON; read only when it is handled, so that a broken one harms nothing else.</param>
/// <param name="Attempts">How often it was taken, this time included.</param>
public sealed record StoredEvent(long Id, string Body, int Attempts)
{
    /// <summary>The event.</summary>
    /// <exception cref="JsonException">It cannot be read.</exception>
    public Event Read() => JsonSerializer.Deserialize<Event>(Body, CoreJson.Options) ?? throw new JsonException("The event is null.");
}

/// <summary>A lane that this replica may decide about, until somebody else claims it.</summary>
/// <param name="Key">The lane.</param>
/// <param name="State">The JSON of its state; null before the first decision.</param>
/// <param name="Epoch">The number of this claim.</param>
/// <param name="Events">What waits in it, oldest first.</param>
public sealed record LaneClaim(string Key, string? State, long Epoch, IReadOnlyList<StoredEvent> Events)
{
    /// <summary>The lane's state.</summary>
    /// <exception cref="JsonException">It cannot be read.</exception>
    public ChangeLane ReadState() => State is null ? new ChangeLane() : JsonSerializer.Deserialize<ChangeLane>(State, CoreJson.Options) ?? new ChangeLane();
}

/// <summary>What became of the events of one claim.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Before">The state that it was decided on.</param>
/// <param name="After">The state to save.</param>
/// <param name="Effects">What is to be done.</param>
/// <param name="Handled">The events that are dealt with.</param>
/// <param name="Failed">The events that could not be handled.</param>
public sealed record LaneOutcome(
    LaneClaim Claim, ChangeLane Before, ChangeLane After, IReadOnlyList<Effect> Effects, IReadOnlyList<long> Handled, IReadOnlyList<FailedEvent> Failed);

/// <summary>An event that could not be handled.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Reason">Why.</param>
/// <param name="RetryAfter">When to try again; null to set it aside until somebody releases it.</param>
public sealed record FailedEvent(long Id, string Reason, TimeSpan? RetryAfter);

/// <summary>
/// Claims lanes, and saves what was decided. Claiming and saving are two transactions: the attempt counter is stored before an event is handled, so that an event
/// that kills the process is found out. The epoch fences: a claim that was overtaken saves nothing.
/// </summary>
/// <param name="source">The database.</param>
/// <param name="times">How long claims hold; <see cref="LeaseTimes.Default"/> without.</param>
public sealed class Lanes(NpgsqlDataSource source, LeaseTimes? times = null)
{
    /// <summary>How many events of one lane are handled in one go.</summary>
    public const int MaxEventsPerClaim = 100;

    /// <summary>How long a claim holds. Deciding takes microseconds; this is for a process that stops in the middle.</summary>
    public TimeSpan Lease { get; } = (times ?? LeaseTimes.Default).Lane;

    // Waiting lanes are chosen in a step of their own, since a subquery in the condition might be run again for every row. The lane may have been saved between this
    // statement's view of the tables and its lock: then the view still has events that are handled by now, which is why they are asked once more when they are counted.
    // Events are compared with the clock, not with this transaction's beginning: an event whose transaction began a little later may be visible already, and must not be passed over for its successor.
    private const string ClaimSql = """
        with waiting as materialized (
            select key from lanes where ready_at <= now() and (claimed_until is null or claimed_until < now())
            order by ready_at limit $1 for update skip locked),
        taken as (
            update lanes set epoch = epoch + 1, claimed_until = now() + $2 from waiting where lanes.key = waiting.key
            returning lanes.key, state, epoch),
        chosen as (
            select one.id from taken cross join lateral (
                select id from events where lane = taken.key and state = 0 and available_at <= clock_timestamp() order by id limit $3) one),
        counted as (
            update events set attempts = attempts + 1 where id = any(array(select id from chosen)) and state = 0 and available_at <= clock_timestamp()
            returning id, lane, body, attempts)
        select taken.key, taken.state, taken.epoch, counted.id, counted.body, counted.attempts
        from taken left join counted on counted.lane = taken.key
        order by taken.key, counted.id
        """;

    /// <summary>Takes lanes in which something waits, those that waited longest first; empty when there are none.</summary>
    public async Task<IReadOnlyList<LaneClaim>> ClaimAsync(int max, CancellationToken cancellationToken)
    {
        await using var command = source.Command(ClaimSql, Sql.Value(max), Sql.Value(Lease), Sql.Value(MaxEventsPerClaim));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var claims = new List<LaneClaim>();
        var events = new List<StoredEvent>();
        while (await reader.ReadAsync(cancellationToken))
        {
            var key = reader.GetString(0);
            if (claims.Count == 0 || claims[^1].Key != key)
            {
                events = [];
                claims.Add(new LaneClaim(key, reader.GetValue(1) as string, reader.GetInt64(2), events));
            }
            if (reader.GetValue(3) is long id) events.Add(new StoredEvent(id, reader.GetString(4), reader.GetInt32(5)));
        }
        return claims;
    }

    /// <summary>Saves decisions: states, effects, what pages show, all or nothing.</summary>
    /// <returns>False when one of the lanes was claimed by somebody else meanwhile; then nothing was saved.</returns>
    public async Task<bool> SaveAsync(IReadOnlyList<LaneOutcome> outcomes, CancellationToken cancellationToken)
    {
        if (outcomes.Count == 0) return true;
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection, transaction);
        batch.BatchCommands.Add(Lock(outcomes));
        foreach (var outcome in outcomes) AddEvents(batch, outcome);
        var fences = outcomes.Select(outcome => Release(outcome)).ToList();
        foreach (var fence in fences) batch.BatchCommands.Add(fence);
        foreach (var outcome in outcomes) RunTable.Add(batch, outcome);
        Outbox.Add(batch, outcomes);
        await batch.ExecuteNonQueryAsync(cancellationToken);
        if (fences.Exists(fence => fence.RecordsAffected != 1)) return false;
        await transaction.CommitAsync(cancellationToken);
        return true;
    }

    // In a statement of its own: one that waits for a lock goes on with the view of the tables that it had before, and would not see the event that was stored meanwhile.
    private static NpgsqlBatchCommand Lock(IReadOnlyList<LaneOutcome> outcomes) => Sql.Statement(
        """select 1 from lanes where key = any($1) order by key collate "C" for update""", Sql.Value(outcomes.Select(outcome => outcome.Claim.Key).ToArray()));

    private static void AddEvents(NpgsqlBatch batch, LaneOutcome outcome)
    {
        if (outcome.Handled.Count > 0)
            batch.BatchCommands.Add(Sql.Statement("update events set state = 1, handled_at = now() where id = any($1) and state = 0", Sql.Value(outcome.Handled.ToArray())));
        foreach (var failed in outcome.Failed)
        {
            batch.BatchCommands.Add(Sql.Statement(
                "update events set state = case when $2::interval is null then 2 else 0 end, available_at = now() + coalesce($2::interval, interval '0'), reason = $3 where id = $1 and state = 0",
                Sql.Value(failed.Id), Sql.Nullable(failed.RetryAfter, NpgsqlDbType.Interval), Sql.Value(failed.Reason)));
        }
    }

    // Runs after the events are marked, so that what still waits is what decides when the lane is ready again.
    private static NpgsqlBatchCommand Release(LaneOutcome outcome) => Sql.Statement(
        """
        update lanes set state = $3, version = version + 1, claimed_until = null,
            ready_at = (select min(available_at) from events where events.lane = lanes.key and events.state = 0)
        where key = $1 and epoch = $2
        """,
        Sql.Value(outcome.Claim.Key), Sql.Value(outcome.Claim.Epoch), Sql.Json(JsonSerializer.Serialize(outcome.After, CoreJson.Options)));

    /// <summary>When the next lane becomes ready by the clock alone: zero when one is ready now; null when none will.</summary>
    public async Task<TimeSpan?> NextReadyAsync(CancellationToken cancellationToken)
    {
        await using var command = source.Command("select min(greatest(ready_at, claimed_until, now())) - now() from lanes where ready_at is not null");
        return await command.ExecuteScalarAsync(cancellationToken) as TimeSpan?;
    }
}
