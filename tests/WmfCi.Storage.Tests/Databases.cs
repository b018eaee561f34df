using Npgsql;
using WmfCi.Fakes;

namespace WmfCi.Storage.Tests;

/// <summary>A test with a database of its own, in which every migration is applied.</summary>
public abstract class DatabaseTest : IAsyncLifetime
{
    private PrivateDatabase? database;

    protected NpgsqlDataSource Source => database!.Source;

    protected string ConnectionString => database!.ConnectionString;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

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

    public static async Task MigrateAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await Migrator.ApplyAsync(source, cancellationToken);
    }
}
