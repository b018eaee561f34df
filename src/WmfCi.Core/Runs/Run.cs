using System.Globalization;
using System.Text.Json.Serialization;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;

namespace WmfCi.Core.Runs;

/// <summary>Names a run, for ever. It is the number of the event that caused it, so that deciding the same event again gives the same run.</summary>
/// <param name="Value">Positive.</param>
public readonly record struct RunId(long Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Why a run was started.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="By">Who asked, where a person did.</param>
public sealed record RunCause(RunCauseKind Kind, Account? By);

/// <summary>What can start a run.</summary>
public enum RunCauseKind
{
    /// <summary>A patch set was uploaded.</summary>
    PatchSet,

    /// <summary>Somebody commented <c>recheck</c>.</summary>
    Recheck,

    /// <summary>A trusted person's vote let a stranger's patch set run.</summary>
    Trust,
}

/// <summary>What is tested: the change merged onto the tip of its branch, and where its files are.</summary>
/// <param name="Commit">The speculative merge (or the patch set itself where it fast-forwards).</param>
/// <param name="Tree">Its tree: equal trees need no second test.</param>
/// <param name="Base">The tip of the branch that it was merged onto.</param>
/// <param name="Snapshot">The SHA-256 of the published source.</param>
/// <param name="Submodules">Recorded, not fetched.</param>
public sealed record Source(string Commit, string Tree, string Base, string Snapshot, ValueArray<Submodule> Submodules);

/// <summary>A repository within the repository.</summary>
/// <param name="Path">Where it belongs.</param>
/// <param name="Commit">Which commit of it.</param>
/// <param name="Url">What <c>.gitmodules</c> says, or empty.</param>
public sealed record Submodule(string Path, string Commit, string Url);

/// <summary>How a run ended.</summary>
public enum RunResult
{
    /// <summary>Every voting stage succeeded.</summary>
    Success,

    /// <summary>A voting stage failed.</summary>
    Failure,

    /// <summary>The change does not merge with its branch.</summary>
    Conflict,

    /// <summary>Its <c>.pipeline/config.yaml</c> has mistakes.</summary>
    ConfigError,

    /// <summary>The repository asks for nothing.</summary>
    NothingToDo,

    /// <summary>It was stopped because nobody needs its result any more.</summary>
    Stopped,

    /// <summary>We failed, after retries; the change is not to blame.</summary>
    InfrastructureFailure,
}

/// <summary>One pass of a patch set through its pipeline.</summary>
public sealed record Run
{
    /// <summary>Its name.</summary>
    public required RunId Id { get; init; }

    /// <summary>What is tested.</summary>
    public required ChangeId Change { get; init; }

    /// <summary>The branch it is tested for.</summary>
    public required string Branch { get; init; }

    /// <summary>Which patch set.</summary>
    public required PatchSet PatchSet { get; init; }

    /// <summary>The change's first line, for pages.</summary>
    public required string Subject { get; init; }

    /// <summary>Why it was started.</summary>
    public required RunCause Cause { get; init; }

    /// <summary>When it was decided.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>What is tested; null until it is merged and published.</summary>
    public Source? Source { get; init; }

    /// <summary>What is to be done; null until it is read from the source.</summary>
    public Pipeline? Pipeline { get; init; }

    /// <summary>Its stages and what became of them, in the order of the pipeline.</summary>
    public ValueArray<StageRun> Stages { get; init; } = [];

    /// <summary>The mistakes in its configuration.</summary>
    public ValueArray<ConfigMistake> Mistakes { get; init; } = [];

    /// <summary>How it ended; null while it goes on.</summary>
    public RunResult? Result { get; init; }

    /// <summary>When it ended.</summary>
    public DateTimeOffset? Finished { get; init; }

    /// <summary>One sentence about how it ended, where the result does not say all.</summary>
    public string Note { get; init; } = "";

    /// <summary>The run whose stages count for this one, because both have the same tree.</summary>
    public RunId? CarriedFrom { get; init; }

    /// <summary>Whether people were told that it failed before it ended.</summary>
    public bool FailureReported { get; init; }

    /// <summary>Whether it goes on.</summary>
    [JsonIgnore]
    public bool IsActive => Result is null;

    /// <summary>The stage of an id.</summary>
    public StageRun? FindStage(string id) => Stages.FirstOrDefault(stage => stage.Stage == id);

    /// <summary>The run with one stage replaced.</summary>
    public Run With(StageRun stage) => this with { Stages = Stages.Map(other => other.Stage == stage.Stage ? stage : other) };
}

/// <summary>Where a stage of a run stands; derived from its attempts, never stored.</summary>
public enum StageStatus
{
    /// <summary>Something it needs has not ended.</summary>
    Waiting,

    /// <summary>Asked for, not yet begun by a worker.</summary>
    Queued,

    /// <summary>Its steps run.</summary>
    Running,

    /// <summary>It succeeded.</summary>
    Succeeded,

    /// <summary>It failed for good.</summary>
    Failed,

    /// <summary>It did not run, because what it needs failed or because it cannot run here.</summary>
    Skipped,

    /// <summary>It was stopped.</summary>
    Stopped,
}

/// <summary>A stage within a run.</summary>
/// <param name="Stage">The stage's id in the pipeline.</param>
/// <param name="Attempts">Its attempts, the newest last. More than one only where the cause was ours.</param>
/// <param name="SkipReason">Why it did not run; null otherwise.</param>
public sealed record StageRun(string Stage, ValueArray<Attempt> Attempts, string? SkipReason)
{
    /// <summary>The newest attempt, or null.</summary>
    [JsonIgnore]
    public Attempt? Latest => Attempts.IsEmpty ? null : Attempts[^1];

    /// <summary>Where it stands.</summary>
    [JsonIgnore]
    public StageStatus Status => SkipReason is not null ? StageStatus.Skipped
        : Latest switch
        {
            null => StageStatus.Waiting,
            { Outcome: { } outcome } => outcome.Kind switch
            {
                OutcomeKind.Succeeded => StageStatus.Succeeded,
                OutcomeKind.Stopped => StageStatus.Stopped,
                _ => StageStatus.Failed,
            },
            { Started: not null } => StageStatus.Running,
            _ => StageStatus.Queued,
        };

    /// <summary>Why the attempts before the newest came to nothing, each reason once.</summary>
    [JsonIgnore]
    public IEnumerable<string> EarlierReasons => Attempts.SkipLast(1).Select(attempt => attempt.Outcome?.Explanation ?? "").Where(reason => reason.Length > 0).Distinct(StringComparer.Ordinal);

    /// <summary>Whether nothing more will happen to it.</summary>
    [JsonIgnore]
    public bool IsOver => Status is StageStatus.Succeeded or StageStatus.Failed or StageStatus.Skipped or StageStatus.Stopped;

    /// <summary>The stage with its newest attempt replaced.</summary>
    public StageRun WithLatest(Attempt attempt) => this with { Attempts = Attempts.Map(other => other.Number == attempt.Number ? attempt : other) };
}

/// <summary>One try at running a stage.</summary>
/// <param name="Number">Counted from 1.</param>
/// <param name="Requested">When it was asked for.</param>
/// <param name="Started">When its first step began, or null.</param>
/// <param name="Finished">When it ended, or null.</param>
/// <param name="Outcome">What it came to, or null.</param>
public sealed record Attempt(int Number, DateTimeOffset Requested, DateTimeOffset? Started = null, DateTimeOffset? Finished = null, StageOutcome? Outcome = null)
{
    /// <summary>How many attempts a stage gets in all when the causes are ours.</summary>
    public const int Max = 3;

    /// <summary>How many characters of <see cref="WaitsFor"/> are kept.</summary>
    public const int MaxReasonLength = 300;

    /// <summary>What it waits for before it begins, one line of plain text; null when nobody said, and from its beginning on.</summary>
    public string? WaitsFor { get; init; }
}

/// <summary>Names one attempt everywhere: Jobs, logs, artifacts and tokens are named after it.</summary>
/// <param name="Run">The run.</param>
/// <param name="Stage">The stage's id.</param>
/// <param name="Number">The attempt, from 1.</param>
public sealed record AttemptId(RunId Run, string Stage, int Number)
{
    /// <summary>The key under which running it is wanted at most once.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Run}/{Stage}/{Number}");
}
