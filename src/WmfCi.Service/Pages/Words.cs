using System.Globalization;
using WmfCi.Core.Changes;
using WmfCi.Core.Feedback;
using WmfCi.Core.Runs;

namespace WmfCi.Service.Pages;

/// <summary>How a status looks: each has its own colour and its own shape, and always stands beside its word.</summary>
public enum Tone
{
    /// <summary>It went well.</summary>
    Good,

    /// <summary>It went wrong, and the author can mend it.</summary>
    Bad,

    /// <summary>It went wrong, and the author is not to blame.</summary>
    Warn,

    /// <summary>It goes on.</summary>
    Busy,

    /// <summary>It has not begun.</summary>
    Wait,

    /// <summary>It did not happen.</summary>
    Off,
}

/// <summary>A status for people.</summary>
/// <param name="Tone">How it looks.</param>
/// <param name="Word">What it says.</param>
public sealed record Status(Tone Tone, string Word);

/// <summary>The words of the pages.</summary>
public static class Words
{
    /// <summary>Where a run stands.</summary>
    public static Status Of(Run run) => run.Result switch
    {
        RunResult.Success => new(Tone.Good, "Passed"),
        RunResult.Failure => new(Tone.Bad, "Failed"),
        RunResult.Conflict => new(Tone.Bad, "Merge conflict"),
        RunResult.ConfigError => new(Tone.Bad, "Configuration mistake"),
        RunResult.InfrastructureFailure => new(Tone.Warn, "CI error"),
        RunResult.Stopped => new(Tone.Off, "Stopped"),
        RunResult.NothingToDo => new(Tone.Off, "Nothing to do"),
        _ when run.Stages.Any(stage => stage.Status == StageStatus.Failed && IsVoting(run, stage.Stage)) => new(Tone.Bad, "Failing"),
        _ when run.Pipeline is null => new(Tone.Wait, "Preparing"),
        _ when run.Stages.Any(stage => stage.Status == StageStatus.Running) => new(Tone.Busy, "Running"),
        _ => new(Tone.Wait, "Waiting"),
    };

    /// <summary>Where a stage stands.</summary>
    public static Status Of(StageRun stage) => stage.Status switch
    {
        StageStatus.Succeeded => new(Tone.Good, "Passed"),
        StageStatus.Failed => Of(stage.Latest!.Outcome!.Kind),
        StageStatus.Skipped => new(Tone.Off, "Skipped"),
        StageStatus.Stopped => new(Tone.Off, "Stopped"),
        StageStatus.Running => new(Tone.Busy, "Running"),
        StageStatus.Queued => new(Tone.Wait, "Queued"),
        _ => new(Tone.Wait, "Waiting"),
    };

    /// <summary>How an attempt went.</summary>
    public static Status Of(Attempt attempt) => attempt switch
    {
        { Outcome: { } outcome } => Of(outcome.Kind),
        { Started: not null } => new(Tone.Busy, "Running"),
        _ => new(Tone.Wait, "Queued"),
    };

    /// <summary>Why a stage stands where it does, where the status does not say it all; empty otherwise.</summary>
    public static string Why(Run run, StageRun stage) => stage.Status switch
    {
        StageStatus.Waiting => "needs " + string.Join(", ", Needs(run, stage.Stage).Where(id => run.FindStage(id)?.Status != StageStatus.Succeeded)),
        StageStatus.Queued => stage.Latest!.WaitsFor is { } reason ? $"Waiting: {reason}" : "waits for a free worker",
        StageStatus.Skipped => stage.SkipReason ?? "",
        StageStatus.Failed or StageStatus.Stopped => stage.Latest?.Outcome?.Explanation ?? "",
        _ => "",
    };

    /// <summary>The stages that a stage waits for.</summary>
    public static IEnumerable<string> Needs(Run run, string stage) =>
        run.Pipeline is { } pipeline && pipeline.Stages.FirstOrDefault(one => one.Id == stage) is { } plan ? pipeline.NeededBy(plan).Select(one => one.Id) : [];

    /// <summary>Whether the failure of a stage fails its run.</summary>
    public static bool IsVoting(Run run, string stage) => run.Pipeline?.Stages.FirstOrDefault(one => one.Id == stage)?.IsVoting != false;

    /// <summary>Why a run was started, and by whom.</summary>
    public static string Of(RunCause cause, Account? uploader) => (cause.Kind, cause.By ?? uploader) switch
    {
        (RunCauseKind.Recheck, { } by) => $"{by.Address} asked with recheck",
        (RunCauseKind.Recheck, null) => "asked for with recheck",
        (RunCauseKind.Trust, { } by) => $"trusted by {by.Address}",
        (RunCauseKind.Trust, null) => "trusted by a person of this site",
        (_, { } by) => $"{by.Address} uploaded the patch set",
        _ => "the patch set was uploaded",
    };

    /// <summary>What to do next about a run; null where there is nothing to do.</summary>
    public static string? Next(Run run) => run.Result switch
    {
        RunResult.Failure or RunResult.Stopped => "To run everything again, comment on the change:",
        RunResult.InfrastructureFailure => "The change is not to blame. To try again, comment on the change:",
        RunResult.Conflict => "Rebase the change, resolve the conflict and upload a new patch set.",
        RunResult.ConfigError => "Mend the mistakes and upload a new patch set. Before you push, the same is shown by:",
        _ => null,
    };

    /// <summary>What to type for <see cref="Next"/>; null where there is nothing to type.</summary>
    public static string? Command(Run run) => run.Result switch
    {
        RunResult.Failure or RunResult.Stopped or RunResult.InfrastructureFailure => "recheck",
        RunResult.ConfigError => "wmfci validate",
        _ => null,
    };

    /// <summary>How long something took or has taken; empty before it began.</summary>
    public static string Took(DateTimeOffset? from, DateTimeOffset? until, DateTimeOffset now) =>
        from is not { } start ? "" : ReviewTexts.Duration(Max(TimeSpan.Zero, (until ?? now) - start));

    /// <summary>How long ago something was, as people say it.</summary>
    public static string Ago(DateTimeOffset then, DateTimeOffset now) => (now - then) switch
    {
        { TotalSeconds: < 45 } => "just now",
        { TotalMinutes: < 59.5 } span => $"{Math.Max(1, Math.Round(span.TotalMinutes))} min ago",
        { TotalHours: < 23.5 } span => $"{Math.Round(span.TotalHours)} h ago",
        { TotalDays: < 14 } span => Math.Round(span.TotalDays) is var days && days == 1 ? "yesterday" : $"{days} days ago",
        _ => then.UtcDateTime.ToString("d MMM yyyy", CultureInfo.InvariantCulture),
    };

    /// <summary>A size for people.</summary>
    public static string Size(long bytes) => bytes switch
    {
        < 1024 => $"{bytes} B",
        < 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        < 1024L * 1024 * 1024 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0 / 1024:0.#} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0 / 1024 / 1024:0.##} GiB"),
    };

    /// <summary>The first digits of a commit or a digest.</summary>
    public static string Beginning(string id) => id.Length <= 12 ? id : id[..12];

    /// <summary>A text cut to a bound.</summary>
    public static string Cut(string text, int max) => text.Length <= max ? text : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[max - 1]) ? max - 1 : max), "…");

    private static Status Of(OutcomeKind kind) => kind switch
    {
        OutcomeKind.Succeeded => new(Tone.Good, "Passed"),
        OutcomeKind.TimedOut => new(Tone.Bad, "Timed out"),
        OutcomeKind.OutOfMemory => new(Tone.Bad, "Out of memory"),
        OutcomeKind.DiskFull => new(Tone.Bad, "Disk full"),
        OutcomeKind.Misconfigured => new(Tone.Bad, "Misconfigured"),
        OutcomeKind.Stopped => new(Tone.Off, "Stopped"),
        OutcomeKind.InfrastructureFailed => new(Tone.Warn, "CI error"),
        _ => new(Tone.Bad, "Failed"),
    };

    private static TimeSpan Max(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
