using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using WmfCi.Fakes;

namespace WmfCi.Storage.Tests.Database;

public sealed partial class MigratorTests : IAsyncLifetime
{
    private PrivateDatabase? database;

    private NpgsqlDataSource Source => database!.Source;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(PrivatePostgres.MissingReason is null, PrivatePostgres.MissingReason ?? "");
        database = await PrivatePostgres.CreateDatabaseAsync(Cancel);
    }

    public async ValueTask DisposeAsync()
    {
        if (database is not null) await database.DisposeAsync();
    }

    [Fact]
    public void Migrations_are_numbered_without_gaps() =>
        Migrator.All.Select(migration => migration.Number).ShouldBe(Enumerable.Range(1, Migrator.All.Count));

    [Fact]
    public async Task Many_replicas_that_start_at_once_apply_each_migration_once()
    {
        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Migrator.ApplyAsync(Source, Cancel)));
        await Migrator.ApplyAsync(Source, Cancel);

        (await ReadAsync("select count(*) from migrations")).ShouldBe(Migrator.All.Count);
    }

    [Fact]
    public async Task An_account_that_only_reads_finds_a_database_that_is_up_to_date_as_it_is()
    {
        await Migrator.ApplyAsync(Source, Cancel);
        var reader = "reader_" + Guid.NewGuid().ToString("N");
        await ExecuteAsync($"create role {reader} login; grant select on all tables in schema public to {reader}");
        try
        {
            await using var reading = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database!.ConnectionString) { Username = reader, Pooling = false }.ConnectionString);
            await Migrator.ApplyAsync(reading, Cancel);
            await Should.ThrowAsync<PostgresException>(() => reading.CreateCommand("delete from migrations").ExecuteNonQueryAsync(Cancel));
        }
        finally
        {
            await ExecuteAsync($"drop owned by {reader}; drop role {reader}");
        }
    }

    [Fact]
    public async Task A_database_of_a_newer_version_is_refused_with_advice()
    {
        await Migrator.ApplyAsync(Source, Cancel);
        await ExecuteAsync("insert into migrations (number, name, checksum) values (9999, '9999_future.sql', 'x')");

        var refusal = await Should.ThrowAsync<MigrationException>(() => Migrator.ApplyAsync(Source, Cancel));
        refusal.Message.ShouldContain("9999");
        refusal.Message.ShouldContain("newer version");
    }

    [Fact]
    public async Task An_edited_migration_is_refused_with_its_name()
    {
        await Migrator.ApplyAsync(Source, Cancel);
        await ExecuteAsync("update migrations set checksum = 'x' where number = 1");

        (await Should.ThrowAsync<MigrationException>(() => Migrator.ApplyAsync(Source, Cancel))).Message.ShouldContain(Migrator.All[0].Name);
    }

    [Fact]
    public async Task A_refusal_leaves_the_lock_to_others()
    {
        await Migrator.ApplyAsync(Source, Cancel);
        await ExecuteAsync("update migrations set checksum = 'x' where number = 1");
        for (var replica = 0; replica < 3; replica++) await Should.ThrowAsync<MigrationException>(() => Migrator.ApplyAsync(Source, Cancel));

        // The view shows the whole cluster's; the other tests beside this one hold locks in their own databases.
        (await ReadAsync("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())")).ShouldBe(0);
    }

    [Fact]
    public async Task Every_migration_keeps_the_rows_of_the_time_before_it()
    {
        var tables = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var migration in Migrator.All)
        {
            await Migrator.ApplyAsync(Source, migration.Number, Cancel);
            foreach (var (table, rows) in tables) (await ReadAsync($"select count(*) from {table}")).ShouldBe(rows, $"{table} after {migration.Name}");

            // A migration that adds nothing to fill has a file with a comment, which says so.
            var samples = Path.Combine(AppContext.BaseDirectory, "data", "migrations", migration.Number.ToString("0000", CultureInfo.InvariantCulture) + ".sql");
            File.Exists(samples).ShouldBeTrue($"write tests/data/migrations/{Path.GetFileName(samples)}: rows for {migration.Name}");
            await ExecuteAsync(await File.ReadAllTextAsync(samples, Cancel));
            foreach (var table in await TablesAsync()) tables[table] = await ReadAsync($"select count(*) from {table}");
        }
        tables.Where(table => table.Value == 0).ShouldBeEmpty("tables without a sample row");
    }

    [Fact]
    public void A_column_that_is_added_and_must_have_a_value_has_a_default() =>
        Migrator.All.SelectMany(migration => ColumnsWithoutDefault(migration.Sql).Select(column => $"{migration.Name}: {column}")).ShouldBeEmpty();

    [Theory]
    [InlineData("alter table runs add column a int not null;", 1)]
    [InlineData("alter table runs\n  add a int NOT NULL,\n  add column b text not null default '';", 1)]
    [InlineData("alter table runs add column if not exists a int not null default 0;", 0)]
    [InlineData("alter table runs add column a int;", 0)]
    [InlineData("alter table runs add constraint c check (a is not null);", 0)]
    [InlineData("create table t (a int not null);", 0)]
    public void The_rule_knows_such_columns(string sql, int found) => ColumnsWithoutDefault(sql).Count().ShouldBe(found);

    private static IEnumerable<string> ColumnsWithoutDefault(string sql) =>
        from Match alter in AlterTable().Matches(sql)
        from Match added in AddedColumn().Matches(alter.Value)
        where added.Value.Contains("not null", StringComparison.OrdinalIgnoreCase) && !added.Value.Contains("default", StringComparison.OrdinalIgnoreCase)
        select added.Value;

    [GeneratedRegex("alter table [^;]*;", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex AlterTable();

    [GeneratedRegex(@"\badd (?!constraint|primary|unique|check|foreign)(column )?(if not exists )?[^,;]*", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex AddedColumn();

    private async Task<List<string>> TablesAsync()
    {
        await using var command = Source.CreateCommand("select tablename from pg_tables where schemaname = 'public' order by 1");
        await using var reader = await command.ExecuteReaderAsync(Cancel);
        var tables = new List<string>();
        while (await reader.ReadAsync(Cancel)) tables.Add(reader.GetString(0));
        tables.Remove("migrations");
        return tables;
    }

    private async Task ExecuteAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(Cancel);
    }

    private async Task<long> ReadAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return (long)(await command.ExecuteScalarAsync(Cancel))!;
    }
}
