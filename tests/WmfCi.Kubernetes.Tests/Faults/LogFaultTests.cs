using WmfCi.Core.Runs;
using WmfCi.Fakes.Kubernetes;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>However a log comes, it is told once and whole in the end.</summary>
public sealed class LogFaultTests
{
    private const string Lines = "i=0; while [ $i -lt 300 ]; do echo line $i; i=$((i+1)); done";
    private static readonly string AllLines = string.Concat(Enumerable.Range(0, 300).Select(i => $"line {i}\n"));

    [Fact]
    public async Task A_log_that_is_cut_is_asked_for_again()
    {
        await using var here = await Ground.OpenAsync();
        here.StandIn.Faults.CutLogsAfter = 1500;
        var trial = await here.BeginAsync(here.Here.StageOf($"{Lines}; sleep 1", Lines));
        await IsWholeAsync(here, trial);
    }

    [Fact]
    public async Task A_log_that_hangs_is_asked_for_again()
    {
        await using var here = await Ground.OpenAsync(speed: 5);
        here.StandIn.Faults.HangLogs = true;
        var trial = await here.BeginAsync(here.Here.StageOf($"{Lines}; sleep 1", $"sleep 1; {Lines}"));
        await IsWholeAsync(here, trial);
    }

    [Fact]
    public async Task A_log_that_was_put_away_before_it_was_read_is_told_again_from_the_complete_one()
    {
        await using var here = await Ground.OpenAsync(options: new StandInOptions { RotateLogsAt = 2000 });
        here.StandIn.Faults.HangLogs = true;
        var trial = await here.BeginAsync(here.Here.StageOf($"echo begun; sleep 1; {Lines}; sleep 1; {Lines}", "true"));
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(OutcomeKind.Succeeded, trial.Heard.ToString());
        trial.Heard.Output.ShouldBe($"begun\n{AllLines}{AllLines}");
        trial.Heard.Restarts.ShouldBe(1);
        trial.Heard.Notes.ShouldBeEmpty();
        trial.Heard.Steps.ShouldBe(["step 1", "step 2"]);
        here.StandIn.Faults.HangLogs = false;
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_log_that_cannot_be_read_at_all_is_told_from_the_complete_one()
    {
        await using var here = await Ground.OpenAsync(speed: 5);
        here.StandIn.Faults.Deny("log", "pods");
        var trial = await here.BeginAsync(here.Here.StageOf(Lines, Lines));
        await IsWholeAsync(here, trial);
        trial.Heard.Restarts.ShouldBe(1);
    }

    private static async Task IsWholeAsync(Ground here, Trial trial)
    {
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(OutcomeKind.Succeeded, trial.Heard.ToString());
        trial.Heard.Output.ShouldBe(AllLines + AllLines);
        trial.Heard.Steps.ShouldBe(["step 1", "step 2"]);
        trial.Heard.Notes.ShouldBeEmpty();
        await here.LeavesNothingAsync();
    }
}
