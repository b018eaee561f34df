using System.Text.Json.Serialization;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Rules;

/// <summary>All that the rules remember of one change. Facts only: what follows from them is worked out anew each time.</summary>
public sealed record ChangeLane
{
    /// <summary>How many ended runs are remembered here; all of them are in the store.</summary>
    public const int EndedRunsKept = 2;

    /// <summary>Comments written this much before the newest known one are still looked for, since clocks and indexes lag.</summary>
    public static readonly TimeSpan CommentOverlap = TimeSpan.FromMinutes(2);

    /// <summary>The change as last read; null before that, and when it may not be known (private, deleted).</summary>
    public Change? Change { get; init; }

    /// <summary>When the change was last updated according to the newest reading. It outlives <see cref="Change"/>, so that a late older reading shows nothing that was hidden since.</summary>
    public DateTimeOffset ReadUntil { get; init; }

    /// <summary>Whether the newest reading said that the change is private.</summary>
    public bool IsHidden { get; init; }

    /// <summary>Whether somebody is reading it now.</summary>
    public bool IsReading { get; init; }

    /// <summary>Whether something happened since that reading began.</summary>
    public bool ReadAgain { get; init; }

    /// <summary>When the newest comment was written that has been dealt with.</summary>
    public DateTimeOffset CommentsUntil { get; init; }

    /// <summary>The comments around that time that have been dealt with.</summary>
    public ValueArray<SeenComment> Seen { get; init; } = [];

    /// <summary>The newest patch set that the rules have begun to deal with; 0 before the first.</summary>
    public int PatchSetSeen { get; init; }

    /// <summary>The patch set that waits for a trusted person; 0 when none does.</summary>
    public int Held { get; init; }

    /// <summary>Runs that go on, and the last few that ended; oldest first.</summary>
    public ValueArray<Run> Runs { get; init; } = [];

    /// <summary>The runs that go on.</summary>
    [JsonIgnore]
    public IEnumerable<Run> ActiveRuns => Runs.Where(run => run.IsActive);

    /// <summary>The run that goes on for the current patch set, or null.</summary>
    [JsonIgnore]
    public Run? Current => Change is null ? null : Runs.LastOrDefault(run => run.IsActive && run.PatchSet.Number == Change.Current.Number);

    /// <summary>The run of an id, or null.</summary>
    public Run? Find(RunId id) => Runs.FirstOrDefault(run => run.Id == id);

    /// <summary>The lane with a run added or replaced.</summary>
    public ChangeLane With(Run run) =>
        Find(run.Id) is null ? this with { Runs = Runs.Add(run) } : this with { Runs = Runs.Map(other => other.Id == run.Id ? run : other) };

    /// <summary>The lane without the ended runs that nothing here needs any more.</summary>
    public ChangeLane Forget()
    {
        var ended = Runs.Where(run => !run.IsActive).Select(run => run.Id).ToList();
        if (ended.Count <= EndedRunsKept) return this;
        var forgotten = ended.Take(ended.Count - EndedRunsKept).ToHashSet();
        return this with { Runs = Runs.Where(run => !forgotten.Contains(run.Id)).ToValueArray() };
    }
}

/// <summary>A comment that has been dealt with.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Written">When it was written.</param>
public sealed record SeenComment(string Id, DateTimeOffset Written);

/// <summary>What a decision needs beside state and event.</summary>
/// <param name="Now">The time.</param>
/// <param name="EventNumber">The number of the event, unique and growing: it names the run that the event starts.</param>
/// <param name="Policy">What the site wants.</param>
/// <param name="Interpret">Reads a comment as a command.</param>
public sealed record DecisionContext(DateTimeOffset Now, long EventNumber, Policy Policy, Interpreter Interpret);

/// <summary>Reads a comment as a command, and answers what the command wants; null when it is no command.</summary>
public delegate CommandAnswer? Interpreter(Comment comment, ChangeLane lane, Policy policy);

/// <summary>What a command wants.</summary>
/// <param name="Reply">What to say at once, or null.</param>
/// <param name="StartsRun">Whether the current patch set is to be run.</param>
public sealed record CommandAnswer(string? Reply, bool StartsRun);

/// <summary>What was decided.</summary>
/// <param name="Lane">The new state.</param>
/// <param name="Effects">What is to be done, in this order where it concerns the same thing.</param>
public sealed record Decision(ChangeLane Lane, ValueArray<Effect> Effects)
{
    /// <summary>The decision with one more effect.</summary>
    public Decision And(Effect effect) => this with { Effects = Effects.Add(effect) };

    /// <summary>The decision with another state.</summary>
    public Decision Now(ChangeLane lane) => this with { Lane = lane };

    /// <summary>The decision with a run added or replaced.</summary>
    public Decision Now(Run run) => Now(Lane.With(run));
}
