using System.Collections.Concurrent;
using Npgsql;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Storage.Tests.Queue;

/// <summary>What only goes wrong when two do it at once, brought about on purpose.</summary>
public sealed class RaceTests : DatabaseTest
{
    private const int Latch = 42;

    [Fact]
    public async Task An_event_that_arrives_while_its_lane_is_being_saved_is_not_forgotten()
    {
        var (effect, _) = await RunningEffectAsync(Samples.Prepare(1));
        await Inbox.AddAsync([Samples.Poke("a", "first")], Cancel);
        var claim = await ClaimOneAsync();
        await using var latch = await HoldLatchAsync();

        // The effect's end stores an event and has not committed; the save waits for it, and had looked at the events before.
        var ends = Outbox.CompleteAsync(effect, [new Event.ChangePoked("second")], [UntilLatchOpens()], Cancel);
        await UntilSomebodyWaitsAsync();
        var saves = Lanes.SaveAsync([Samples.Handled(claim)], Cancel);
        await UntilSomebodyWaitsAsync(2);
        await latch.DisposeAsync();

        (await ends).ShouldBeTrue();
        (await saves).ShouldBeTrue();
        ((Event.ChangePoked)(await ClaimOneAsync()).Events.ShouldHaveSingleItem().Read()).Why.ShouldBe("second");
    }

    [Fact]
    public async Task An_event_that_comes_after_the_save_has_begun_is_not_forgotten()
    {
        await Inbox.AddAsync([Samples.Poke("a", "first")], Cancel);
        var claim = await ClaimOneAsync();
        await using var held = await Source.OpenConnectionAsync(Cancel);
        await using var transaction = await held.BeginTransactionAsync(Cancel);
        await using (var block = new NpgsqlCommand("select * from events for update", held, transaction)) await block.ExecuteNonQueryAsync(Cancel);

        var saves = Lanes.SaveAsync([Samples.Handled(claim)], Cancel);
        await UntilSomebodyWaitsAsync();
        var adds = Inbox.AddAsync([Samples.Poke("a", "second")], Cancel);
        await UntilSomebodyWaitsAsync(2);
        await transaction.RollbackAsync(Cancel);

        (await saves).ShouldBeTrue();
        await adds;
        ((Event.ChangePoked)(await ClaimOneAsync()).Events.ShouldHaveSingleItem().Read()).Why.ShouldBe("second");
    }

    [Fact]
    public async Task Stopping_a_stage_while_it_ends_waits_and_does_not_lock_up()
    {
        var attempt = new AttemptId(new RunId(1), "commit", 1);
        var (effect, lane) = await RunningEffectAsync(Samples.RunStage(attempt));
        await Inbox.AddAsync([Samples.Poke(lane)], Cancel);
        var claim = await ClaimOneAsync();
        await using var held = await Source.OpenConnectionAsync(Cancel);
        await using var transaction = await held.BeginTransactionAsync(Cancel);
        await using (var block = new NpgsqlCommand("select * from lanes for update", held, transaction)) await block.ExecuteNonQueryAsync(Cancel);

        // Both queue up behind the lane's row; whichever goes first needs the effect's row next.
        var ends = Outbox.CompleteAsync(effect, [new Event.ChangePoked("ended")], [], Cancel);
        await UntilSomebodyWaitsAsync();
        var stops = Lanes.SaveAsync([Samples.Handled(claim, new Effect.StopStage(attempt))], Cancel);
        await UntilSomebodyWaitsAsync(2);
        await transaction.RollbackAsync(Cancel);

        (await ends).ShouldBeTrue();
        (await stops).ShouldBeTrue();
    }

    [Fact]
    public async Task Many_replicas_handle_every_event_exactly_once_and_in_order()
    {
        const int events = 960, workers = 3;
        string[] lanes = [.. Enumerable.Range(0, 12).Select(number => $"lane {number:00}")];
        var handled = new ConcurrentDictionary<long, byte>();
        var overtaken = false;
        var late = new ConcurrentBag<long>();
        var order = new ConcurrentDictionary<string, ConcurrentBag<(long Epoch, long Id)>>();

        async Task AddAsync(int worker)
        {
            for (var number = worker; number < events; number += workers * 4)
            {
                // Several lanes at once, in no order.
                LaneEvent[] batch = [.. Enumerable.Range(0, 4).Select(step => Samples.Poke(lanes[(number + (step * 7)) % lanes.Length]))];
                await Inbox.AddAsync(batch, Cancel);
            }
        }

        async Task WorkAsync(Task[] adders)
        {
            while (handled.Count < events || adders.Any(task => !task.IsCompleted))
            {
                var claims = await Lanes.ClaimAsync(3, Cancel);
                if (claims.Count == 0) continue;
                foreach (var one in claims.SelectMany(claim => claim.Events).Where(one => handled.ContainsKey(one.Id))) late.Add(one.Id);
                if (!await Lanes.SaveAsync([.. claims.Select(claim => Samples.Handled(claim))], Cancel))
                {
                    overtaken = true; // On a machine so busy that a claim ran out.
                    continue;
                }
                foreach (var claim in claims)
                {
                    foreach (var one in claim.Events)
                    {
                        handled.TryAdd(one.Id, 0).ShouldBeTrue();
                        order.GetOrAdd(claim.Key, _ => []).Add((claim.Epoch, one.Id));
                    }
                }
            }
        }

        Task[] adders = [.. Enumerable.Range(0, workers).Select(AddAsync)];
        await Task.WhenAll([.. adders, .. Enumerable.Range(0, workers).Select(_ => WorkAsync(adders))]);

        handled.Count.ShouldBe(events);
        late.ShouldBeEmpty("claimed after they were handled");
        foreach (var lane in order.Values) lane.OrderBy(one => one.Epoch).ThenBy(one => one.Id).Select(one => one.Id).ShouldBeInOrder();
        (await ReadAsync<long>("select count(*) from lanes where ready_at is not null")).ShouldBe(0);
        if (!overtaken) (await ReadAsync<int>("select max(attempts) from events")).ShouldBe(1);
    }

    [Fact]
    public async Task Many_workers_carry_every_effect_out_exactly_once()
    {
        for (var number = 0; number < 10; number++) await WishAsync("a", [.. Enumerable.Range(0, 40).Select(one => Samples.Read((number * 40) + one))]);
        var done = new ConcurrentBag<long>();

        async Task WorkAsync()
        {
            while (await Outbox.ClaimAsync(Pools.Review, 5, "me", Cancel) is { Count: > 0 } claims)
            {
                foreach (var claim in claims)
                {
                    claim.Attempts.ShouldBe(1);
                    (await Outbox.CompleteAsync(claim, [], [], Cancel)).ShouldBeTrue();
                    done.Add(claim.Id);
                }
            }
        }

        await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => WorkAsync()));

        done.Count.ShouldBe(400);
        done.Distinct().Count().ShouldBe(400);
    }

    private async Task<(EffectClaim Claim, string Lane)> RunningEffectAsync(Effect effect)
    {
        await WishAsync("a", effect);
        return ((await Outbox.ClaimAsync(Pools.Of(effect), 1, "me", Cancel)).ShouldHaveSingleItem(), "a");
    }

    private static NpgsqlBatchCommand UntilLatchOpens() => new($"select pg_advisory_xact_lock({Latch})");

    private async Task<IAsyncDisposable> HoldLatchAsync()
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(Cancel);
        await using var hold = new NpgsqlCommand($"select pg_advisory_lock({Latch})", connection);
        await hold.ExecuteNonQueryAsync(Cancel);
        return connection;
    }
}
