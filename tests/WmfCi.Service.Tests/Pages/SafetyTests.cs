using System.Net;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages;

namespace WmfCi.Service.Tests.Pages;

/// <summary>What pages must never do, and what they say when something is wrong.</summary>
public sealed class SafetyTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_that_may_not_be_known_looks_like_one_that_never_was()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Failed(2), hidden: true);
        var id = new AttemptId(new RunId(2), "commit", 2);
        await host.CloseLogAsync(id, "secret\n");
        await host.LeaveAsync(id, ("a.txt", "secret"));
        var unknown = await AnswerAsync(host, "/runs/77");
        string[] paths =
        [
            "/runs/2", "/runs/2/commit", "/runs/2/commit/2", "/runs/2/commit/2/log", "/runs/2/commit/2/log/events", "/runs/2/commit/2/artifacts/a.txt",
            "/changes/1042/mediawiki/extensions/Cite", "/projects/mediawiki/extensions/Cite", "/no/such/page",
        ];
        foreach (var path in paths) (await AnswerAsync(host, path)).ShouldBe(unknown, path);
        unknown.Status.ShouldBe(HttpStatusCode.NotFound);
        (await host.TextAsync("/")).ShouldNotContain("Cite");
    }

    [Theory]
    [InlineData("/")]
    [InlineData("/runs/2")]
    [InlineData("/runs/2/commit")]
    [InlineData("/nothing")]
    [InlineData("/health/live")]
    [InlineData("/quarantine")]
    public async Task Every_page_tells_browsers_what_it_does_not_mean(string path)
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Failed(2));
        using var answer = await host.Http.GetAsync(new Uri(path, UriKind.Relative), Cancel);
        answer.Headers.GetValues("Content-Security-Policy").ShouldBe([
            "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"]);
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        answer.Headers.GetValues("Referrer-Policy").ShouldBe(["same-origin"]);
        answer.Headers.TryGetValues("Set-Cookie", out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Style_sheet_and_script_are_named_after_what_they_hold_and_kept_for_ever()
    {
        await using var host = await PageHost.StartAsync();
        var page = await host.PageAsync("/");
        foreach (var path in new[] { page.QuerySelector("link[rel=stylesheet]")!.GetAttribute("href")!, page.QuerySelector("script")!.GetAttribute("src")! })
        {
            using var answer = await host.Http.GetAsync(new Uri(path, UriKind.Relative), Cancel);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            answer.Headers.CacheControl!.ToString().ShouldContain("immutable");
            answer.Content.Headers.ContentType!.MediaType.ShouldBeOneOf("text/css", "text/javascript");
        }
        (await AnswerAsync(host, "/assets/pages.0000000000000000.css")).Status.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_page_that_fails_says_so_and_says_nothing_else()
    {
        await using var host = await PageHost.StartAsync(new PageOptions { Capacity = _ => throw new InvalidOperationException("password=hunter2") });
        var page = await host.PageAsync("/", HttpStatusCode.InternalServerError);
        page.QuerySelector("h1")!.TextContent.ShouldBe("This page failed");
        page.DocumentElement.OuterHtml.ShouldNotContain("hunter2");
    }

    [Fact]
    public async Task What_was_set_aside_is_listed_with_the_command_that_releases_it_and_without_secrets()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Failed(2));
        await host.ExecuteAsync("""
            insert into effects (key, lane, pool, body, state, attempts, reason) values
                ('a', 'change/mediawiki/extensions/Cite~1042', 'review', '{}', 2, 5, 'POST https://wmfci:hunter2@review.example.org/a/changes?token=hunter2 answered 403 (Authorization: Basic aHVudGVyMg==) <b>'),
                ('b', 'change/private/thing~7', 'review', '{}', 2, 5, 'private/thing is broken')
            """);
        var page = await host.PageAsync("/quarantine");
        var text = page.QuerySelector("main")!.TextContent;
        text.ShouldContain("wmfci quarantine release effect 1");
        text.ShouldContain("answered 403");
        text.ShouldContain("change 1042 of mediawiki/extensions/Cite");
        text.ShouldNotContain("hunter2");
        text.ShouldNotContain("aHVudGVyMg");
        text.ShouldNotContain("private/thing");
        (await host.PageAsync("/")).QuerySelector(".hint")!.TextContent.ShouldBe("2 set aside");
    }

    [Theory]
    [InlineData("key=AKIAIOSFODNN7EXAMPLE/wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY1234567890abcdefghij", "1234567890abcdefghij")]
    [InlineData("Cookie: GerritAccount=abcdef", "abcdef")]
    [InlineData("password hunter2", "hunter2")]
    [InlineData("first line\nsecond line with hunter2", "hunter2")]
    public void A_reason_is_shown_without_what_looks_like_a_secret(string reason, string secret) => QuarantineReason.ForEverybody(reason).ShouldNotContain(secret);

    [Fact]
    public async Task Health_is_plain_and_names_what_is_wrong()
    {
        await using var host = await PageHost.StartAsync(new PageOptions
        {
            HealthChecks = [new HealthCheck("gerrit", _ => Task.FromResult<string?>("the event stream is down since 12:00")), new HealthCheck("store", _ => throw new IOException("secret path"))],
        });
        (await host.TextAsync("/health/live")).ShouldBe("alive\n");
        using var answer = await host.Http.GetAsync(new Uri("/health/ready", UriKind.Relative), Cancel);
        answer.StatusCode.ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe("gerrit: the event stream is down since 12:00\nstore: failed (IOException)\n");
    }

    [Fact]
    public async Task A_service_without_trouble_is_ready_and_has_metrics()
    {
        await using var host = await PageHost.StartAsync();
        (await host.TextAsync("/health/ready")).ShouldBe("ready\n");
        // A page is counted when all of it is sent, which is after its reader may have it.
        await PageHost.UntilAsync(async () => (await host.TextAsync("/metrics")).Contains("wmfci_page_seconds_bucket{route=\"/health/ready\",status=\"200\"", StringComparison.Ordinal));
    }

    private static async Task<(HttpStatusCode Status, string Body, string Headers)> AnswerAsync(PageHost host, string path)
    {
        using var answer = await host.Http.GetAsync(new Uri(path, UriKind.Relative), Cancel);
        var headers = string.Join('\n', answer.Headers.Concat(answer.Content.Headers).Where(header => header.Key != "Date").Select(header => $"{header.Key}: {string.Join(',', header.Value)}").Order(StringComparer.Ordinal));
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel), headers);
    }
}
