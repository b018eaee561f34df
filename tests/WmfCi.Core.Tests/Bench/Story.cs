using System.Globalization;
using WmfCi.Commands;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Tests.Bench;

/// <summary>
/// A story about one change: what people do in the code review, what is delivered of it, and what the rules decide. The code review's truth changes with
/// <see cref="Upload"/>, <see cref="Say"/> and the like; the rules hear of it at <see cref="Seen"/>. Every decision is checked against <see cref="Invariants"/>.
/// </summary>
internal sealed class Story
{
    public static readonly ChangeId Id = new("mediawiki/core", 1234);
    public static readonly DateTimeOffset Installed = new(2026, 3, 1, 8, 0, 0, TimeSpan.Zero);
    public static readonly Links Links = new("https://ci.example");

    private readonly List<Comment> _comments = [];
    private readonly Invariants _invariants = new();
    private long _events;

    public Policy Policy { get; set; } = new()
    {
        Self = People.Self,
        AutomaticSince = Installed,
        Links = Links,
        Trusted = new TrustList { Usernames = ["alice", "bob"], Emails = ["*@trusted.example"] },
    };

    public DateTimeOffset Now { get; private set; } = Installed + TimeSpan.FromHours(1);
    public ChangeLane Lane { get; private set; } = new();
    public Change Truth { get; private set; } = First();
    public List<Effect> All { get; } = [];

    /// <summary>What the last event wanted.</summary>
    public ValueArray<Effect> Fresh { get; private set; } = [];

    /// <summary>The newest run.</summary>
    public Run Run => Lane.Runs[^1];

    public IEnumerable<Effect.PostReview> Reviews => All.OfType<Effect.PostReview>();
    public IEnumerable<Effect.PostReview> FreshReviews => Fresh.OfType<Effect.PostReview>();

    /// <summary>The stages that the last event began, as <c>run/stage/attempt</c>.</summary>
    public IEnumerable<string> Begun => Fresh.OfType<Effect.RunStage>().Select(effect => effect.Attempt.ToString());

    /// <summary>The stages that the last event stopped.</summary>
    public IEnumerable<string> Ended => Fresh.OfType<Effect.StopStage>().Select(effect => effect.Attempt.ToString());

    public Effect.PostReview? Result => Reviews.LastOrDefault(review => review.Message.Kind == MessageKind.Result);

    public static Story OnASiteThatHoldsStrangers()
    {
        var story = new Story();
        story.Policy = story.Policy with { HoldStrangers = true };
        return story;
    }

    public Story Upload(int number, PatchSetKind kind = PatchSetKind.Rework, Account? by = null) => Happen(Truth with
    {
        Current = new PatchSet(number, $"{number:x8}", $"refs/changes/34/1234/{number}", kind, by ?? People.Alice, Now),
        Votes = [],
    });

    public Story Happen(Change truth)
    {
        Now += TimeSpan.FromSeconds(1);
        Truth = truth with { Updated = Now };
        return this;
    }

    public Story Private(bool isPrivate = true) => Happen(Truth with { IsPrivate = isPrivate });

    public Story Become(ChangeStatus status) => Happen(Truth with { Status = status });

    public Story Say(Account author, string text, int? on = null, string? tag = null, params string[] labels)
    {
        Happen(Truth);
        _comments.Add(new Comment($"c{_comments.Count + 1}", author, Now, on ?? Truth.Current.Number, text, tag, [.. labels]));
        return this;
    }

    public Story VoteFor(Account author, int value, string label = "Code-Review", string text = "")
    {
        var votes = Truth.Votes.Where(vote => vote.By != author || vote.Label != label);
        Truth = Truth with { Votes = (value == 0 ? votes : votes.Append(new Vote(label, value, author))).ToValueArray() };
        return Say(author, text, labels: label);
    }

    public Event.ChangeSeen Snapshot() => new(Truth, _comments.ToValueArray());

    public Story Seen() => Deliver(Snapshot());

    /// <summary>A patch set is uploaded, and read.</summary>
    public Story Push(int number, PatchSetKind kind = PatchSetKind.Rework, Account? by = null) => Upload(number, kind, by).Seen();

    public Story Source(Pipeline? pipeline = null, string tree = "tree-1", RunId? run = null) =>
        Deliver(new Event.SourcePrepared(run ?? Run.Id, SourceOf(tree), pipeline ?? Plans.Usual, []));

    public Story Conflict(params string[] paths) => Deliver(new Event.SourceConflicted(Run.Id, [.. paths]));

    public Story Mistaken(params ConfigMistake[] mistakes) => Deliver(new Event.SourcePrepared(Run.Id, SourceOf("tree-1"), null, [.. mistakes]));

    public Story NothingConfigured() => Deliver(new Event.SourcePrepared(Run.Id, SourceOf("tree-1"), null, []));

    public Story Waits(string stage, string reason) => Deliver(new Event.StageWaiting(Newest(stage), reason));

    public Story Started(string stage) => Deliver(new Event.StageStarted(Newest(stage)));

    public Story Succeeded(string stage, int artifacts = 0) => Finished(stage, new StageOutcome { Kind = OutcomeKind.Succeeded, ArtifactCount = artifacts });

    public Story Failed(string stage, OutcomeKind kind = OutcomeKind.Failed) =>
        Finished(stage, new StageOutcome { Kind = kind, Explanation = "it exited with 1.", FailedStep = "make", ExitCode = 1, Excerpt = ["no rule"] });

    public Story Lost(string stage, string why = "the worker vanished.") =>
        Finished(stage, new StageOutcome { Kind = OutcomeKind.InfrastructureFailed, Explanation = why });

    public Story Finished(string stage, StageOutcome outcome) => Deliver(new Event.StageFinished(Newest(stage), outcome));

    /// <summary>Everything is pushed and green.</summary>
    public Story Green(int number = 1) => Push(number).Source(tree: $"tree-{number}").Succeeded("commit").Succeeded("acceptance");

    public Story Deliver(Event happened)
    {
        Now += TimeSpan.FromSeconds(1);
        var context = new DecisionContext(Now, ++_events, Policy, CommandList.Interpret);
        var decision = ChangeRules.Decide(Lane, Id, happened, context);
        ChangeRules.Decide(Lane, Id, happened, context).ShouldBe(decision, "the same question has the same answer");
        _invariants.Check(decision);
        Lane = decision.Lane;
        Fresh = decision.Effects;
        All.AddRange(Fresh);
        return this;
    }

    /// <summary>The attempt that a report about a stage would be about now: of the newest run that has begun it.</summary>
    public AttemptId Newest(string stage)
    {
        var run = Lane.Runs.Last(run => run.FindStage(stage) is { Attempts.IsEmpty: false } && run.CarriedFrom is null);
        return new AttemptId(run.Id, stage, run.FindStage(stage)!.Attempts.Count);
    }

    private static Source SourceOf(string tree) => new("merge-of-" + tree, tree, "tip", "sha256-of-" + tree, []);

    private static Change First() => new()
    {
        Id = Id,
        Branch = "master",
        Subject = "Add a thing",
        Url = "https://gerrit.example/1234",
        Owner = People.Alice,
        Status = ChangeStatus.Open,
        Current = new PatchSet(1, 1.ToString("x8", CultureInfo.InvariantCulture), "refs/changes/34/1234/1", PatchSetKind.Rework, People.Alice, Installed + TimeSpan.FromHours(1)),
        Updated = Installed + TimeSpan.FromHours(1),
        Reviewers = [People.Bob, People.Carol],
    };
}
