using Npgsql;
using WmfCi.Fakes;

namespace WmfCi.Storage.Tests.Database;

/// <summary>The database goes away and comes back, in a cluster of the test's own.</summary>
public sealed class OutageTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task After_a_restart_of_the_server_everything_works_again_and_nothing_is_lost(bool crash)
    {
        await using var postgres = await StartAsync();
        await using var database = await postgres.CreateAsync(DatabaseTest.MigrateAsync, Cancel);
        var (inbox, lanes, outbox) = (new Inbox(database.Source), new Lanes(database.Source), new Outbox(database.Source));
        await inbox.AddAsync([Samples.Poke("a"), Samples.Poke("b")], Cancel);
        var claims = await lanes.ClaimAsync(1, Cancel);
        (await lanes.SaveAsync([Samples.Handled(claims[0], Samples.Prepare(1))], Cancel)).ShouldBeTrue();
        var effect = (await outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).Single();
        var left = (await lanes.ClaimAsync(1, Cancel)).Single();

        await postgres.StopServerAsync(crash, Cancel);
        await Should.ThrowAsync<NpgsqlException>(() => inbox.AddAsync([Samples.Poke("c")], Cancel));
        await Should.ThrowAsync<NpgsqlException>(() => lanes.SaveAsync([Samples.Handled(left)], Cancel));
        await Should.ThrowAsync<NpgsqlException>(() => outbox.RenewAsync(effect, Cancel));
        await postgres.StartServerAsync(Cancel);

        (await lanes.SaveAsync([Samples.Handled(left)], Cancel)).ShouldBeTrue();
        (await outbox.CompleteAsync(effect, [], [], Cancel)).ShouldBeTrue();
        await inbox.AddAsync([Samples.Poke("c")], Cancel);
        (await lanes.ClaimAsync(9, Cancel)).ShouldHaveSingleItem().Key.ShouldBe("c");
    }

    [Fact]
    public async Task A_restart_while_nobody_asked_costs_at_most_one_failure_per_pooled_connection()
    {
        await using var postgres = await StartAsync();
        await using var database = await postgres.CreateAsync(DatabaseTest.MigrateAsync, Cancel);
        var upkeep = new Upkeep(database.Source);
        const int connections = 6;
        await Task.WhenAll(Enumerable.Range(0, connections).Select(async _ =>
        {
            await using var sleep = database.Source.CreateCommand("select pg_sleep(0.2)");
            await sleep.ExecuteNonQueryAsync(Cancel);
        }));
        await postgres.RestartAsync(immediate: true, Cancel);

        var failures = 0;
        while (true)
        {
            try
            {
                await upkeep.PingAsync(Cancel);
                break;
            }
            catch (NpgsqlException)
            {
                (++failures).ShouldBeLessThanOrEqualTo(connections);
            }
        }
    }

    [Fact]
    public async Task Sessions_cut_in_the_middle_of_the_work_lose_no_event_and_do_none_twice()
    {
        await using var postgres = await StartAsync();
        await using var database = await postgres.CreateAsync(DatabaseTest.MigrateAsync, Cancel);
        await using var knife = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database.ConnectionString) { ApplicationName = "knife" }.ConnectionString);
        var (inbox, lanes) = (new Inbox(database.Source), new Lanes(database.Source));
        const int events = 60;
        var cuts = 0;
        for (var number = 0; number < events; number++)
        {
            await inbox.AddAsync([Samples.Poke($"lane {number % 7}")], Cancel);
            if (number % 3 != 0) continue;
            // Between claim and save, and while the save is under way.
            var claims = await lanes.ClaimAsync(9, Cancel);
            var save = number % 2 == 0 ? lanes.SaveAsync([.. claims.Select(claim => Samples.Handled(claim))], Cancel) : Task.FromResult(false);
            await using (var cut = knife.CreateCommand("select count(pg_terminate_backend(pid)) from pg_stat_activity where datname = current_database() and application_name <> 'knife' and backend_type = 'client backend'"))
                cuts += (int)(long)(await cut.ExecuteScalarAsync(Cancel))!;
            await Record.ExceptionAsync(() => save);
            database.Source.Clear();
            await using var expire = knife.CreateCommand("update lanes set claimed_until = now() - interval '1 s' where claimed_until is not null");
            await expire.ExecuteNonQueryAsync(Cancel);
        }

        while (await lanes.ClaimAsync(9, Cancel) is { Count: > 0 } rest) (await lanes.SaveAsync([.. rest.Select(claim => Samples.Handled(claim))], Cancel)).ShouldBeTrue();

        cuts.ShouldBeGreaterThan(0);
        await using var count = knife.CreateCommand("select count(*) filter (where state = 1) from events");
        (await count.ExecuteScalarAsync(Cancel)).ShouldBe((long)events);
    }

    private static async Task<PrivatePostgres> StartAsync()
    {
        Assert.SkipUnless(PrivatePostgres.MissingReason is null, PrivatePostgres.MissingReason ?? "");
        return await PrivatePostgres.StartAsync(new PrivatePostgresOptions(), Cancel);
    }
}
