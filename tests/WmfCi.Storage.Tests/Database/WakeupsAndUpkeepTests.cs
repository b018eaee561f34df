using Npgsql;

namespace WmfCi.Storage.Tests.Database;

public sealed class WakeupsAndUpkeepTests : DatabaseTest
{
    private Upkeep Upkeep => new(Source);

    [Fact]
    public async Task An_event_and_an_effect_wake_those_who_wait()
    {
        await using var listener = await Listener.StartAsync(Source, Cancel);
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        await listener.HeardAsync(Wakeups.Lanes, "", Cancel);

        await Lanes.SaveAsync([Samples.Handled(await ClaimOneAsync(), Samples.Prepare(1))], Cancel);
        await listener.HeardAsync(Wakeups.Effects, Pools.Vcs, Cancel);
    }

    [Fact]
    public async Task What_is_released_wakes_those_who_wait()
    {
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        await Lanes.SaveAsync([Samples.Failed(await ClaimOneAsync(), "x", null)], Cancel);
        await using var listener = await Listener.StartAsync(Source, Cancel);

        await Upkeep.ReleaseAsync("event", (await Upkeep.QuarantineAsync(1, Cancel)).Single().Id, Cancel);

        await listener.HeardAsync(Wakeups.Lanes, "", Cancel);
    }

    [Fact]
    public async Task Who_listens_learns_that_the_connection_broke_and_hears_again_by_asking_again()
    {
        await using (var first = await Listener.StartAsync(Source, Cancel))
        {
            await ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'listen%'");
            (await Should.ThrowAsync<NpgsqlException>(() => first.Ended)).ShouldNotBeNull();
        }
        await using var second = await Listener.StartAsync(Source, Cancel);
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        await second.HeardAsync(Wakeups.Lanes, "", Cancel);
    }

    [Fact]
    public async Task The_backlog_counts_what_waits_and_what_was_set_aside()
    {
        await Upkeep.PingAsync(Cancel);
        (await Upkeep.BacklogAsync(Cancel)).ShouldBe(new Backlog(0, 0, 0, TimeSpan.Zero));

        await WishAsync("a", Samples.Prepare(1), Samples.Prepare(2));
        await Outbox.GiveUpAsync((await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).Single(), "x", Cancel);
        await ExecuteAsync("update lanes set ready_at = now() - interval '2 h'");

        var backlog = await Upkeep.BacklogAsync(Cancel);
        (backlog.Events, backlog.Effects, backlog.Quarantined).ShouldBe((1, 1, 1));
        backlog.OldestEvent.ShouldBeInRange(TimeSpan.FromHours(2), TimeSpan.FromHours(3));
    }

    [Fact]
    public async Task Tidying_removes_what_is_old_and_done_and_nothing_else()
    {
        await ExecuteAsync(
            """
            insert into events (lane, body, state, handled_at, received_at) values
                ('old', '{}', 1, now() - interval '3 days', now()), ('new', '{}', 1, now() - interval '1 day', now()),
                ('waits', '{}', 0, null, now() - interval '90 days'), ('aside', '{}', 2, null, now() - interval '90 days');
            insert into effects (key, lane, pool, body, state, finished_at, created_at) values
                ('old', 'l', 'p', '{}', 1, now() - interval '15 days', now()), ('new', 'l', 'p', '{}', 1, now() - interval '3 days', now()),
                ('waits', 'l', 'p', '{}', 0, null, now() - interval '90 days'), ('aside', 'l', 'p', '{}', 2, now() - interval '90 days', now());
            """);

        (await Upkeep.TidyAsync(Cancel)).ShouldBe(1);
        (await Upkeep.TidyAsync(Cancel)).ShouldBe(0);

        (await ReadAsync<string>("select string_agg(lane, ' ' order by lane) from events")).ShouldBe("aside new waits");
        (await ReadAsync<string>("select string_agg(key, ' ' order by key) from effects")).ShouldBe("aside new waits");
    }

    [Fact]
    public async Task Tidying_takes_a_bounded_number_at_a_time()
    {
        await ExecuteAsync($"insert into events (lane, body, state, handled_at) select 'l', '{{}}', 1, now() - interval '3 days' from generate_series(1, {Upkeep.MaxRemovedAtOnce + 1})");

        (await Upkeep.TidyAsync(Cancel)).ShouldBe(Upkeep.MaxRemovedAtOnce);
        (await Upkeep.TidyAsync(Cancel)).ShouldBe(1);
    }
}
