using WmfCi.Core.Changes;
using WmfCi.Core.Feedback;
using WmfCi.Core.Policies;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Rules;

/// <summary>
/// What happens on a change: which patch sets run, who may ask for it, what stops a run. Pure: the same state, event and context give the same decision.
/// What happens within a run is in <see cref="RunRules"/>.
/// </summary>
public static class ChangeRules
{
    /// <summary>Decides what an event means.</summary>
    public static Decision Decide(ChangeLane lane, ChangeId id, Event happened, DecisionContext context)
    {
        var decision = happened switch
        {
            Event.ChangePoked => LookAgain(lane, id, context),
            Event.ChangeSeen seen => Absorb(Reread(lane, id, context), seen, context),
            Event.ChangeGone => Hide(Reread(lane, id, context), context),
            Event.EffectGaveUp { Effect: Effect.ReadChange } => Reread(lane, id, context),
            Event.EffectGaveUp { Effect: Effect.PostReview or Effect.StopStage } => new Decision(lane, []),
            _ => RunRules.Decide(lane, happened, context),
        };
        return decision.Now(decision.Lane.Forget());
    }

    private static Decision LookAgain(ChangeLane lane, ChangeId id, DecisionContext context) =>
        lane.IsReading
            ? new Decision(lane with { ReadAgain = true }, [])
            : new Decision(lane with { IsReading = true, ReadAgain = false }, [Read(lane, id, context)]);

    // A reading has ended. What happened while it was under way may not be in it, so one more follows.
    private static Decision Reread(ChangeLane lane, ChangeId id, DecisionContext context) =>
        lane.ReadAgain ? LookAgain(lane with { IsReading = false }, id, context) : new Decision(lane with { IsReading = false }, []);

    private static Effect.ReadChange Read(ChangeLane lane, ChangeId id, DecisionContext context) =>
        new(id, context.EventNumber, lane.CommentsUntil == default ? context.Policy.AutomaticSince : lane.CommentsUntil - ChangeLane.CommentOverlap);

    private static Decision Absorb(Decision decision, Event.ChangeSeen seen, DecisionContext context)
    {
        var (change, lane) = (seen.Change, decision.Lane);
        if (IsOvertaken(lane, change)) return decision;
        lane = lane with { ReadUntil = change.Updated, IsHidden = change.IsPrivate };
        if (change.IsPrivate) return Hide(decision.Now(lane), context);

        if (change.Status != ChangeStatus.Open)
        {
            // What is said meanwhile is not dealt with: it counts if the change is restored.
            return StopAll(decision.Now(lane with { Change = change }), change.Status == ChangeStatus.Merged ? "The change was merged." : "The change was abandoned.", context);
        }

        var fresh = seen.Comments.Where(comment => IsNew(comment, lane, context)).ToList();
        var firstSight = lane.PatchSetSeen == 0;
        var isMoved = lane.Change is { } known && known.Branch != change.Branch;
        decision = decision.Now(Remember(lane with { Change = change }, fresh));
        // What was tested for one branch says nothing about another.
        if (isMoved) decision = StopAll(decision, $"The change was moved to {change.Branch}.", context);
        if (isMoved || change.Current.Number > lane.PatchSetSeen) decision = OnPatchSet(decision, change, firstSight, context);
        decision = Resume(decision, change, context);
        return fresh.Aggregate(decision, (sofar, comment) => OnComment(sofar, comment, context));
    }

    // Two readings may overtake one another; the older one tells nothing new. Where one of the same moment says private, that one counts:
    // to show a private change is worse than to show a public one late.
    private static bool IsOvertaken(ChangeLane lane, Change change) =>
        change.Updated < lane.ReadUntil
        || (change.Updated == lane.ReadUntil && lane.IsHidden)
        || (lane.Change is { } known && change.Current.Number < known.Current.Number);

    // The run of an open change's current patch set is stopped only when the change was closed or hidden. It was restored or shown since, and somebody waits for a result.
    private static Decision Resume(Decision decision, Change change, DecisionContext context) =>
        decision.Lane.Held != change.Current.Number
        && decision.Lane.Runs.LastOrDefault(run => run.PatchSet.Number == change.Current.Number) is { Result: RunResult.Stopped } stopped
            ? Start(decision, change, stopped.Cause, context)
            : decision;

    private static bool IsNew(Comment comment, ChangeLane lane, DecisionContext context) =>
        comment.Written >= (lane.CommentsUntil == default ? context.Policy.AutomaticSince : lane.CommentsUntil - ChangeLane.CommentOverlap)
        && !lane.Seen.Any(seen => seen.Id == comment.Id);

    private static ChangeLane Remember(ChangeLane lane, List<Comment> fresh)
    {
        if (fresh.Count == 0) return lane;
        var until = fresh.Max(comment => comment.Written);
        until = until > lane.CommentsUntil ? until : lane.CommentsUntil;
        var seen = lane.Seen.Concat(fresh.Select(comment => new SeenComment(comment.Id, comment.Written)));
        return lane with { CommentsUntil = until, Seen = seen.Where(one => one.Written >= until - ChangeLane.CommentOverlap).ToValueArray() };
    }

    private static Decision OnPatchSet(Decision decision, Change change, bool firstSight, DecisionContext context)
    {
        decision = decision.Now(decision.Lane with { PatchSetSeen = change.Current.Number, Held = 0 });
        // A patch set that changes no code may inherit what runs already; whether it does is known when its tree is.
        var mayInherit = change.Current.Kind is PatchSetKind.NoCodeChange or PatchSetKind.NoChange;
        if (!mayInherit) decision = StopAll(decision, $"Patch set {change.Current.Number} took its place.", context);
        if (firstSight && change.Current.Created < context.Policy.AutomaticSince) return decision;
        return context.Policy.MayRun(change.Current.Uploader)
            ? Start(decision, change, new RunCause(RunCauseKind.PatchSet, null), context)
            : Hold(decision, change, context);
    }

    private static Decision Hold(Decision decision, Change change, DecisionContext context)
    {
        decision = StopAll(decision, $"Patch set {change.Current.Number} took its place.", context);
        var message = new ReviewMessage(MessageKind.Reply, ReviewTexts.Held(change));
        return decision.Now(decision.Lane with { Held = change.Current.Number }).And(Post(change, $"held/{change.Current.Number}", message));
    }

    private static Decision OnComment(Decision decision, Comment comment, DecisionContext context)
    {
        var (lane, policy) = (decision.Lane, context.Policy);
        if (comment.Author.Id == policy.Self.Id || comment.IsAutomatic || lane.Change is not { } change) return decision;
        if (context.Interpret(comment, lane, policy) is { } answer)
        {
            if (answer.Reply is { } reply) decision = decision.And(Post(change, $"reply/{comment.Id}", new ReviewMessage(MessageKind.Reply, reply)));
            if (answer.StartsRun) return Start(decision, change, new RunCause(RunCauseKind.Recheck, comment.Author), context);
        }
        return IsTrust(comment, change, lane, policy) ? Start(decision, change, new RunCause(RunCauseKind.Trust, comment.Author), context) : decision;
    }

    // A good vote is a trusted person's word too, if it was given on the patch set that waits: votes that the code review copied say nothing about new code,
    // and a bad vote, or one taken back, is no invitation to run it.
    private static bool IsTrust(Comment comment, Change change, ChangeLane lane, Policy policy) =>
        lane.Held == change.Current.Number && comment.PatchSet == lane.Held && policy.Trusted.Has(comment.Author)
        && change.Votes.Any(vote => vote.By.Id == comment.Author.Id && vote.Value > 0 && vote.Label != policy.Label && comment.LabelsChanged.Contains(vote.Label));

    private static Decision Start(Decision decision, Change change, RunCause cause, DecisionContext context)
    {
        var run = new Run
        {
            Id = new RunId(context.EventNumber),
            Change = change.Id,
            Branch = change.Branch,
            PatchSet = change.Current,
            Subject = change.Subject,
            Cause = cause,
            Created = context.Now,
        };
        // One event starts one run: a comment that came with a new patch set finds its run begun already.
        if (decision.Lane.Find(run.Id) is not null) return decision;
        return decision.Now((decision.Lane with { Held = 0 }).With(run)).And(new Effect.PrepareSource(run.Id, change.Id, change.Branch, change.Current));
    }

    // A change that may not be known: its runs end without a word, and nothing that it says is kept here.
    private static Decision Hide(Decision decision, DecisionContext context)
    {
        decision = StopAll(decision, "The change is not visible any more.", context);
        return decision.Now(decision.Lane with { Change = null });
    }

    /// <summary>Ends every run that goes on, because nobody needs its result.</summary>
    internal static Decision StopAll(Decision decision, string reason, DecisionContext context) =>
        decision.Lane.ActiveRuns.ToList().Aggregate(decision, (sofar, run) => RunRules.Stop(sofar, run, reason, context));

    /// <summary>A message on the current patch set.</summary>
    internal static Effect.PostReview Post(Change change, string name, ReviewMessage message) =>
        new(change.Id, change.Current.Revision, change.Current.Number, name, message);
}
