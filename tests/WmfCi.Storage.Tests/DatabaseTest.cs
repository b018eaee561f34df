using Npgsql;
using WmfCi.Core.Rules;
using WmfCi.Fakes;

namespace WmfCi.Storage.Tests;

/// <summary>A test with a database of its own, in which every migration is applied.</summary>
public abstract class DatabaseTest : IAsyncLifetime
{
    /// <summary>Claims and leases that end when a test moves their end, and never because the machine was slow.</summary>
    protected static readonly LeaseTimes Times = new() { Lane = TimeSpan.FromHours(1), Effect = TimeSpan.FromHours(1), Lease = TimeSpan.FromHours(1) };

    private PrivateDatabase? database;

    protected NpgsqlDataSource Source => database!.Source;

    protected string ConnectionString => database!.ConnectionString;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected Inbox Inbox => new(Source);

    protected Lanes Lanes => new(Source, Times);

    protected Outbox Outbox => new(Source, Times);

    public virtual async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(PrivatePostgres.MissingReason is null, PrivatePostgres.MissingReason ?? "");
        database = await PrivatePostgres.CreateDatabaseAsync(MigrateAsync, Cancel);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (database is not null) await database.DisposeAsync();
    }

    /// <summary>Runs a statement, for what the storage itself never does, such as moving time.</summary>
    protected async Task<int> ExecuteAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>Reads one value.</summary>
    protected async Task<T?> ReadAsync<T>(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel) is T value ? value : default;
    }

    /// <summary>Takes the only lane that is ready.</summary>
    protected async Task<LaneClaim> ClaimOneAsync() => (await Lanes.ClaimAsync(10, Cancel)).ShouldHaveSingleItem();

    /// <summary>Wishes effects, as a decision in a lane would.</summary>
    protected async Task WishAsync(string lane, params Effect[] effects)
    {
        await Inbox.AddAsync([Samples.Poke(lane)], Cancel);
        (await Lanes.SaveAsync([Samples.Handled(await ClaimOneAsync(), effects)], Cancel)).ShouldBeTrue();
    }

    /// <summary>Waits until a session of this database waits for a lock; the server tells nobody.</summary>
    protected async Task UntilSomebodyWaitsAsync(int sessions = 1)
    {
        var limit = TimeProvider.System.GetTimestamp();
        while (await ReadAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") < sessions)
            TimeProvider.System.GetElapsedTime(limit).ShouldBeLessThan(TimeSpan.FromMinutes(3), "nobody waits");
    }

    public static async Task MigrateAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await Migrator.ApplyAsync(source, cancellationToken);
    }
}
