using System.Text.Json.Serialization;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Rules;

/// <summary>Something that happened to a change, as it is stored before anything acts on it. Any of them may come twice, late, or in another order.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "is")]
[JsonDerivedType(typeof(ChangePoked), "change-poked")]
[JsonDerivedType(typeof(ChangeSeen), "change-seen")]
[JsonDerivedType(typeof(ChangeGone), "change-gone")]
[JsonDerivedType(typeof(SourcePrepared), "source-prepared")]
[JsonDerivedType(typeof(SourceConflicted), "source-conflicted")]
[JsonDerivedType(typeof(SourceRefused), "source-refused")]
[JsonDerivedType(typeof(StageWaiting), "stage-waiting")]
[JsonDerivedType(typeof(StageStarted), "stage-started")]
[JsonDerivedType(typeof(StageFinished), "stage-finished")]
[JsonDerivedType(typeof(EffectGaveUp), "effect-gave-up")]
public abstract record Event
{
    private Event()
    {
    }

    /// <summary>The change may have changed: look again.</summary>
    /// <param name="Why">The kind of hint, for people who read the event log.</param>
    public sealed record ChangePoked(string Why) : Event;

    /// <summary>The change was read.</summary>
    /// <param name="Change">As it is now.</param>
    /// <param name="Comments">What was written on it lately, oldest first; it may repeat what was read before.</param>
    public sealed record ChangeSeen(Change Change, ValueArray<Comment> Comments) : Event;

    /// <summary>The change does not exist any more, or not for us.</summary>
    public sealed record ChangeGone : Event;

    /// <summary>The change is merged onto its branch and its source is published.</summary>
    /// <param name="Run">For which run.</param>
    /// <param name="Source">What is to be tested.</param>
    /// <param name="Pipeline">What the source asks for; null where it asks for nothing or has mistakes.</param>
    /// <param name="Mistakes">The mistakes in its configuration.</param>
    public sealed record SourcePrepared(RunId Run, Source Source, Pipeline? Pipeline, ValueArray<ConfigMistake> Mistakes) : Event;

    /// <summary>The change does not merge with its branch.</summary>
    /// <param name="Run">For which run.</param>
    /// <param name="Paths">The files in conflict.</param>
    public sealed record SourceConflicted(RunId Run, ValueArray<string> Paths) : Event;

    /// <summary>The source cannot be tested, for a reason that its author can mend.</summary>
    /// <param name="Run">For which run.</param>
    /// <param name="Reason">What is wrong and what to do, for people.</param>
    public sealed record SourceRefused(RunId Run, string Reason) : Event;

    /// <summary>An attempt cannot begin yet.</summary>
    /// <param name="Attempt">Which attempt.</param>
    /// <param name="Reason">What it waits for, one sentence for people, from wherever it runs: any text.</param>
    public sealed record StageWaiting(AttemptId Attempt, string Reason) : Event;

    /// <summary>The first step of an attempt began.</summary>
    /// <param name="Attempt">Which attempt.</param>
    public sealed record StageStarted(AttemptId Attempt) : Event;

    /// <summary>An attempt ended.</summary>
    /// <param name="Attempt">Which attempt.</param>
    /// <param name="Outcome">What it came to.</param>
    public sealed record StageFinished(AttemptId Attempt, StageOutcome Outcome) : Event;

    /// <summary>An effect was tried as often as it may be, or cannot succeed.</summary>
    /// <param name="Effect">What was wanted.</param>
    /// <param name="Reason">Why it failed, without secrets.</param>
    public sealed record EffectGaveUp(Effect Effect, string Reason) : Event;
}
