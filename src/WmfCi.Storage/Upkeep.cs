using Npgsql;

namespace WmfCi.Storage;

/// <summary>Something that was set aside after too many tries.</summary>
/// <param name="Kind"><c>event</c> or <c>effect</c>.</param>
/// <param name="Id">Its number.</param>
/// <param name="Lane">Where it belongs.</param>
/// <param name="Attempts">How often it was tried.</param>
/// <param name="Reason">Why it was set aside.</param>
/// <param name="Since">When it came.</param>
public sealed record Quarantined(string Kind, long Id, string Lane, int Attempts, string Reason, DateTimeOffset Since);

/// <summary>How much waits.</summary>
/// <param name="Events">Events not yet handled.</param>
/// <param name="Effects">Effects not yet done.</param>
/// <param name="Quarantined">Events and effects set aside.</param>
/// <param name="OldestEvent">How long the oldest waiting event has waited.</param>
public sealed record Backlog(long Events, long Effects, long Quarantined, TimeSpan OldestEvent);

/// <summary>What operators look at and do, and what must be tidied.</summary>
/// <param name="source">The database.</param>
public sealed class Upkeep(NpgsqlDataSource source)
{
    /// <summary>How long handled events are kept, for people who look into what happened.</summary>
    public static readonly TimeSpan KeepEvents = TimeSpan.FromDays(2);

    /// <summary>How long done effects are kept. Their keys make a second wish harmless, so it is much longer than anything is repeated.</summary>
    public static readonly TimeSpan KeepEffects = TimeSpan.FromDays(14);

    /// <summary>How many rows are removed in one go, so that no transaction is long.</summary>
    public const int MaxRemovedAtOnce = 5000;

    /// <summary>Whether the database answers.</summary>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        await using var command = source.Command("select 1");
        await command.ExecuteScalarAsync(cancellationToken);
    }

    /// <summary>How much waits.</summary>
    public async Task<Backlog> BacklogAsync(CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            """
            select (select count(*) from events where state = 0), (select count(*) from effects where state = 0),
                (select count(*) from events where state = 2) + (select count(*) from effects where state = 2),
                coalesce(now() - (select min(ready_at) from lanes where ready_at <= now()), interval '0')
            """);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        return new Backlog(reader.GetInt64(0), reader.GetInt64(1), reader.GetInt64(2), await reader.GetFieldValueAsync<TimeSpan>(3, cancellationToken));
    }

    /// <summary>What was set aside, newest first.</summary>
    public async Task<IReadOnlyList<Quarantined>> QuarantineAsync(int max, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            """
            (select 'event', id, lane, attempts, coalesce(reason, ''), received_at from events where state = 2 order by id desc limit $1)
            union all (select 'effect', id, lane, attempts, coalesce(reason, ''), created_at from effects where state = 2 order by id desc limit $1)
            order by 6 desc limit $1
            """,
            Sql.Value(max));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<Quarantined>();
        while (await reader.ReadAsync(cancellationToken))
            found.Add(new Quarantined(reader.GetString(0), reader.GetInt64(1), reader.GetString(2), reader.GetInt32(3), reader.GetString(4), reader.GetTime(5)));
        return found;
    }

    /// <summary>Lets something that was set aside be tried again, with a new count.</summary>
    /// <returns>False when nothing of that kind and number is set aside.</returns>
    public async Task<bool> ReleaseAsync(string kind, long id, CancellationToken cancellationToken)
    {
        await using var command = kind switch
        {
            "event" => source.Command(
                """
                with released as (update events set state = 0, attempts = 0, available_at = now() where id = $1 and state = 2 returning lane)
                update lanes set ready_at = now() from released where lanes.key = released.lane returning pg_notify('wmfci_lanes', '')
                """, Sql.Value(id)),
            "effect" => source.Command(
                "update effects set state = 0, attempts = 0, available_at = now(), finished_at = null where id = $1 and state = 2 returning pg_notify('wmfci_effects', pool)", Sql.Value(id)),
            _ => throw new ArgumentException($"'{kind}' is neither 'event' nor 'effect'.", nameof(kind)),
        };
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    /// <summary>Removes what is old.</summary>
    /// <returns>How many rows went; as many as <see cref="MaxRemovedAtOnce"/> means that there may be more.</returns>
    public async Task<int> TidyAsync(CancellationToken cancellationToken)
    {
        await using var events = source.Command(
            "delete from events where id in (select id from events where state = 1 and handled_at < now() - $1 limit $2)", Sql.Value(KeepEvents), Sql.Value(MaxRemovedAtOnce));
        await using var effects = source.Command(
            "delete from effects where id in (select id from effects where state = 1 and finished_at < now() - $1 limit $2)", Sql.Value(KeepEffects), Sql.Value(MaxRemovedAtOnce));
        return Math.Max(await events.ExecuteNonQueryAsync(cancellationToken), await effects.ExecuteNonQueryAsync(cancellationToken));
    }
}
