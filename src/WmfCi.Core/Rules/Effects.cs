using System.Text.Json.Serialization;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Rules;

/// <summary>
/// Something that the rules want done. It is stored in the same transaction as the decision and carried out afterwards, perhaps twice; whoever carries it out
/// makes the second time harmless.
/// </summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "do")]
[JsonDerivedType(typeof(ReadChange), "read-change")]
[JsonDerivedType(typeof(PrepareSource), "prepare-source")]
[JsonDerivedType(typeof(RunStage), "run-stage")]
[JsonDerivedType(typeof(StopStage), "stop-stage")]
[JsonDerivedType(typeof(PostReview), "post-review")]
public abstract record Effect
{
    private Effect()
    {
    }

    /// <summary>Names the effect for good: asking for it again is the same effect.</summary>
    [JsonIgnore]
    public abstract string Key { get; }

    /// <summary>Read the change and all that was written on it.</summary>
    /// <param name="Change">Which.</param>
    /// <param name="Request">The event that asked for it.</param>
    /// <param name="CommentsSince">Comments from before may be left out.</param>
    public sealed record ReadChange(ChangeId Change, long Request, DateTimeOffset CommentsSince) : Effect
    {
        /// <inheritdoc/>
        [JsonIgnore]
        public override string Key => $"read/{Change}/{Request}";
    }

    /// <summary>Merge the patch set onto its branch, publish its source, read its pipeline.</summary>
    /// <param name="Run">For which run.</param>
    /// <param name="Change">Which change.</param>
    /// <param name="Branch">The branch.</param>
    /// <param name="PatchSet">Which patch set.</param>
    public sealed record PrepareSource(RunId Run, ChangeId Change, string Branch, PatchSet PatchSet) : Effect
    {
        /// <inheritdoc/>
        [JsonIgnore]
        public override string Key => $"source/{Run}";
    }

    /// <summary>Run one attempt at a stage.</summary>
    /// <param name="Attempt">Which.</param>
    /// <param name="Stage">As planned.</param>
    /// <param name="Source">What is tested.</param>
    /// <param name="Inputs">The attempts whose artifacts it gets.</param>
    /// <param name="About">What the steps are told about the change.</param>
    public sealed record RunStage(AttemptId Attempt, Stage Stage, Source Source, ValueArray<AttemptId> Inputs, RunFacts About) : Effect
    {
        /// <inheritdoc/>
        [JsonIgnore]
        public override string Key => $"stage/{Attempt}";
    }

    /// <summary>Stop an attempt, begun or not; it ends as <see cref="OutcomeKind.Stopped"/>.</summary>
    /// <param name="Attempt">Which.</param>
    public sealed record StopStage(AttemptId Attempt) : Effect
    {
        /// <inheritdoc/>
        [JsonIgnore]
        public override string Key => $"stop/{Attempt}";

        /// <summary>The key of the effect that it stops.</summary>
        [JsonIgnore]
        public string Target => $"stage/{Attempt}";
    }

    /// <summary>Write on the change, and vote.</summary>
    /// <param name="Change">Which change.</param>
    /// <param name="Revision">The commit of the patch set.</param>
    /// <param name="PatchSet">Its number.</param>
    /// <param name="Name">What it is about, unique for the change.</param>
    /// <param name="Message">What to say.</param>
    public sealed record PostReview(ChangeId Change, string Revision, int PatchSet, string Name, ReviewMessage Message) : Effect
    {
        /// <inheritdoc/>
        [JsonIgnore]
        public override string Key => $"review/{Change}/{Name}";
    }
}

/// <summary>What the steps of a stage are told about what they test.</summary>
/// <param name="Change">The change.</param>
/// <param name="Branch">Its branch.</param>
/// <param name="PatchSet">The patch set's number.</param>
/// <param name="Revision">The patch set's commit.</param>
public sealed record RunFacts(ChangeId Change, string Branch, int PatchSet, string Revision);

/// <summary>What kind of message it is. Messages of one kind take one another's place in the code review's view.</summary>
public enum MessageKind
{
    /// <summary>A run has begun.</summary>
    Start,

    /// <summary>Something failed, and the run goes on.</summary>
    Progress,

    /// <summary>A run has ended.</summary>
    Result,

    /// <summary>An answer to a command.</summary>
    Reply,
}

/// <summary>A message with its vote.</summary>
/// <param name="Kind">What it is about.</param>
/// <param name="Text">The words.</param>
public sealed record ReviewMessage(MessageKind Kind, string Text)
{
    /// <summary>The label to vote on, or null.</summary>
    public string? Label { get; init; }

    /// <summary>The vote.</summary>
    public int Value { get; init; }

    /// <summary>Mistakes to show at their lines.</summary>
    public ValueArray<ConfigMistake> Inline { get; init; } = [];

    /// <summary>Whose turn it becomes, by account id.</summary>
    public ValueArray<string> CallAttention { get; init; } = [];

    /// <summary>Whose turn it is no longer, by account id.</summary>
    public ValueArray<string> ReleaseAttention { get; init; } = [];
}
