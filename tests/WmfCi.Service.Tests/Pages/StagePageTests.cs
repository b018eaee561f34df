using System.Net;
using System.Net.Http.Headers;
using System.Text;
using AngleSharp.Dom;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages.Terminal;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Pages;

/// <summary>What people see of one attempt.</summary>
public sealed class StagePageTests
{
    private static readonly AttemptId s_commit = new(new RunId(2), "commit", 2);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task An_attempt_shows_its_tests_its_artifacts_and_its_log()
    {
        await using var host = await StartAsync();
        await host.CloseLogAsync(s_commit, "\e[1m$ composer test\e[0m\nFAILURES!\n");
        await host.LeaveAsync(s_commit, ("build/report.xml", "<x/>"), ("build/<odd> name.tar", "x"));
        var page = await host.PageAsync("/runs/2/commit");
        page.QuerySelector(".tests")!.TextContent.ShouldContain("testReferencesAreNumberedInOrder");
        page.QuerySelectorAll(".files th a").Select(link => link.TextContent).ShouldBe(["build/<odd> name.tar", "build/report.xml"]);
        page.QuerySelectorAll("#lines code").Select(code => code.TextContent).ShouldBe(["$ composer test", "FAILURES!"]);
        page.QuerySelector("#lines .bold")!.TextContent.ShouldBe("$ composer test");
        page.QuerySelector(".attempts a[aria-current]")!.TextContent.ShouldBe("Attempt 2");
    }

    [Fact]
    public async Task An_earlier_attempt_has_its_own_page()
    {
        await using var host = await StartAsync();
        var page = await host.PageAsync("/runs/2/commit/1");
        page.QuerySelector(".title .mark")!.TextContent.ShouldBe("CI error");
        page.QuerySelector(".failure")!.TextContent.ShouldContain("The worker went away");
        await host.PageAsync("/runs/2/commit/3", HttpStatusCode.NotFound);
        await host.PageAsync("/runs/2/nosuch", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_stage_whose_name_has_a_slash_and_brackets_has_a_page()
    {
        await using var host = await PageHost.StartAsync();
        const string stage = "test [image=a/b, php=8.1]";
        await host.AddAsync(Sample.Run(3) with { Stages = [Sample.Done(stage, 3)], Result = RunResult.Success, Finished = PageHost.Now });
        await host.LeaveAsync(new AttemptId(new RunId(3), stage, 1), ("a.txt", "hello"));
        var page = await host.PageAsync(Core.Policies.Links.Path(new RunId(3), stage));
        page.QuerySelector("h1")!.TextContent.ShouldBe(stage);
        (await host.TextAsync(page.QuerySelector(".files a")!.GetAttribute("href")!)).ShouldBe("hello");
    }

    [Fact]
    public async Task A_long_log_shows_its_end_and_leads_to_what_is_before()
    {
        await using var host = await StartAsync();
        await host.CloseLogAsync(s_commit, Lines(1, 5000) + "unfinished");
        var page = await host.PageAsync("/runs/2/commit/2");
        Numbers(page).ShouldBe(Enumerable.Range(3002, LogReader.MaxLines));
        page.QuerySelector("#L5000 code")!.TextContent.ShouldBe("line 5000");
        page.QuerySelector("#L5001 code")!.TextContent.ShouldBe("unfinished");
        page.QuerySelector("#L4000 a")!.GetAttribute("href").ShouldBe("?from=3002#L4000");
        var earlier = await host.PageAsync(page.QuerySelector(".portion a")!.GetAttribute("href")!);
        Numbers(earlier).ShouldBe(Enumerable.Range(1002, LogReader.MaxLines));
        earlier.QuerySelector("#L1002 code")!.TextContent.ShouldBe("line 1002");
        Numbers(await host.PageAsync("/runs/2/commit/2?from=99999")).ShouldContain(5001);
        await host.PageAsync("/runs/2/commit/2?from=0", HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_part_of_a_log_begins_in_the_colour_that_was_in_force()
    {
        await using var host = await StartAsync();
        await host.CloseLogAsync(s_commit, Lines(1, 100) + "\e[32mgreen from here\n" + Lines(102, 3000));
        (await host.PageAsync("/runs/2/commit/2")).QuerySelector("#L3000 code .f2")!.TextContent.ShouldBe("line 3000");
        (await host.PageAsync("/runs/2/commit/2?from=50")).QuerySelector("#L60 code")!.InnerHtml.ShouldBe("line 60");
    }

    [Fact]
    public async Task Huge_lines_do_not_make_a_huge_page()
    {
        await using var host = await StartAsync();
        await host.CloseLogAsync(s_commit, string.Concat(Enumerable.Repeat(new string('x', 300_000) + "\n", 40)));
        (await host.TextAsync("/runs/2/commit/2")).Length.ShouldBeLessThan(200_000);
        var page = await host.PageAsync("/runs/2/commit/2?from=1");
        Numbers(page).ShouldBe(Enumerable.Range(1, 4));
        Numbers(await host.PageAsync(page.QuerySelector(".portion a")!.GetAttribute("href")!)).First().ShouldBe(5);
    }

    [Fact]
    public async Task A_growing_log_is_shown_as_far_as_it_is()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Running(2));
        var id = new AttemptId(new RunId(2), "acceptance", 1);
        await AppendAsync(host, id, Lines(1, 3000) + "half a l", 1000);
        var page = await host.PageAsync("/runs/2/acceptance");
        Numbers(page).ShouldBe(Enumerable.Range(1002, LogReader.MaxLines));
        page.QuerySelector("#L3001 code")!.TextContent.ShouldBe("half a l");
        page.QuerySelector("#lines")!.GetAttribute("data-follow").ShouldBe("/runs/2/acceptance/1/log/events");
        page.QuerySelector("noscript")!.TextContent.ShouldContain("Reload");
        Numbers(await host.PageAsync("/runs/2/acceptance/1?from=500")).First().ShouldBe(500);
        (await host.TextAsync("/runs/2/acceptance/1/log")).ShouldBe(Lines(1, 3000) + "half a l");
    }

    [Fact]
    public async Task The_raw_log_can_be_read_in_parts()
    {
        await using var host = await StartAsync();
        await host.CloseLogAsync(s_commit, "<script>one</script>\ntwo\n");
        using var request = new HttpRequestMessage(HttpMethod.Get, "/runs/2/commit/2/log") { Headers = { Range = new RangeHeaderValue(21, 23) } };
        using var answer = await host.Http.SendAsync(request, Cancel);
        answer.StatusCode.ShouldBe(HttpStatusCode.PartialContent);
        answer.Content.Headers.ContentType!.ToString().ShouldBe("text/plain; charset=utf-8");
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe("two");
    }

    [Theory]
    [InlineData("page.html", "application/octet-stream", "attachment")]
    [InlineData("picture.svg", "application/octet-stream", "attachment")]
    [InlineData("notes.txt", "text/plain; charset=utf-8", null)]
    [InlineData("shot.PNG", "image/png", null)]
    public async Task An_artifact_can_do_nothing_in_a_browser(string name, string type, string? disposition)
    {
        await using var host = await StartAsync();
        await host.LeaveAsync(s_commit, ("out/" + name, "<script>alert(1)</script>"));
        using var answer = await host.Http.GetAsync(new Uri("/runs/2/commit/2/artifacts/out/" + name, UriKind.Relative), Cancel);
        answer.Content.Headers.ContentType!.ToString().ShouldBe(type);
        answer.Content.Headers.ContentDisposition?.DispositionType.ShouldBe(disposition);
        answer.Headers.GetValues("Content-Security-Policy").ShouldBe(["default-src 'none'; sandbox; frame-ancestors 'none'"]);
        answer.Headers.GetValues("X-Content-Type-Options").ShouldBe(["nosniff"]);
    }

    [Theory]
    [InlineData("out/../secret")]
    [InlineData("%2e%2e/%2e%2e/etc/passwd")]
    [InlineData("out%2Fa.txt")]
    [InlineData("out")]
    [InlineData("")]
    public async Task Only_the_recorded_path_of_an_artifact_finds_it(string path)
    {
        await using var host = await StartAsync();
        await host.LeaveAsync(s_commit, ("out/a.txt", "x"));
        using var answer = await host.Http.GetAsync(new Uri("/runs/2/commit/2/artifacts/" + path, UriKind.Relative), Cancel);
        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_log_that_the_store_no_longer_has_is_said_to_be_gone()
    {
        await using var host = await StartAsync();
        await host.CloseLogAsync(s_commit, "one\n");
        host.Store.Forget(host.Store.Add("one\n"u8.ToArray()));
        (await host.PageAsync("/runs/2/commit/2")).QuerySelector("main")!.TextContent.ShouldContain("no longer kept");
    }

    internal static async Task AppendAsync(PageHost host, AttemptId id, string text, int pieceBytes, long start = 0, long line = 0)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        for (var at = 0; at < bytes.Length; at += pieceBytes)
        {
            var piece = bytes.AsSpan(at, Math.Min(pieceBytes, bytes.Length - at)).ToArray();
            await host.Logs.AppendAsync(id, new LogChunk(start + at, line, piece), Cancel);
            line += piece.Count(one => one == '\n');
        }
    }

    internal static string Lines(int first, int last) => string.Concat(Enumerable.Range(first, last - first + 1).Select(number => $"line {number}\n"));

    private static async Task<PageHost> StartAsync()
    {
        var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Failed(2));
        return host;
    }

    private static IEnumerable<int> Numbers(IParentNode page) => page.QuerySelectorAll("#lines li").Select(row => int.Parse(row.Id![1..]));
}
