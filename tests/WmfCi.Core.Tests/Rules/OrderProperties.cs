using FsCheck.Xunit;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Rules;

/// <summary>
/// Whatever happens, in whatever order and however often. A script of bytes is read as what people, the code review and the workers do;
/// <see cref="Invariants"/> looks at each decision.
/// </summary>
public sealed class OrderProperties
{
    private const int Longest = 80;

    private static readonly string[] _reasons = ["no node has room", "", " \n\t", "the image is pulled\u001b[31m\0\u202E", new('x', 5_000), string.Concat(Enumerable.Repeat("👍", 400))];

    private static readonly Pipeline[] _pipelines =
    [
        Plans.Usual,
        Plans.WithLint,
        new([Plans.Stage("commit"), Plans.NonVoting("docs"), Plans.Stage("acceptance", "docs", "commit"), Plans.Unavailable("deployment", "acceptance"), Plans.Stage("smoke", "deployment")]),
    ];

    [Property(MaxTest = 2000)]
    public void Whatever_happens_the_promises_hold(byte[] script, bool holdsStrangers) => Play(Start(holdsStrangers), script);

    [Property(MaxTest = 300)]
    public void Whatever_happens_is_written_down_and_read_back(byte[] script)
    {
        var story = Start(holdsStrangers: true);
        Play(story, script);
        Json.RoundTrip(story.Lane).ShouldBe(story.Lane);
        story.All.All(effect => Json.RoundTrip(effect) == effect).ShouldBeTrue();
    }

    [Property(MaxTest = 500)]
    public void Readings_in_any_order_and_number_end_in_the_same_state(byte[] history, int[] order)
    {
        var snapshots = SnapshotsOf(history);
        var straight = Deliver(snapshots);
        var shuffled = Deliver([.. order.Select(at => snapshots[(int)((uint)at % (uint)snapshots.Count)]), .. snapshots.TakeLast(1), .. order.Select(at => snapshots[(int)((uint)at % (uint)snapshots.Count)])]);
        EndState(shuffled).ShouldBe(EndState(straight));
    }

    [Property(MaxTest = 500)]
    public void Reports_of_stages_in_any_order_and_number_end_in_the_same_result(bool[] verdicts, int[] order)
    {
        var reports = new[] { "commit", "lint", "acceptance" }.Select((stage, at) => new Event.StageFinished(
            new AttemptId(new RunId(1), stage, 1),
            new StageOutcome { Kind = verdicts.ElementAtOrDefault(at) ? OutcomeKind.Failed : OutcomeKind.Succeeded })).ToList();
        var straight = new Story().Push(1).Source(Plans.WithLint);
        foreach (var report in reports) straight.Deliver(report);
        var shuffled = new Story().Push(1).Source(Plans.WithLint);
        foreach (var at in order) shuffled.Deliver(reports[(int)((uint)at % 3)]);
        // A report comes until it is heard.
        foreach (var report in reports) shuffled.Deliver(report);
        shuffled.Run.Result.ShouldNotBeNull().ShouldBe(straight.Run.Result.ShouldNotBeNull());
        shuffled.Run.Stages.Select(stage => stage.Status).ShouldBe(straight.Run.Stages.Select(stage => stage.Status));
        shuffled.Reviews.Count(review => review.Message.Kind == MessageKind.Result).ShouldBe(1);
    }

    [Property(MaxTest = 500)]
    public void A_run_whose_workers_answer_always_ends_with_one_word(byte[] outcomes)
    {
        var story = new Story().Push(1).Source(_pipelines[2]);
        for (var turn = 0; story.Run.IsActive; turn++)
        {
            turn.ShouldBeLessThan(5 * Attempt.Max);
            var stage = story.Run.Stages.First(stage => stage.Status == StageStatus.Queued);
            story.Failed(stage.Stage, (OutcomeKind)(outcomes.ElementAtOrDefault(turn) % 8));
        }

        story.Reviews.Count(review => review.Message.Kind == MessageKind.Result).ShouldBe(1);
    }

    private static Story Start(bool holdsStrangers) => holdsStrangers ? Story.OnASiteThatHoldsStrangers() : new Story();

    private static void Play(Story story, byte[] script)
    {
        var snapshots = new List<Event.ChangeSeen>();
        foreach (var (action, detail) in script.Take(Longest).Select(one => (one % 16, one / 16)))
        {
            if (action < 8)
            {
                People_do(story, action, detail);
                snapshots.Add(story.Snapshot());
            }

            switch (action)
            {
                case < 6: story.Seen(); break;
                case 8 when snapshots.Count > 0: story.Deliver(snapshots[^Math.Min(detail + 1, snapshots.Count)]); break;
                case 9: story.Deliver(detail < 4 ? new Event.ChangePoked("ref-updated") : detail < 5 ? new Event.ChangeGone() : story.Snapshot()); break;
                case 10 or 11: Source(story, detail); break;
                case >= 12: Stage(story, detail); break;
            }
        }
    }

    private static void People_do(Story story, int action, int detail)
    {
        var who = (detail % 4) switch { 0 => People.Alice, 1 => People.Bob, 2 => People.Stranger, _ => People.Self };
        var truth = story.Truth;
        _ = action switch
        {
            0 => story.Upload(truth.Current.Number + 1, detail < 8 ? PatchSetKind.NoCodeChange : PatchSetKind.Rework, who),
            1 => story.Upload(truth.Current.Number + 1, PatchSetKind.NoCodeChange, People.Alice),
            2 => story.Say(who, "recheck", on: Math.Max(1, truth.Current.Number - (detail / 8))),
            3 => story.VoteFor(who, (detail % 5) - 2),
            4 => story.Private(detail % 3 == 0),
            5 => story.Become((ChangeStatus)(detail % 4 == 3 ? 0 : detail % 4)),
            6 => story.Happen(truth with { IsWorkInProgress = detail % 2 == 0, Branch = detail == 15 ? "other" : truth.Branch }),
            _ => story.Say(who, "help"),
        };
    }

    private static void Source(Story story, int detail)
    {
        var asked = story.All.OfType<Effect.PrepareSource>().ToList();
        if (asked.Count == 0) return;
        var effect = asked[^Math.Min((detail % 3) + 1, asked.Count)];
        switch (detail)
        {
            case 13: story.Deliver(new Event.SourceConflicted(effect.Run, ["a"])); break;
            case 14: story.Deliver(new Event.EffectGaveUp(effect, "gone")); break;
            case 15: story.Deliver(new Event.SourceRefused(effect.Run, "too large")); break;
            case 12: story.Deliver(new Event.SourcePrepared(effect.Run, new Source("c", "t", "b", "s", []), null, detail % 2 == 0 ? [] : [new ConfigMistake("f", 1, 1, "p", "a")])); break;
            default: story.Source(_pipelines[detail % 3], $"tree-{detail / 6}", effect.Run); break;
        }
    }

    private static void Stage(Story story, int detail)
    {
        var begun = story.All.OfType<Effect.RunStage>().ToList();
        if (begun.Count == 0) return;
        var effect = begun[^Math.Min((detail % 4) + 1, begun.Count)];
        story.Deliver((detail / 2) switch
        {
            _ when detail is 1 or 15 => new Event.StageWaiting(effect.Attempt, _reasons[story.All.Count % _reasons.Length]),
            7 => new Event.StageStarted(effect.Attempt),
            6 => new Event.EffectGaveUp(effect, "no worker"),
            5 => new Event.StageFinished(effect.Attempt, new StageOutcome { Kind = OutcomeKind.InfrastructureFailed }),
            4 => new Event.StageFinished(effect.Attempt, new StageOutcome { Kind = (OutcomeKind)(detail % 8) }),
            var kind => new Event.StageFinished(effect.Attempt, new StageOutcome { Kind = kind == 3 ? OutcomeKind.Failed : OutcomeKind.Succeeded, ArtifactCount = kind }),
        });
    }

    private static List<Event.ChangeSeen> SnapshotsOf(byte[] history)
    {
        var story = Start(holdsStrangers: true);
        var snapshots = new List<Event.ChangeSeen> { story.Snapshot() };
        foreach (var (action, detail) in history.Take(Longest).Select(one => (one % 8, one / 16)))
        {
            // A vote that is taken back, or copied, means something only to those who saw it in time.
            if (action is 3 or 6) continue;
            People_do(story, action, detail);
            snapshots.Add(story.Snapshot());
        }

        return snapshots;
    }

    private static Story Deliver(IEnumerable<Event.ChangeSeen> snapshots)
    {
        var story = Start(holdsStrangers: true);
        foreach (var snapshot in snapshots) story.Deliver(snapshot);
        return story;
    }

    private static string EndState(Story story)
    {
        var lane = story.Lane;
        // What came before the change was hidden or closed is not known to those who saw only its end.
        return lane.Change is not { Status: ChangeStatus.Open } change ? $"{lane.Change?.Status} {lane.ReadUntil:O}"
            : $"{change.Current.Number} {change.Updated:O} held {lane.Held} running {lane.Current?.PatchSet} until {lane.CommentsUntil:O} seen {lane.Seen}";
    }
}
