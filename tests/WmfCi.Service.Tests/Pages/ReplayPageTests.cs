using System.Net;
using System.Text;
using System.Text.Json;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages;
using WmfCi.Service.Pages.Replay;

namespace WmfCi.Service.Tests.Pages;

/// <summary>What a run tells those who want to run it again elsewhere.</summary>
public sealed class ReplayPageTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_run_tells_its_pipeline_its_facts_and_what_its_stages_left_for_one_another()
    {
        await using var host = await PageHost.StartAsync();
        var run = Sample.Passed(4);
        await host.AddAsync(run);
        await host.LeaveAsync(new AttemptId(run.Id, "commit", 1), ("bin/program", "program"));
        await host.LeaveAsync(new AttemptId(run.Id, "performance", 1), ("figures", "nobody needs them"));
        var document = await ReadAsync(host, "/replays/4");
        (document.Run, document.Source, document.Pipeline).ShouldBe((run.Id, run.Source, run.Pipeline));
        (document.About.Change, document.About.Branch, document.About.PatchSet, document.About.Revision).ShouldBe((run.Change, run.Branch, run.PatchSet.Number, run.PatchSet.Revision));
        var commit = document.Stages.Single(stage => stage.Stage == "commit");
        (commit.Status, commit.Attempt, commit.Files.Single().Path, commit.Files.Single().Size).ShouldBe((StageStatus.Succeeded, 1, "bin/program", 7));
        document.Stages.Single(stage => stage.Stage == "performance").Files.ShouldBeEmpty();
        document.Stages.ShouldNotContain(stage => stage.Stage == "deployment", "it never ran");
    }

    [Fact]
    public async Task The_source_of_a_run_never_changes_and_is_saved_not_shown()
    {
        await using var host = await PageHost.StartAsync();
        var digest = host.Store.Add(Encoding.UTF8.GetBytes("packed"));
        await host.AddAsync(With(Sample.Failed(4), digest));
        using var answer = await host.Http.GetAsync(new Uri("/replays/4/source", UriKind.Relative), Cancel);
        (await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe("packed");
        answer.Headers.CacheControl!.ToString().ShouldBe("max-age=31536000, private, immutable");
        answer.Headers.ETag!.Tag.ShouldBe($"\"{digest}\"");
        answer.Headers.GetValues("Content-Security-Policy").Single().ShouldBe("default-src 'none'; sandbox; frame-ancestors 'none'");
        answer.Content.Headers.ContentDisposition!.DispositionType.ShouldBe("attachment");
        host.Store.Forget(digest);
        using var gone = await host.Http.GetAsync(new Uri("/replays/4/source", UriKind.Relative), Cancel);
        gone.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_run_that_may_not_be_known_is_replayed_by_nobody()
    {
        await using var host = await PageHost.StartAsync();
        var digest = host.Store.Add(Encoding.UTF8.GetBytes("secret"));
        await host.AddAsync(With(Sample.Failed(2), digest), hidden: true);
        await host.AddAsync(With(Sample.Failed(3), digest) with { CarriedFrom = new RunId(2) });
        foreach (var path in new[] { "/replays/2", "/replays/2/source", "/replays/3", "/replays/3/source", "/replays/77", "/replays/77/source", "/replays/-1", "/replays/x" })
            (await host.PageAsync(path, HttpStatusCode.NotFound)).QuerySelector("h1")!.TextContent.ShouldBe("Nothing is here", path);
    }

    [Fact]
    public async Task A_run_that_took_over_a_result_leads_to_the_stages_that_ran()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Passed(4));
        await host.AddAsync(Sample.Passed(6) with { CarriedFrom = new RunId(4) });
        (await ReadAsync(host, "/replays/6")).Run.ShouldBe(new RunId(4));
    }

    [Fact]
    public async Task A_run_without_stages_says_that_there_is_nothing_to_replay()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Run(5) with { Result = RunResult.Conflict });
        using var answer = await host.Http.GetAsync(new Uri("/replays/5", UriKind.Relative), Cancel);
        (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel)).ShouldBe((HttpStatusCode.Conflict, "Run 5 has no stages to replay: merge conflict.\n"));
    }

    [Fact]
    public async Task The_page_of_a_failed_run_has_the_one_command_that_runs_it_again_elsewhere()
    {
        await using var host = await PageHost.StartAsync(new PageOptions { Url = "https://ci.example.org/ci" });
        await host.AddAsync(Sample.Failed(9));
        await host.AddAsync(Sample.Passed(8));
        (await host.PageAsync("/runs/9")).QuerySelector(".replay code")!.TextContent.ShouldBe("wmfci local --run 9 commit --server https://ci.example.org/ci");
        (await host.PageAsync("/runs/8")).QuerySelector(".replay").ShouldBeNull();
    }

    [Theory]
    [InlineData("php [php=8.1, db=it's]", "'php [php=8.1, db=it'\\''s]'")]
    [InlineData("x; rm -rf /", "'x; rm -rf /'")]
    [InlineData("lint", "lint")]
    public void The_command_is_one_for_a_shell_whatever_a_cell_is_called(string stage, string quoted)
    {
        var failed = new StageRun(stage, [new Attempt(1, PageHost.Now, Outcome: new StageOutcome { Kind = OutcomeKind.Failed })], null);
        ReplayCommand.Of(Sample.Failed(9), failed, "https://ci.example.org").ShouldBe($"wmfci local --run 9 {quoted} --server https://ci.example.org");
    }

    [Fact]
    public void A_failure_of_ours_is_not_for_others_to_replay()
    {
        var lost = new StageRun("commit", [new Attempt(1, PageHost.Now, Outcome: new StageOutcome { Kind = OutcomeKind.InfrastructureFailed })], null);
        ReplayCommand.Of(Sample.Failed(9), lost, "https://ci.example.org").ShouldBeNull();
    }

    private static Run With(Run run, string digest) => run with { Source = run.Source! with { Snapshot = digest } };

    private static async Task<ReplayDocument> ReadAsync(PageHost host, string path) => JsonSerializer.Deserialize<ReplayDocument>(await host.TextAsync(path), CoreJson.Options)!;
}
