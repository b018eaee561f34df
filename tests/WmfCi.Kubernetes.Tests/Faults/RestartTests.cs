using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>The service may die at any moment: the next adopts the attempt, and the answer is the same.</summary>
public sealed class RestartTests
{
    [Fact]
    public async Task While_it_waits_for_a_worker()
    {
        await using var here = await Ground.OpenAsync();
        here.Node.IsFull = true;
        var trial = await here.BeginAsync();
        await here.PodAsync(pod => pod.Status?.Conditions is not null);
        trial = await here.RestartAsync(trial);
        here.Node.IsFull = false;
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task Between_Secret_and_Job()
    {
        await using var here = await Ground.OpenAsync();
        var hold = new Hold();
        here.Store.BeforePut = hold.StopAsync;
        var trial = await here.BeginAsync();
        await hold.Reached;
        await here.CrashAsync(trial);
        here.Store.BeforePut = null;
        await here.Here.RestartAsync();
        await here.EndsAsUndisturbedAsync(here.Begin(trial.Spec with { IsRepeated = true }));
    }

    [Fact]
    public async Task While_the_workspace_is_laid_out()
    {
        await using var here = await Ground.OpenAsync();
        var hold = new Hold();
        here.Store.BeforeOpen = hold.StopAsync;
        var trial = await here.BeginAsync();
        await hold.Reached;
        hold.Release();
        await here.EndsAsUndisturbedAsync(await here.RestartAsync(trial));
    }

    [Theory]
    [InlineData("one")]
    [InlineData("two")]
    public async Task While_a_step_runs(string told)
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync(here.Ordinary("sleep 1"));
        await trial.PrintedAsync(told);
        await here.EndsAsUndisturbedAsync(await here.RestartAsync(trial));
    }

    [Fact]
    public async Task While_files_are_stored()
    {
        await using var here = await Ground.OpenAsync();
        var hold = here.Store.HoldFiles();
        var trial = await here.BeginAsync();
        await hold.Reached;
        hold.Release();
        await here.EndsAsUndisturbedAsync(await here.RestartAsync(trial));
    }

    [Fact]
    public async Task After_the_end_and_before_it_was_told()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
        await here.EndsAsUndisturbedAsync(await here.RestartAsync(trial));
    }

    [Fact]
    public async Task Whatever_ends_while_nobody_is_there_is_found()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync(here.Here.StageOf("echo begun; exit 3"));
        (await trial.EndAsync()).Kind.ShouldBe(OutcomeKind.Failed);
        var again = await here.RestartAsync(trial);
        var report = await again.EndAsync();
        (report.Kind, report.ExitCode, report.FailedStep, again.Heard.Output).ShouldBe((OutcomeKind.Failed, 3, "step 1", "begun\n"));
        report.ShouldBe(trial.Heard.Report);
    }

    [Fact]
    public async Task An_exchange_that_is_away_for_a_while_is_asked_again()
    {
        await using var here = await Ground.OpenAsync();
        here.Node.IsFull = true;
        var trial = await here.BeginAsync();
        await here.PodAsync(pod => pod.Status?.Conditions is not null);
        await here.CrashAsync(trial);
        here.Node.IsFull = false;
        await here.RunsAsync("fetch");
        await here.Here.RestartAsync();
        await here.EndsAsUndisturbedAsync(here.Begin(trial.Spec with { IsRepeated = true }));
    }
}
