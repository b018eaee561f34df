using WmfCi.Fakes;

namespace WmfCi.Storage.Tests;

public sealed class PrivatePostgresTests : DatabaseTest
{
    [Fact]
    public async Task A_database_is_there_with_every_table_and_nothing_in_it()
    {
        (await ReadAsync<long>("select count(*) from migrations")).ShouldBe(Migrator.All.Count);
        (await ReadAsync<long>("select count(*) from events")).ShouldBe(0);
    }

    [Fact]
    public async Task Two_databases_share_nothing()
    {
        await using var other = await PrivatePostgres.CreateDatabaseAsync(MigrateAsync, Cancel);
        await ExecuteAsync("insert into facts values ('a', 'b')");
        await using var read = other.Source.CreateCommand("select count(*) from facts");
        (await read.ExecuteScalarAsync(Cancel)).ShouldBe(0L);
    }
}
