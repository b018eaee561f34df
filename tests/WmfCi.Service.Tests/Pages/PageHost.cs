using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using AngleSharp;
using AngleSharp.Html.Dom;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Ports;
using WmfCi.Service.Pages;
using WmfCi.Service.Pages.Terminal;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Pages;

/// <summary>The pages on a real server and a real database.</summary>
internal sealed class PageHost : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan s_askedEvery = TimeSpan.FromMilliseconds(20);
    private readonly PrivateDatabase _database;
    private readonly WebApplication _app;

    private PageHost(PrivateDatabase database, WebApplication app, MemoryStore store)
    {
        (_database, _app, Store) = (database, app, store);
        Url = new Uri(app.Urls.Single());
        Http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = Url };
    }

    public static readonly DateTimeOffset Now = DateTimeOffset.UtcNow;

    public Uri Url { get; }

    public HttpClient Http { get; }

    public MemoryStore Store { get; }

    public NpgsqlDataSource Source => _database.Source;

    public LogFollowers Followers => _app.Services.GetRequiredService<LogFollowers>();

    public Logs Logs => _app.Services.GetRequiredService<Logs>();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<PageHost> StartAsync(PageOptions? options = null)
    {
        Assert.SkipWhen(PrivatePostgres.MissingReason is not null, PrivatePostgres.MissingReason ?? "");
        var database = await PrivatePostgres.CreateDatabaseAsync(MigrateAsync, Cancel);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var store = new MemoryStore();
        builder.Services.AddSingleton(database.Source).AddSingleton<RunTable>().AddSingleton<Logs>().AddSingleton<Artifacts>().AddSingleton<Upkeep>()
            .AddSingleton<IArtifactStore>(store)
            .AddPages(_ => options ?? new PageOptions { CodeReviewUrl = "https://review.example.org/r" });
        var app = builder.Build();
        app.MapPages();
        await app.StartAsync(Cancel);
        return new PageHost(database, app, store);
    }

    public async Task AddAsync(Run run, bool hidden = false)
    {
        await using var command = Source.CreateCommand(
            "insert into runs (id, project, number, patch_set, created, finished, result, hidden, doc) values ($1, $2, $3, $4, $5, $6, $7, $8, $9::json) on conflict (id) do update set finished = excluded.finished, result = excluded.result, hidden = excluded.hidden, doc = excluded.doc");
        object[] values =
        [
            run.Id.Value, run.Change.Project, run.Change.Number, run.PatchSet.Number, run.Created.ToUniversalTime(), (object?)run.Finished?.ToUniversalTime() ?? DBNull.Value,
            (object?)run.Result?.ToString() ?? DBNull.Value, hidden, JsonSerializer.Serialize(run, CoreJson.Options),
        ];
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
        await command.ExecuteNonQueryAsync(Cancel);
    }

    public async Task ExecuteAsync(IEnumerable<NpgsqlBatchCommand> statements)
    {
        await using var connection = await Source.OpenConnectionAsync(Cancel);
        await using var batch = new NpgsqlBatch(connection);
        foreach (var statement in statements) batch.BatchCommands.Add(statement);
        if (batch.BatchCommands.Count > 0) await batch.ExecuteNonQueryAsync(Cancel);
    }

    public async Task ExecuteAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        command.CommandTimeout = 300;
        await command.ExecuteNonQueryAsync(Cancel);
    }

    /// <summary>Stores a log that is whole.</summary>
    public Task CloseLogAsync(AttemptId id, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        return ExecuteAsync(Logs.Close(id, new LogState(bytes.Length, bytes.Count(one => one == '\n'), Store.Add(bytes))));
    }

    public Task LeaveAsync(AttemptId id, params (string Path, string Text)[] files) =>
        ExecuteAsync(Artifacts.Add(id, [.. files.Select(file => new StoredArtifact(file.Path, Store.Add(Encoding.UTF8.GetBytes(file.Text)), file.Text.Length, IsReport: false))]));

    /// <summary>A page, which must be well-formed in the ways that every page is.</summary>
    public async Task<IHtmlDocument> PageAsync(string path, HttpStatusCode status = HttpStatusCode.OK)
    {
        using var answer = await Http.GetAsync(new Uri(path, UriKind.Relative), Cancel);
        answer.StatusCode.ShouldBe(status, path);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/html; charset=utf-8");
        var page = (IHtmlDocument)await BrowsingContext.New(Configuration.Default).OpenAsync(request => request.Content(answer.Content.ReadAsStream()).Address(new Uri(Url, path)), Cancel);
        page.DocumentElement.GetAttribute("lang").ShouldBe("en");
        page.Title.ShouldNotBeNullOrWhiteSpace();
        page.QuerySelectorAll("h1").Length.ShouldBe(1, path);
        page.QuerySelectorAll("main").Length.ShouldBe(1, path);
        page.QuerySelectorAll("[style], [onclick], script:not([src])").ShouldBeEmpty("the content policy would refuse it");
        page.All.Where(element => !string.IsNullOrEmpty(element.Id)).GroupBy(element => element.Id).Where(group => group.Count() > 1).ShouldBeEmpty();
        foreach (var table in page.QuerySelectorAll("table"))
        {
            table.QuerySelector("caption").ShouldNotBeNull();
            table.QuerySelectorAll("th:not([scope])").ShouldBeEmpty();
        }
        return page;
    }

    public async Task<string> TextAsync(string path) => await Http.GetStringAsync(new Uri(path, UriKind.Relative), Cancel);

    /// <summary>Waits for a fact of which nobody tells.</summary>
    public static async Task UntilAsync(Func<Task<bool>> fact)
    {
        using var timer = new PeriodicTimer(s_askedEvery);
        for (var begun = TimeProvider.System.GetTimestamp(); !await fact();)
        {
            TimeProvider.System.GetElapsedTime(begun).ShouldBeLessThan(s_patience);
            await timer.WaitForNextTickAsync(Cancel);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        await _app.DisposeAsync();
        await _database.DisposeAsync();
    }

    private static async Task MigrateAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await Migrator.ApplyAsync(source, cancellationToken);
    }
}

/// <summary>A store in memory; the pages' requests read it while a test adds to it.</summary>
internal sealed class MemoryStore : IArtifactStore
{
    private readonly ConcurrentDictionary<string, byte[]> _blobs = new(StringComparer.Ordinal);

    public string Add(byte[] bytes)
    {
        var digest = Convert.ToHexStringLower(SHA256.HashData(bytes));
        _blobs[digest] = bytes;
        return digest;
    }

    public void Forget(string digest) => _blobs.TryRemove(digest, out _);

    public async Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        var all = new MemoryStream();
        await content.CopyToAsync(all, cancellationToken);
        return new Blob(Add(all.ToArray()), all.Length);
    }

    public Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken) =>
        Task.FromResult<Stream?>(_blobs.TryGetValue(digest, out var bytes) ? new MemoryStream(bytes, writable: false) : null);
}
