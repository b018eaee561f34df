using System.Globalization;
using System.Text.RegularExpressions;
using Npgsql;
using WmfCi.Core.Changes;
using WmfCi.Core.Runs;
using WmfCi.Fakes;

namespace WmfCi.Storage.Tests.Database;

/// <summary>On large tables, what is asked often is answered through an index: the server's own record of how it carried each statement out is read.</summary>
public sealed partial class QueryPlanTests : DatabaseTest
{
    private const int Rows = 20_000;

    public override async ValueTask InitializeAsync()
    {
        await base.InitializeAsync();
        await ExecuteAsync(
            $$$"""
            insert into lanes (key, ready_at) select 'lane ' || n, case when n % 100 = 0 then now() - n * interval '1 ms' end from generate_series(1, {{{Rows}}}) n;
            insert into events (lane, body, state, handled_at) select 'lane ' || n, '{"is":"change-gone"}', case when n % 100 = 0 then 0 else 1 end,
                case when n % 100 = 0 then null else now() - interval '1 hour' end from generate_series(1, {{{Rows}}}) n;
            insert into effects (key, lane, pool, sequence, body, state, finished_at) select 'key ' || n, 'lane ' || n, 'vcs', case when n % 2 = 0 then 'lane ' || n / 100 end,
                '{"do":"stop-stage","attempt":{"run":{"value":1},"stage":"s","number":1}}', case when n % 100 = 0 then 0 else 1 end,
                case when n % 100 = 0 then null else now() end from generate_series(1, {{{Rows}}}) n;
            insert into runs (id, project, number, patch_set, created, result, hidden, doc) select n, 'project ' || n % 50, n / 4, 1, now(), case when n % 500 <> 0 then 'Success' end, n % 7 = 0,
                '{"id":{"value":1},"change":{"project":"p","number":1},"branch":"main","patchSet":{"number":1,"revision":"r","ref":"f","kind":"rework","uploader":{"id":"1","username":"","name":"","email":""},"created":"2026-03-01T12:00:00+00:00"},"subject":"s","cause":{"kind":"patch-set"},"created":"2026-03-01T12:00:00+00:00"}'
                from generate_series(1, {{{Rows}}}) n;
            insert into logs (run, stage, attempt) select n, 'commit', 1 from generate_series(1, {{{Rows}}}) n;
            insert into log_chunks (run, stage, attempt, start, first_line, bytes) select n / 20, 'commit', 1, n % 20, 0, 'x' from generate_series(1, {{{Rows}}}) n;
            insert into artifacts (run, stage, attempt, path, digest, size, is_report) select n, 'commit', 1, 'a', 'd' || n, 1, false from generate_series(1, {{{Rows}}}) n;
            analyze;
            """);
    }

    [Fact]
    public async Task Claiming_saving_and_ending_use_indexes() => await ShouldUseIndexesAsync(async source =>
    {
        await new Inbox(source).AddAsync([Samples.Poke("lane 5"), Samples.Poke("lane 200")], Cancel);
        var claims = await new Lanes(source).ClaimAsync(20, Cancel);
        (await new Lanes(source).SaveAsync([.. claims.Select(claim => Samples.Handled(claim, Samples.Prepare(claim.Events[0].Id)))], Cancel)).ShouldBeTrue();
        await new Lanes(source).NextReadyAsync(Cancel);
        var outbox = new Outbox(source);
        var effects = await outbox.ClaimAsync(Pools.Vcs, 5, "me", Cancel);
        await outbox.RenewAsync(effects[0], Cancel);
        await outbox.CompleteAsync(effects[0], [new Core.Rules.Event.ChangeGone()], [], Cancel);
        await outbox.RetryAsync(effects[1], TimeSpan.FromSeconds(1), "x", Cancel);
        await outbox.GiveUpAsync(effects[2], "x", Cancel);
        await outbox.NextAvailableAsync(Pools.Vcs, Cancel);
    });

    [Fact]
    public async Task Pages_and_upkeep_use_indexes() => await ShouldUseIndexesAsync(async source =>
    {
        var runs = new RunTable(source);
        await runs.FindAsync(new RunId(5), Cancel);
        (await runs.RecentAsync(new RunId(Rows / 2), 50, Cancel)).Count.ShouldBe(50);
        (await runs.ActiveAsync(10, Cancel)).Count.ShouldBe(10);
        (await runs.OfProjectAsync("project 3", new RunId(Rows), 50, Cancel)).Count.ShouldBe(50);
        (await runs.OfChangeAsync(new ChangeId("project 4", 1), 50, Cancel)).Count.ShouldBe(1);
        var attempt = new AttemptId(new RunId(50), "commit", 1);
        await new Artifacts(source).OfAttemptAsync(attempt, Cancel);
        (await new Logs(source).ReadAsync(attempt, 10, 100, Cancel)).Count.ShouldBe(10);
        await new Logs(source).AppendAsync(attempt, new LogChunk(20, 0, [1]), Cancel);
        await new Upkeep(source).BacklogAsync(Cancel);
        await new Upkeep(source).QuarantineAsync(10, Cancel);
        await new Upkeep(source).TidyAsync(Cancel);
    });

    private async Task ShouldUseIndexesAsync(Func<NpgsqlDataSource, Task> work)
    {
        var log = (await PrivatePostgres.SharedAsync(Cancel)).LogFile;
        var name = new NpgsqlConnectionStringBuilder(ConnectionString).Database;
        await using var explained = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(ConnectionString)
        {
            Options = "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0",
        }.ConnectionString);

        await work(explained);

        // An entry begins with its time, process and database; its further lines begin with a tab.
        var plans = Entry().Split(await File.ReadAllTextAsync(log, Cancel))
            .Where(entry => entry.Contains(string.Create(CultureInfo.InvariantCulture, $"] {name} LOG:"), StringComparison.Ordinal) && entry.Contains("plan:", StringComparison.Ordinal)).ToList();
        plans.Count.ShouldBeGreaterThan(10);
        plans.Where(plan => SequentialScan().IsMatch(plan)).ShouldBeEmpty();
    }

    [GeneratedRegex(@"^(?=\d{4}-\d\d-\d\d )", RegexOptions.Multiline, 60_000)]
    private static partial Regex Entry();

    [GeneratedRegex("Seq Scan on (lanes|events|effects|runs|logs|log_chunks|artifacts)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex SequentialScan();
}
