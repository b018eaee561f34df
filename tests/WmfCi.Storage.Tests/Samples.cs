using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Storage.Tests;

/// <summary>Plain values to store.</summary>
internal static class Samples
{
    public static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);

    public static readonly Account Alice = new("1001", "alice", "Alice", "alice@example.org");

    public static ChangeId Id(int number = 7, string project = "tools/beaver") => new(project, number);

    public static PatchSet PatchSet(int number = 1) => new(number, new string('a', 40), $"refs/changes/07/7/{number}", PatchSetKind.Rework, Alice, Noon);

    public static Change Change(int number = 7, string subject = "Build a dam") => new()
    {
        Id = Id(number),
        Branch = "main",
        Subject = subject,
        Url = "https://gerrit.example.org/7",
        Owner = Alice,
        Status = ChangeStatus.Open,
        Current = PatchSet(),
        Updated = Noon,
    };

    public static Run Run(long id, RunResult? result = null, int number = 7, string project = "tools/beaver") => new()
    {
        Id = new RunId(id),
        Change = Id(number, project),
        Branch = "main",
        PatchSet = PatchSet(),
        Subject = "Build a dam",
        Cause = new RunCause(RunCauseKind.PatchSet, null),
        Created = Noon,
        Result = result,
        Finished = result is null ? null : Noon.AddMinutes(3),
    };

    public static LaneEvent Poke(string lane, string why = "poke") => new(lane, new Event.ChangePoked(why));

    public static Effect.ReadChange Read(long request, int number = 7) => new(Id(number), request, Noon);

    public static Effect.PrepareSource Prepare(long run) => new(new RunId(run), Id(), "main", PatchSet());

    public static Effect.RunStage RunStage(AttemptId attempt) => new(
        attempt, new Stage { Name = attempt.Stage, Image = "host", Timeout = TimeSpan.FromMinutes(5) },
        new Source("c", "t", "b", "s", []), [], new RunFacts(Id(), "main", 1, new string('a', 40)));

    public static Effect.PostReview Review(string name, int number = 7, string text = "Looks well") =>
        new(Id(number), new string('a', 40), 1, name, new ReviewMessage(MessageKind.Result, text));

    /// <summary>Everything in the claim is dealt with; nothing else changes.</summary>
    public static LaneOutcome Handled(LaneClaim claim, params Effect[] effects)
    {
        var state = claim.ReadState();
        return new LaneOutcome(claim, state, state, effects, [.. claim.Events.Select(one => one.Id)], []);
    }

    public static LaneOutcome Failed(LaneClaim claim, string reason, TimeSpan? retryAfter)
    {
        var state = claim.ReadState();
        return new LaneOutcome(claim, state, state, [], [], [.. claim.Events.Select(one => new FailedEvent(one.Id, reason, retryAfter))]);
    }
}
