using System.Net;
using AngleSharp.Dom;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages;

namespace WmfCi.Service.Tests.Pages;

/// <summary>What people see of runs.</summary>
public sealed class RunPageTests
{
    private const string Hostile = "<script>alert('x')</script><b title=\"&quot;>";

    [Fact]
    public async Task The_overview_says_what_runs_and_what_waits_and_why()
    {
        await using var host = await PageHost.StartAsync(new PageOptions { Capacity = _ => ValueTask.FromResult<Capacity?>(new Capacity(1, 4)) });
        await host.AddAsync(Sample.Running(7));
        await host.AddAsync(Sample.Run(8, "Not yet merged"));
        await host.AddAsync(Sample.Passed(5));
        var page = await host.PageAsync("/");
        var now = page.GetElementById("now")!;
        now.QuerySelector(".figures")!.TextContent.ShouldContain("1 of 4 workers busy");
        Node(now, "docs").ShouldContain("waits for a free worker");
        Node(now, "acceptance").ShouldContain("Running");
        Node(now, "performance").ShouldContain("needs acceptance");
        now.TextContent.ShouldContain("It is being merged onto master");
        page.QuerySelectorAll(".runs tbody tr").Select(row => row.QuerySelector("a")!.GetAttribute("href")).ShouldBe(["/runs/5"]);
    }

    [Theory]
    [InlineData("/", "#now .node")]
    [InlineData("/runs/7", "table tr")]
    [InlineData("/runs/7/docs", ".note")]
    public async Task A_queued_stage_says_what_it_waits_for(string path, string place)
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.WaitingFor(7, "No node has " + Hostile));
        var page = await host.PageAsync(path);
        page.QuerySelectorAll(place).ShouldContain(element => element.TextContent.Contains("Waiting: No node has " + Hostile, StringComparison.Ordinal));
        page.QuerySelectorAll("script:not([src]), b[title]").ShouldBeEmpty();
        page.Body!.TextContent.ShouldNotContain("waits for a free worker");
    }

    [Fact]
    public async Task An_overview_without_runs_says_so()
    {
        await using var host = await PageHost.StartAsync();
        (await host.PageAsync("/")).QuerySelector("main")!.TextContent.ShouldContain("Nothing runs and nothing waits.");
    }

    [Fact]
    public async Task Older_runs_are_a_link_away_and_none_is_missed_or_shown_twice()
    {
        await using var host = await PageHost.StartAsync();
        for (var id = 1; id <= 70; id++) await host.AddAsync(Sample.Passed(id));
        var seen = new List<string?>();
        for (var path = "/"; path is not null;)
        {
            var page = await host.PageAsync(path);
            seen.AddRange(page.QuerySelectorAll(".runs tbody th > a").Select(link => link.GetAttribute("href")));
            path = page.QuerySelector("a[rel=next]")?.GetAttribute("href");
        }
        seen.ShouldBe(Enumerable.Range(1, 70).Reverse().Select(id => $"/runs/{id}"));
    }

    [Theory]
    [InlineData("/?before=x")]
    [InlineData("/?before=-1")]
    [InlineData("/?before=99999999999999999999")]
    public async Task A_page_that_cannot_be_is_not_found(string path)
    {
        await using var host = await PageHost.StartAsync();
        await host.PageAsync(path, HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_failed_run_says_which_step_and_tests_failed_and_what_to_do_next()
    {
        await using var host = await PageHost.StartAsync(new PageOptions { CodeReviewUrl = "https://review.example.org/r/" });
        await host.AddAsync(Sample.Failed(9));
        var page = await host.PageAsync("/runs/9");
        page.QuerySelector("h1")!.TextContent.ShouldBe("Cache the parsed templates between requests");
        page.QuerySelector(".title .mark")!.TextContent.ShouldBe("Failed");
        page.QuerySelector(".lead a")!.GetAttribute("href").ShouldBe("https://review.example.org/r/c/mediawiki/extensions/Cite/+/1042/3");
        page.QuerySelector(".next")!.TextContent.ShouldContain("comment on the change: recheck");
        var failure = page.QuerySelector(".failure")!;
        failure.TextContent.ShouldContain("Step composer test: The step exited with 1.");
        failure.TextContent.ShouldContain("2 of 412 tests failed, 6 skipped");
        failure.TextContent.ShouldContain("CiteTest::testReferencesAreNumberedInOrder");
        failure.QuerySelector(".excerpt .b1")!.TextContent.ShouldStartWith("Tests: 412");
        Row(page, "acceptance").ShouldContain("commit failed");
        Row(page, "commit").ShouldContain("attempt 2 before: The worker went away while the stage ran.");
        Row(page, "docs").ShouldContain("non-voting");
    }

    [Fact]
    public async Task A_run_shows_what_exactly_was_tested()
    {
        await using var host = await PageHost.StartAsync();
        var run = Sample.Passed(9);
        await host.AddAsync(run);
        var facts = (await host.PageAsync("/runs/9")).QuerySelector(".facts")!.TextContent;
        foreach (var fact in new[] { run.Source!.Commit, run.Source.Tree, run.Source.Base, run.Source.Snapshot, run.PatchSet.Revision, "vendor" }) facts.ShouldContain(fact);
    }

    [Fact]
    public async Task Mistakes_in_the_configuration_are_shown_with_their_lines_and_advice()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Run(3) with
        {
            Result = RunResult.ConfigError,
            Finished = PageHost.Now,
            Mistakes = [new ConfigMistake(".pipeline/config.yaml", 12, 5, "`imagee` is not known.", "Did you mean `image`?")],
        });
        var page = await host.PageAsync("/runs/3");
        page.QuerySelector(".mistakes")!.TextContent.ShouldContain(".pipeline/config.yaml:12:5 `imagee` is not known. Did you mean `image`?");
        page.QuerySelector(".next code")!.TextContent.ShouldBe("wmfci validate");
    }

    [Fact]
    public async Task A_run_that_kept_an_earlier_result_leads_to_the_run_that_has_it()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Passed(4));
        await host.AddAsync(Sample.Passed(6) with { CarriedFrom = new RunId(4), Note = "Patch set 2 had the same files (run 4), so its result is kept." });
        var page = await host.PageAsync("/runs/6");
        page.QuerySelectorAll(".flow a").Select(link => link.GetAttribute("href")).ShouldAllBe(href => href!.StartsWith("/runs/4/"));
        using var answer = await host.Http.GetAsync(new Uri("/runs/6/commit", UriKind.Relative), TestContext.Current.CancellationToken);
        answer.Headers.Location!.ToString().ShouldBe("/runs/4/commit");
    }

    [Fact]
    public async Task The_pages_of_a_change_and_a_project_list_their_runs_and_tell_how_they_go()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Passed(1));
        await host.AddAsync(Sample.Failed(2));
        await host.AddAsync(Sample.Passed(3).Of("mediawiki/extensions/Cite", 7));
        await host.AddAsync(Sample.Passed(4).Of("mediawiki/extensions", 1042));
        Runs(await host.PageAsync("/changes/1042/mediawiki/extensions/Cite")).ShouldBe(["/runs/2", "/runs/1"]);
        var project = await host.PageAsync("/projects/mediawiki/extensions/Cite");
        Runs(project).ShouldBe(["/runs/3", "/runs/2", "/runs/1"]);
        project.QuerySelector(".figures")!.TextContent.ShouldContain("66 % passed of the last 3 runs");
        project.QuerySelector(".figures")!.TextContent.ShouldContain("3m 12s median");
        project.QuerySelectorAll("table")[0].TextContent.ShouldContain("acceptance");
    }

    [Fact]
    public async Task Whatever_people_write_stays_text()
    {
        await using var host = await PageHost.StartAsync();
        var run = Sample.Failed(2, test: Hostile, message: Hostile, line: Hostile) with
        {
            Subject = Hostile,
            Branch = Hostile,
            Note = Hostile,
            Change = new ChangeId("a/" + Hostile, 5),
            Cause = new RunCause(RunCauseKind.Recheck, Sample.Bob with { Username = Hostile }),
            Mistakes = [new ConfigMistake(Hostile, 1, 1, Hostile, Hostile)],
        };
        await host.AddAsync(run);
        foreach (var path in new[] { "/", "/runs/2", "/runs/2/commit", Core.Policies.Links.Path(run.Change), Core.Policies.Links.Project(run.Change.Project) })
        {
            var page = await host.PageAsync(path);
            page.QuerySelectorAll("main script, main b[title]").ShouldBeEmpty(path);
            page.QuerySelector("main")!.TextContent.ShouldContain(Hostile);
        }
    }

    [Fact]
    public async Task Every_link_leads_somewhere()
    {
        await using var host = await PageHost.StartAsync(new PageOptions());
        await host.AddAsync(Sample.Failed(1).Of("a project/with [odd] names?#%2F", 12));
        await host.AddAsync(Sample.Running(2));
        await host.CloseLogAsync(new AttemptId(new RunId(1), "commit", 2), "one\ntwo\n");
        await host.LeaveAsync(new AttemptId(new RunId(1), "commit", 2), ("odd/ä %2F?#.html", "x"));
        var waiting = new Queue<string>(["/"]);
        var seen = new HashSet<string>(["/"], StringComparer.Ordinal);
        while (waiting.TryDequeue(out var path))
        {
            using var answer = await host.Http.GetAsync(new Uri(path, UriKind.Relative), TestContext.Current.CancellationToken);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK, path);
            if (answer.Content.Headers.ContentType!.MediaType != "text/html") continue;
            var page = await host.PageAsync(path);
            foreach (var link in page.QuerySelectorAll("a[href]").Select(link => link.GetAttribute("href")!))
            {
                if (link.StartsWith('#')) page.GetElementById(link[1..]).ShouldNotBeNull(link);
                else if (seen.Add(link)) waiting.Enqueue(link);
            }
        }
        seen.Count.ShouldBeGreaterThan(12);
    }

    private static IEnumerable<string?> Runs(IParentNode page) => page.QuerySelectorAll(".runs tbody th > a").Select(link => link.GetAttribute("href"));

    private static string Node(IElement place, string stage) => place.QuerySelectorAll(".node").Single(node => node.QuerySelector("a")!.TextContent == stage).TextContent;

    private static string Row(IParentNode page, string stage) => page.QuerySelectorAll("tbody tr").Single(row => row.QuerySelector("th a")?.TextContent == stage).TextContent;
}
