using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Tests.Bench;

/// <summary>What holds after every decision, whatever happened.</summary>
internal sealed class Invariants
{
    private readonly Dictionary<string, Effect> _known = new(StringComparer.Ordinal);
    private readonly HashSet<RunId> _told = [];

    public void Check(Decision decision)
    {
        var lane = decision.Lane;
        foreach (var effect in decision.Effects) CheckEffect(effect, lane);
        decision.Effects.Select(effect => effect.Key).ShouldBeUnique("a decision wants each thing once");
        foreach (var run in lane.Runs) CheckRun(run);
        CheckActive(lane);
        lane.Runs.Count(run => !run.IsActive).ShouldBeLessThanOrEqualTo(ChangeLane.EndedRunsKept);
    }

    private void CheckEffect(Effect effect, ChangeLane lane)
    {
        if (!_known.TryAdd(effect.Key, effect)) effect.ShouldBe(_known[effect.Key], $"{effect.Key} names one thing only");
        if (lane.Change is null) (effect is Effect.ReadChange or Effect.StopStage).ShouldBeTrue("nothing is done for a change that may not be known");
        switch (effect)
        {
            case Effect.PostReview review:
                lane.Change!.IsPrivate.ShouldBeFalse();
                lane.Change.Status.ShouldBe(ChangeStatus.Open);
                (review.PatchSet, review.Revision).ShouldBe((lane.Change.Current.Number, lane.Change.Current.Revision), "only the current patch set is spoken about");
                if (review.Message.Kind == MessageKind.Result) CheckResult(review, lane);
                break;
            case Effect.RunStage stage:
                stage.Attempt.Number.ShouldBeInRange(1, Attempt.Max);
                var latest = lane.Find(stage.Attempt.Run)!.FindStage(stage.Attempt.Stage)!.Latest!;
                (latest.Number, latest.Outcome).ShouldBe((stage.Attempt.Number, null));
                break;
            case Effect.StopStage stop:
                _known.ShouldContainKey(stop.Target, "only what was begun is stopped");
                break;
            case Effect.PrepareSource source:
                source.PatchSet.ShouldBe(lane.Change!.Current);
                break;
        }
    }

    private void CheckResult(Effect.PostReview review, ChangeLane lane)
    {
        var run = lane.Runs.Single(run => review.Name == $"{run.Id}/result");
        _told.Add(run.Id).ShouldBeTrue("a run has one result");
        run.Result.ShouldNotBeNull().ShouldNotBe(RunResult.Stopped);
        if (review.Message.Value > 0) run.Result.ShouldBe(RunResult.Success);
    }

    private static void CheckRun(Run run)
    {
        (run.Finished is null).ShouldBe(run.IsActive);
        if (!run.IsActive) run.Stages.All(stage => stage.IsOver).ShouldBeTrue("all stages of an ended run are over");
        foreach (var stage in run.Stages)
        {
            stage.Attempts.Select(attempt => attempt.Number).ShouldBe(Enumerable.Range(1, stage.Attempts.Count));
            stage.Attempts.All(attempt => attempt.WaitsFor is null || attempt is { Started: null, Outcome: null, Finished: null }).ShouldBeTrue("only what has not begun waits for something");
            stage.Attempts.All(attempt => attempt.WaitsFor is not { } reason || (reason.Length is > 0 and <= Attempt.MaxReasonLength + 1 && reason == PlainText.Line(reason, Attempt.MaxReasonLength)))
                .ShouldBeTrue("a reason is a short line of plain text");
            stage.Attempts.SkipLast(1).All(attempt => attempt.Outcome!.Kind == OutcomeKind.InfrastructureFailed).ShouldBeTrue("only what we lost is tried again");
        }

        if (run.Result == RunResult.Success)
            run.Stages.Any(stage => stage.Status == StageStatus.Succeeded || !run.Pipeline![stage.Stage].IsVoting).ShouldBeTrue("green means that something was tested");
        if (run is { IsActive: true, Source: not null, CarriedFrom: null })
            run.Stages.Any(stage => stage.Status is StageStatus.Queued or StageStatus.Running).ShouldBeTrue("a run that goes on waits for something");
    }

    private static void CheckActive(ChangeLane lane)
    {
        var active = lane.ActiveRuns.ToList();
        active.Select(run => run.PatchSet.Number).ShouldBeUnique("a patch set has one run at a time");
        if (lane.Change is not { Status: ChangeStatus.Open } change)
        {
            active.ShouldBeEmpty("nothing runs for a change that is closed or may not be known");
            return;
        }

        var current = active.Find(run => run.PatchSet.Number == change.Current.Number);
        foreach (var older in active.Where(run => run != current))
        {
            older.PatchSet.Number.ShouldBeLessThan(change.Current.Number);
            current.ShouldNotBeNull("an old patch set runs only while the current one may inherit from it");
            (current.Source is null || current.CarriedFrom == older.Id).ShouldBeTrue();
        }

        active.All(run => run.CarriedFrom is not { } origin || lane.Find(origin) is not null).ShouldBeTrue("what is inherited from is remembered");
    }
}
