using System.Diagnostics;
using WmfCi.Core.Changes;
using WmfCi.Core.Feedback;
using WmfCi.Core.Policies;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Rules;

/// <summary>What happens within a run: from its source over its stages to its result. Pure.</summary>
public static class RunRules
{
    /// <summary>Decides what an event means for the run that it names. Events of runs that ended, or were never here, mean nothing.</summary>
    public static Decision Decide(ChangeLane lane, Event happened, DecisionContext context)
    {
        var decision = new Decision(lane, []);
        if (lane.Find(RunOf(happened)) is not { IsActive: true } run) return decision;
        return happened switch
        {
            // The source is asked for once and may be answered twice, since asking may be repeated; the first answer counts, whatever the branch became since.
            Event.SourcePrepared or Event.SourceConflicted or Event.SourceRefused or Event.EffectGaveUp { Effect: Effect.PrepareSource } when run.Source is not null => decision,
            Event.SourcePrepared prepared => OnSource(decision, run, prepared, context),
            Event.SourceConflicted conflict => Finish(decision, run with { Note = ReviewTexts.ConflictNote(conflict.Paths, run.Branch) }, RunResult.Conflict, context),
            Event.SourceRefused refused => Finish(decision, run with { Note = refused.Reason }, RunResult.Failure, context),
            Event.StageWaiting waiting => OnWaiting(decision, run, waiting),
            Event.StageStarted started => OnStarted(decision, run, started.Attempt, context),
            Event.StageFinished finished => OnFinished(decision, run, finished.Attempt, finished.Outcome, context),
            Event.EffectGaveUp { Effect: Effect.RunStage stage } gaveUp => OnFinished(decision, run, stage.Attempt, Lost(gaveUp.Reason), context),
            Event.EffectGaveUp gaveUp => Finish(decision, run with { Note = gaveUp.Reason }, RunResult.InfrastructureFailure, context),
            _ => throw new UnreachableException($"{happened.GetType().Name} is no event of a run"),
        };
    }

    private static RunId RunOf(Event happened) => happened switch
    {
        Event.SourcePrepared e => e.Run,
        Event.SourceConflicted e => e.Run,
        Event.SourceRefused e => e.Run,
        Event.StageWaiting e => e.Attempt.Run,
        Event.StageStarted e => e.Attempt.Run,
        Event.StageFinished e => e.Attempt.Run,
        Event.EffectGaveUp { Effect: Effect.RunStage e } => e.Attempt.Run,
        Event.EffectGaveUp { Effect: Effect.PrepareSource e } => e.Run,
        _ => throw new UnreachableException($"{happened.GetType().Name} is no event of a run"),
    };

    private static StageOutcome Lost(string reason) => new() { Kind = OutcomeKind.InfrastructureFailed, Explanation = reason };

    private static Decision OnSource(Decision decision, Run run, Event.SourcePrepared prepared, DecisionContext context)
    {
        run = run with { Source = prepared.Source, Pipeline = prepared.Pipeline, Mistakes = prepared.Mistakes };
        if (!prepared.Mistakes.IsEmpty) return Finish(decision, run, RunResult.ConfigError, context);
        if (prepared.Pipeline is not { } pipeline) return Finish(decision, run, RunResult.NothingToDo, context);
        var earlier = Inheritable(decision.Lane, run);
        decision = StopOlder(decision, run, earlier?.Id, context);
        if (earlier is { IsActive: true }) return decision.Now(run with { CarriedFrom = earlier.Id });
        if (earlier is not null) return Inherit(decision, run, earlier, context);
        run = SkipBlocked(run with { Stages = pipeline.Stages.Select(stage => new StageRun(stage.Id, [], stage.Unavailable)).ToValueArray() });
        if (run.Stages.All(stage => stage.IsOver)) return Finish(decision, run, RunResult.NothingToDo, context);
        if (IsCurrent(decision.Lane, run))
        {
            var message = new ReviewMessage(MessageKind.Start, ReviewTexts.Started(run, context.Policy.Links)) { ReleaseAttention = Reviewers(decision.Lane) };
            decision = decision.And(Post(run, "start", message));
        }
        return Advance(decision, run, context);
    }

    // The same tree, the same pipeline: the result would be the same. Not so where a stage sees the history, and with it the commit message.
    // Somebody who asks for a recheck wants it tried all the same.
    private static Run? Inheritable(ChangeLane lane, Run run) => run.Cause.Kind != RunCauseKind.PatchSet || run.Pipeline!.Stages.Any(stage => stage.HasHistory) ? null
        : lane.Runs.LastOrDefault(other => other.Id.Value < run.Id.Value && other.Source?.Tree == run.Source?.Tree && other.Pipeline == run.Pipeline
            && (other.IsActive ? other.CarriedFrom is null : other.Result is RunResult.Success or RunResult.Failure) && !other.Stages.IsEmpty);

    private static Decision Inherit(Decision decision, Run run, Run earlier, DecisionContext context)
    {
        run = run with { CarriedFrom = earlier.CarriedFrom ?? earlier.Id };
        return earlier.Result is RunResult.Success or RunResult.Failure
            ? Finish(decision, run with { Stages = earlier.Stages, Note = ReviewTexts.CarriedNote(earlier) }, earlier.Result.Value, context)
            : Finish(decision, run with { Stages = earlier.Stages, Note = earlier.Note }, RunResult.InfrastructureFailure, context);
    }

    // Only older ones: the answer about an old patch set's source may come when a newer run waits for its own.
    private static Decision StopOlder(Decision decision, Run run, RunId? except, DecisionContext context) =>
        decision.Lane.ActiveRuns.Where(other => other.Id.Value < run.Id.Value && other.Id != except).ToList()
            .Aggregate(decision, (sofar, other) => Stop(sofar, other, $"Run {run.Id} took its place.", context));

    // Reasons may be heard late: of an attempt that began or ended they say nothing any more.
    private static Decision OnWaiting(Decision decision, Run run, Event.StageWaiting waiting)
    {
        if (run.FindStage(waiting.Attempt.Stage) is not { Latest: { Started: null, Outcome: null } latest } stage || latest.Number != waiting.Attempt.Number) return decision;
        var reason = PlainText.Line(waiting.Reason, Attempt.MaxReasonLength).Trim();
        return decision.Now(run.With(stage.WithLatest(latest with { WaitsFor = reason.Length > 0 ? reason : null })));
    }

    private static Decision OnStarted(Decision decision, Run run, AttemptId id, DecisionContext context) =>
        run.FindStage(id.Stage) is { Latest: { Started: null, Outcome: null } latest } stage && latest.Number == id.Number
            ? decision.Now(run.With(stage.WithLatest(latest with { Started = context.Now, WaitsFor = null })))
            : decision;

    private static Decision OnFinished(Decision decision, Run run, AttemptId id, StageOutcome outcome, DecisionContext context)
    {
        if (run.FindStage(id.Stage) is not { Latest: { Outcome: null } latest } stage || latest.Number != id.Number) return decision;
        // Nobody but us stops an attempt, and we do not answer for runs that we stopped: here the worker was taken away.
        if (outcome.Kind == OutcomeKind.Stopped) outcome = outcome with { Kind = OutcomeKind.InfrastructureFailed };
        stage = stage.WithLatest(latest with { Started = latest.Started ?? context.Now, Finished = context.Now, Outcome = outcome, WaitsFor = null });
        run = run.With(stage);
        if (outcome.Kind == OutcomeKind.InfrastructureFailed && latest.Number < Attempt.Max) return Begin(decision, run, stage, context);
        return Advance(decision, run, context);
    }

    // Starts what may start, skips what cannot, says at once what failed, and ends the run when nothing is left.
    private static Decision Advance(Decision decision, Run run, DecisionContext context)
    {
        run = SkipBlocked(run);
        foreach (var stage in run.Stages)
        {
            if (stage.Status != StageStatus.Waiting || !IsUnblocked(run, stage)) continue;
            decision = Begin(decision, run, stage, context);
            run = decision.Lane.Find(run.Id)!;
        }
        if (run.Stages.All(stage => stage.IsOver)) return Finish(decision, run, ResultOf(run), context);
        return ReportFailure(decision.Now(run), run, context);
    }

    // Our own failures are told at the end only: there is nothing that the author could begin to mend.
    private static Decision ReportFailure(Decision decision, Run run, DecisionContext context)
    {
        if (run.FailureReported || FailedVoting(run).FirstOrDefault(stage => !IsOurs(stage)) is not { } failed) return decision;
        run = run with { FailureReported = true };
        decision = decision.Now(run);
        // A newer patch set of the same tree may wait for this result: then it is that one's news.
        var told = decision.Lane.ActiveRuns.FirstOrDefault(other => (other.Id == run.Id || other.CarriedFrom == run.Id) && IsCurrent(decision.Lane, other));
        if (told is null || decision.Lane.Change is not { } change) return decision;
        var text = ReviewTexts.FirstFailure(run with { PatchSet = told.PatchSet }, failed, change, context.Policy.Links);
        return decision.And(Post(told, "failing", new ReviewMessage(MessageKind.Progress, text) { CallAttention = [change.Owner.Id] }));
    }

    private static Decision Begin(Decision decision, Run run, StageRun stage, DecisionContext context)
    {
        var attempt = new Attempt(stage.Attempts.Count + 1, context.Now);
        run = run.With(stage with { Attempts = stage.Attempts.Add(attempt) });
        var plan = run.Pipeline![stage.Stage];
        var inputs = run.Pipeline.NeededBy(plan).Select(needed => run.FindStage(needed.Id)!)
            .Where(needed => needed.Latest?.Outcome?.ArtifactCount > 0)
            .Select(needed => new AttemptId(run.Id, needed.Stage, needed.Latest!.Number)).ToValueArray();
        var facts = new RunFacts(run.Change, run.Branch, run.PatchSet.Number, run.PatchSet.Revision);
        return decision.Now(run).And(new Effect.RunStage(new AttemptId(run.Id, stage.Stage, attempt.Number), plan, run.Source!, inputs, facts));
    }

    private static bool IsUnblocked(Run run, StageRun stage) =>
        run.Pipeline!.NeededBy(run.Pipeline[stage.Stage]).All(needed => run.FindStage(needed.Id)!.Status == StageStatus.Succeeded);

    // Until nothing changes: a skipped stage blocks those behind it.
    private static Run SkipBlocked(Run run)
    {
        while (true)
        {
            var before = run;
            foreach (var stage in run.Stages.Where(stage => stage.Status == StageStatus.Waiting))
            {
                var blocker = run.Pipeline!.NeededBy(run.Pipeline[stage.Stage])
                    .Select(needed => run.FindStage(needed.Id)!)
                    .FirstOrDefault(needed => needed.Status is StageStatus.Failed or StageStatus.Skipped or StageStatus.Stopped);
                if (blocker is not null) run = run.With(stage with { SkipReason = ReviewTexts.SkippedBecause(blocker) });
            }
            if (run == before) return run;
        }
    }

    private static IEnumerable<StageRun> FailedVoting(Run run) =>
        run.Stages.Where(stage => stage.Status == StageStatus.Failed && run.Pipeline![stage.Stage].IsVoting);

    private static bool IsOurs(StageRun stage) => stage.Latest?.Outcome?.Kind == OutcomeKind.InfrastructureFailed;

    // A voting stage that could not run because something before it failed is not green, whether or not that something may vote.
    private static RunResult ResultOf(Run run)
    {
        var failed = FailedVoting(run).Concat(run.Stages.Where(stage => run.Pipeline![stage.Stage].IsVoting).SelectMany(stage => Blockers(run, stage))).ToList();
        if (failed.Count == 0) return RunResult.Success;
        return failed.TrueForAll(IsOurs) ? RunResult.InfrastructureFailure : RunResult.Failure;
    }

    // The failed stages that a skipped one waited for, directly or not.
    private static IEnumerable<StageRun> Blockers(Run run, StageRun stage) => stage.Status != StageStatus.Skipped || run.Pipeline![stage.Stage].Unavailable is not null ? []
        : run.Pipeline!.NeededBy(run.Pipeline[stage.Stage]).Select(needed => run.FindStage(needed.Id)!)
            .SelectMany(needed => needed.Status == StageStatus.Failed ? [needed] : Blockers(run, needed));

    private static Decision Finish(Decision decision, Run run, RunResult result, DecisionContext context)
    {
        run = run with { Result = result, Finished = context.Now };
        decision = decision.Now(run);
        // A patch set that might have inherited an older one's result, and did not come so far.
        if (run.CarriedFrom is null) decision = StopOlder(decision, run, null, context);
        if (result != RunResult.NothingToDo && IsCurrent(decision.Lane, run) && decision.Lane.Change is { } change)
            decision = decision.And(Post(run, "result", Verdict(run, change, context.Policy)));
        return decision.Lane.ActiveRuns.Where(other => other.CarriedFrom == run.Id).ToList()
            .Aggregate(decision, (sofar, heir) => Inherit(sofar, heir, run, context));
    }

    private static ReviewMessage Verdict(Run run, Change change, Policy policy)
    {
        var message = new ReviewMessage(MessageKind.Result, ReviewTexts.Finished(run, change, policy.Links)) { Inline = ReviewTexts.Inline(run) };
        var reviewers = change.Reviewers.Select(reviewer => reviewer.Id).ToValueArray();
        return run.Result switch
        {
            // People are asked only for what is worth their time: green, and declared ready by its owner.
            RunResult.Success => message with { Label = policy.Label, Value = policy.Pass, CallAttention = change.IsWorkInProgress ? [] : reviewers },
            // Our own failure is no verdict on the change.
            RunResult.InfrastructureFailure => message,
            _ => message with { Label = policy.Label, Value = policy.Fail, CallAttention = [change.Owner.Id], ReleaseAttention = reviewers },
        };
    }

    /// <summary>Ends a run because nobody needs its result. Nobody is told; its page says why.</summary>
    internal static Decision Stop(Decision decision, Run run, string reason, DecisionContext context)
    {
        foreach (var stage in run.Stages)
        {
            if (stage.Latest is { Outcome: null } latest)
            {
                decision = decision.And(new Effect.StopStage(new AttemptId(run.Id, stage.Stage, latest.Number)));
                var stopped = new StageOutcome { Kind = OutcomeKind.Stopped, Explanation = reason };
                run = run.With(stage.WithLatest(latest with { Finished = context.Now, Outcome = stopped, WaitsFor = null }));
            }
            else if (!stage.IsOver)
            {
                run = run.With(stage with { SkipReason = reason });
            }
        }
        return decision.Now(run with { Result = RunResult.Stopped, Finished = context.Now, Note = reason });
    }

    private static bool IsCurrent(ChangeLane lane, Run run) =>
        lane.Change is { Status: ChangeStatus.Open } change && change.Current.Number == run.PatchSet.Number;

    private static ValueArray<string> Reviewers(ChangeLane lane) => lane.Change is null ? [] : lane.Change.Reviewers.Select(reviewer => reviewer.Id).ToValueArray();

    private static Effect.PostReview Post(Run run, string what, ReviewMessage message) =>
        new(run.Change, run.PatchSet.Revision, run.PatchSet.Number, $"{run.Id}/{what}", message);
}
