using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages.Terminal;
using WmfCi.Storage;

namespace WmfCi.Service.Pages;

/// <summary>What the overview shows.</summary>
/// <param name="Active">The runs that go on, oldest first.</param>
/// <param name="MoreActive">Whether there are more of them than are shown.</param>
/// <param name="Ended">The newest runs that ended, newest first.</param>
/// <param name="Before">The run before which these are; null on the first page.</param>
/// <param name="Older">Where the next page begins; null on the last one.</param>
/// <param name="Backlog">How much waits inside.</param>
/// <param name="Capacity">How many stages run at once, where it is known.</param>
public sealed record OverviewModel(IReadOnlyList<Run> Active, bool MoreActive, IReadOnlyList<Run> Ended, RunId? Before, RunId? Older, Backlog Backlog, Capacity? Capacity);

/// <summary>What the page of one attempt shows.</summary>
/// <param name="Run">The run.</param>
/// <param name="Stage">The stage.</param>
/// <param name="Attempt">The attempt; null while there is none.</param>
/// <param name="Artifacts">What it left.</param>
/// <param name="Log">Its log; null where there is none.</param>
/// <param name="Tests">Its failed tests.</param>
public sealed record StageModel(Run Run, StageRun Stage, Attempt? Attempt, IReadOnlyList<StoredArtifact> Artifacts, LogPortion? Log, TestSummary? Tests)
{
    /// <summary>What the pipeline says about it; null where the pipeline is not known.</summary>
    public Stage? Plan => Run.Pipeline?.Stages.FirstOrDefault(stage => stage.Id == Stage.Stage);

    /// <summary>Whether more of its log may come.</summary>
    public bool IsLive => Attempt is { Outcome: null } && Log?.IsGrowing != false && Log?.HasLater != true;
}

/// <summary>What the page of a change shows.</summary>
/// <param name="Change">The change.</param>
/// <param name="Runs">Its runs, newest first.</param>
public sealed record ChangeModel(ChangeId Change, IReadOnlyList<Run> Runs);

/// <summary>What the page of a project shows.</summary>
/// <param name="Project">The project.</param>
/// <param name="Runs">Its runs, newest first.</param>
/// <param name="Before">The run before which these are; null on the first page.</param>
/// <param name="Older">Where the next page begins; null on the last one.</param>
/// <param name="Figures">How its last runs went.</param>
public sealed record ProjectModel(string Project, IReadOnlyList<Run> Runs, RunId? Before, RunId? Older, ProjectFigures Figures);

/// <summary>How the last runs of a project went.</summary>
/// <param name="Decided">How many of them passed or failed.</param>
/// <param name="Passed">How many of them passed.</param>
/// <param name="Median">The time from the decision to run until the end, of those that passed; null when none did.</param>
/// <param name="Stages">The median duration of each stage that succeeded, in the order in which stages first appear.</param>
public sealed record ProjectFigures(int Decided, int Passed, TimeSpan? Median, IReadOnlyList<StageFigure> Stages)
{
    /// <summary>How many stages are shown.</summary>
    public const int MaxStages = 40;

    /// <summary>Works them out.</summary>
    /// <param name="runs">The newest first.</param>
    public static ProjectFigures Of(IReadOnlyCollection<Run> runs)
    {
        // A run that took over another's result says nothing of its own.
        var decided = runs.Where(run => run.CarriedFrom is null && run.Result is RunResult.Success or RunResult.Failure).ToList();
        var passed = decided.Where(run => run.Result == RunResult.Success).ToList();
        var stages = decided.SelectMany(run => run.Stages)
            .Where(stage => stage is { Status: StageStatus.Succeeded, Latest: { Started: not null, Finished: not null } })
            .GroupBy(stage => stage.Stage, stage => stage.Latest!.Finished!.Value - stage.Latest.Started!.Value)
            .Take(MaxStages)
            .Select(group => new StageFigure(group.Key, Middle([.. group])!.Value, group.Count()));
        return new ProjectFigures(decided.Count, passed.Count, Middle([.. passed.Where(run => run.Finished is not null).Select(run => run.Finished!.Value - run.Created)]), [.. stages]);
    }

    private static TimeSpan? Middle(List<TimeSpan> spans)
    {
        if (spans.Count == 0) return null;
        spans.Sort();
        return (spans[(spans.Count - 1) / 2] + spans[spans.Count / 2]) / 2;
    }
}

/// <summary>How long a stage takes.</summary>
/// <param name="Stage">Its id.</param>
/// <param name="Median">The middle one of its durations.</param>
/// <param name="Count">Of how many.</param>
public sealed record StageFigure(string Stage, TimeSpan Median, int Count);
