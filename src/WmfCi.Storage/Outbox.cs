using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Npgsql;
using WmfCi.Core;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Storage;

/// <summary>Which workers carry an effect out. Each pool has a bound of its own, so that a slow peer holds up only its own kind of work.</summary>
public static class Pools
{
    /// <summary>Reading and writing in the code review.</summary>
    public const string Review = "review";

    /// <summary>Merging and publishing sources: the only one with git credentials.</summary>
    public const string Vcs = "vcs";

    /// <summary>Running stages.</summary>
    public const string Runner = "runner";

    /// <summary>All of them.</summary>
    public static IReadOnlyList<string> All { get; } = [Review, Vcs, Runner];

    /// <summary>The pool of an effect.</summary>
    public static string Of(Effect effect) => effect switch
    {
        Effect.PrepareSource => Vcs,
        Effect.RunStage => Runner,
        _ => Review,
    };
}

/// <summary>An effect that this replica carries out, as long as its claim holds.</summary>
/// <param name="Id">Its number.</param>
/// <param name="Lane">The lane that wants it.</param>
/// <param name="Effect">What is to be done.</param>
/// <param name="Attempts">How often it was taken, this time included: more than once means that an earlier try may have been carried out.</param>
/// <param name="Epoch">The number of this claim.</param>
/// <param name="StopRequested">Whether it is wanted no more.</param>
/// <param name="CreatedAt">When it was decided.</param>
public sealed record EffectClaim(long Id, string Lane, Effect Effect, int Attempts, long Epoch, bool StopRequested, DateTimeOffset CreatedAt);

/// <summary>What was decided to be done, and is not done yet. Whoever claims an effect holds it for a while and renews the claim while working; a claim that was overtaken records nothing.</summary>
/// <param name="source">The database.</param>
/// <param name="times">How long claims hold; <see cref="LeaseTimes.Default"/> without.</param>
public sealed class Outbox(NpgsqlDataSource source, LeaseTimes? times = null)
{
    /// <summary>How long a claim holds without renewal; a killed replica's work is taken over after this.</summary>
    public TimeSpan Lease { get; } = (times ?? LeaseTimes.Default).Effect;

    /// <summary>How often a claim is renewed: several renewals may fail before it is lost.</summary>
    public TimeSpan RenewEvery { get; } = (times ?? LeaseTimes.Default).EffectRenewal;

    /// <summary>How often an effect that this program cannot read is left to others, before it is set aside.</summary>
    public const int MaxUnreadable = 10;

    /// <summary>How long it is left to others each time.</summary>
    public static readonly TimeSpan UnreadableDelay = TimeSpan.FromMinutes(1);

    // Of a sequence only the first may go; what has its turn is the same for those who take effects and for those who ask when there will be some.
    private const string HasItsTurn =
        "(one.sequence is null or not exists (select from effects before where before.sequence = one.sequence and before.id < one.id and before.state = 0))";

    // Reviews of one change go out in the order in which they were decided.
    private static bool IsSequential(Effect effect) => effect is Effect.PostReview;

    internal static void Add(NpgsqlBatch batch, IReadOnlyList<LaneOutcome> outcomes)
    {
        var wanted = outcomes.SelectMany(outcome => outcome.Effects.Where(effect => effect is not Effect.StopStage).Select(effect => (outcome.Claim.Key, Effect: effect))).ToList();
        if (wanted.Count > 0)
        {
            batch.BatchCommands.Add(Sql.Statement(
                "insert into effects (key, lane, pool, sequence, body) select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::json[]) on conflict (key) do nothing",
                Sql.Value(wanted.Select(one => one.Effect.Key).ToArray()), Sql.Value(wanted.Select(one => one.Key).ToArray()),
                Sql.Value(wanted.Select(one => Pools.Of(one.Effect)).ToArray()),
                Sql.Value(wanted.Select(one => IsSequential(one.Effect) ? one.Key : null).ToArray()),
                Sql.JsonArray([.. wanted.Select(one => JsonSerializer.Serialize(one.Effect, CoreJson.Options))])));
            foreach (var pool in wanted.Select(one => Pools.Of(one.Effect)).Distinct(StringComparer.Ordinal))
                batch.BatchCommands.Add(Sql.Statement("select pg_notify($1, $2)", Sql.Value(Wakeups.Effects), Sql.Value(pool)));
        }
        foreach (var stop in outcomes.SelectMany(outcome => outcome.Effects).OfType<Effect.StopStage>())
        {
            batch.BatchCommands.Add(Sql.Statement("update effects set stop_requested = true where key = $1 and state = 0", Sql.Value(stop.Target)));
            batch.BatchCommands.Add(Sql.Statement("select pg_notify($1, $2)", Sql.Value(Wakeups.Stops), Sql.Value(stop.Target)));
        }
    }

    /// <summary>
    /// Takes effects of a pool, oldest first; of a sequence only its first. What this program cannot read (a newer replica may have wished it) is put off and left to
    /// others, and in the end set aside; it holds up nothing else.
    /// </summary>
    /// <param name="pool">Which workers ask.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="holder">Who asks, for people.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyList<EffectClaim>> ClaimAsync(string pool, int max, string holder, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            $"""
            with waiting as materialized (
                select id from effects one
                where pool = $1 and state = 0 and available_at <= now() and (claimed_until is null or claimed_until < now()) and {HasItsTurn}
                order by id limit $2 for update skip locked)
            update effects set attempts = attempts + 1, epoch = epoch + 1, claimed_until = now() + $3, claimed_by = $4
            from waiting where effects.id = waiting.id
            returning effects.id, lane, body, attempts, epoch, stop_requested, created_at
            """,
            Sql.Value(pool), Sql.Value(max), Sql.Value(Lease), Sql.Value(holder));
        var claims = new List<EffectClaim>();
        var unreadable = new List<(long Id, long Epoch, string Reason)>();
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
        {
            while (await reader.ReadAsync(cancellationToken))
            {
                if (TryRead(reader.GetString(2), out var effect, out var reason))
                    claims.Add(new EffectClaim(reader.GetInt64(0), reader.GetString(1), effect, reader.GetInt32(3), reader.GetInt64(4), reader.GetBoolean(5), reader.GetTime(6)));
                else
                    unreadable.Add((reader.GetInt64(0), reader.GetInt64(4), reason));
            }
        }
        foreach (var (id, epoch, reason) in unreadable) await PutOffAsync(id, epoch, reason, cancellationToken);
        claims.Sort((left, right) => left.Id.CompareTo(right.Id));
        return claims;
    }

    private static bool TryRead(string body, [NotNullWhen(true)] out Effect? effect, out string reason)
    {
        (effect, reason) = (null, "It says nothing.");
        try
        {
            effect = JsonSerializer.Deserialize<Effect>(body, CoreJson.Options);
        }
        catch (Exception failure) when (failure is JsonException or NotSupportedException)
        {
            reason = $"It cannot be read; a newer version may have written it: {failure.Message}";
        }
        return effect is not null;
    }

    private async Task PutOffAsync(long id, long epoch, string reason, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            """
            update effects set state = case when attempts < $3 then 0 else 2 end, finished_at = case when attempts < $3 then null else now() end,
                available_at = now() + $4, claimed_until = null, reason = $5
            where id = $1 and epoch = $2 and state = 0
            """,
            Sql.Value(id), Sql.Value(epoch), Sql.Value(MaxUnreadable), Sql.Value(UnreadableDelay), Sql.Value(reason));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Holds a claim for another while.</summary>
    /// <returns>Whether the effect is wanted no more; null when the claim is lost, and nothing that follows counts.</returns>
    public async Task<bool?> RenewAsync(EffectClaim claim, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "update effects set claimed_until = now() + $3 where id = $1 and epoch = $2 and state = 0 returning stop_requested",
            Sql.Value(claim.Id), Sql.Value(claim.Epoch), Sql.Value(Lease));
        return await command.ExecuteScalarAsync(cancellationToken) as bool?;
    }

    /// <summary>Records that an effect is done, with what it came to.</summary>
    /// <param name="claim">The claim.</param>
    /// <param name="came">The events that follow from it, for the lane that wanted it.</param>
    /// <param name="more">What else is stored in the same transaction.</param>
    /// <param name="cancellationToken">Gives up; nothing is recorded.</param>
    /// <returns>False when the claim is lost; nothing is recorded.</returns>
    public Task<bool> CompleteAsync(EffectClaim claim, IReadOnlyCollection<Event> came, IEnumerable<NpgsqlBatchCommand> more, CancellationToken cancellationToken) =>
        EndAsync(claim, Sql.Statement(
            "update effects set state = 1, finished_at = now(), claimed_until = null, reason = null where id = $1 and epoch = $2 and state = 0",
            Sql.Value(claim.Id), Sql.Value(claim.Epoch)), came, more, cancellationToken);

    /// <summary>Records that an effect cannot be done; its lane is told, and it is shown to operators until somebody releases it.</summary>
    public Task<bool> GiveUpAsync(EffectClaim claim, string reason, CancellationToken cancellationToken) =>
        EndAsync(claim, Sql.Statement(
            "update effects set state = 2, finished_at = now(), claimed_until = null, reason = $3 where id = $1 and epoch = $2 and state = 0",
            Sql.Value(claim.Id), Sql.Value(claim.Epoch), Sql.Value(reason)), [new Event.EffectGaveUp(claim.Effect, reason)], [], cancellationToken);

    /// <summary>Records that an effect failed this time, and when to try again.</summary>
    public async Task RetryAsync(EffectClaim claim, TimeSpan after, string reason, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "update effects set available_at = now() + $3, claimed_until = null, reason = $4 where id = $1 and epoch = $2 and state = 0",
            Sql.Value(claim.Id), Sql.Value(claim.Epoch), Sql.Value(after), Sql.Value(reason));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>When the next effect of a pool becomes available by the clock alone (a retry, a claim that runs out): zero when one is available now; null when none will.</summary>
    public async Task<TimeSpan?> NextAvailableAsync(string pool, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            $"select min(greatest(available_at, claimed_until, now())) - now() from effects one where pool = $1 and state = 0 and {HasItsTurn}", Sql.Value(pool));
        return await command.ExecuteScalarAsync(cancellationToken) as TimeSpan?;
    }

    /// <summary>The attempts that are wanted and not recorded yet, those in work included: everything else that a runner finds of its own is a leftover.</summary>
    public async Task<IReadOnlyCollection<AttemptId>> ReadWantedAttemptsAsync(CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "select body -> 'attempt' from effects where pool = $1 and state = 0", Sql.Value(Pools.Runner));
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var wanted = new List<AttemptId>();
        while (await reader.ReadAsync(cancellationToken)) wanted.Add(JsonSerializer.Deserialize<AttemptId>(reader.GetString(0), CoreJson.Options)!);
        return wanted;
    }

    private async Task<bool> EndAsync(EffectClaim claim, NpgsqlBatchCommand fence, IReadOnlyCollection<Event> came, IEnumerable<NpgsqlBatchCommand> more, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var batch = new NpgsqlBatch(connection, transaction);
        // The lane first, then the effect: in the order in which a decision that stops the effect locks them.
        if (came.Count > 0)
        {
            foreach (var statement in Inbox.Add([.. came.Select(one => new LaneEvent(claim.Lane, one))])) batch.BatchCommands.Add(statement);
        }
        batch.BatchCommands.Add(fence);
        foreach (var statement in more) batch.BatchCommands.Add(statement);
        // The next of its sequence may go now.
        if (IsSequential(claim.Effect)) batch.BatchCommands.Add(Sql.Statement("select pg_notify($1, $2)", Sql.Value(Wakeups.Effects), Sql.Value(Pools.Of(claim.Effect))));
        await batch.ExecuteNonQueryAsync(cancellationToken);
        if (fence.RecordsAffected != 1) return false;
        await transaction.CommitAsync(cancellationToken);
        return true;
    }
}
