using System.Text;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Feedback;

/// <summary>Everything that is said on a change, in one place. Each text names the fact, one link, and what to do next.</summary>
public static class ReviewTexts
{
    /// <summary>How many lines of a failed step's output a message shows.</summary>
    public const int MaxExcerptLines = 12;

    /// <summary>How many failed tests a message names for each stage.</summary>
    public const int MaxTestsNamed = 8;

    /// <summary>How many files in conflict a message names.</summary>
    public const int MaxPathsNamed = 20;

    /// <summary>How many failed stages a message explains; the others have a line and their page.</summary>
    public const int MaxStagesExplained = 4;

    /// <summary>How many characters of a line are shown.</summary>
    public const int MaxLineLength = 200;

    /// <summary>A run has begun.</summary>
    public static string Started(Run run, Links links) =>
        $"Testing patch set {run.PatchSet.Number}: {string.Join(", ", run.Pipeline!.Stages.Where(stage => stage.Unavailable is null).Select(stage => stage.Id))}.\n{links.Run(run.Id)}";

    /// <summary>A stage failed while others go on.</summary>
    public static string FirstFailure(Run run, StageRun failed, Change change, Links links)
    {
        var others = run.Stages.Count(stage => !stage.IsOver);
        var text = new StringBuilder()
            .Append($"{change.Owner.Address}: {failed.Stage} failed on patch set {run.PatchSet.Number}; {Count(others, "other stage goes on", "other stages go on")}.\n")
            .Append(links.Stage(run.Id, failed.Stage)).Append("\n\n");
        Explain(text, failed);
        return text.Append("\nTo run everything again, comment: recheck").ToString();
    }

    /// <summary>A run has ended.</summary>
    public static string Finished(Run run, Change change, Links links) => run.Result switch
    {
        RunResult.Success => $"Patch set {run.PatchSet.Number} passed.{Note(run)}\n{links.Run(run.Id)}\n\n{StageLines(run, links)}",
        RunResult.Failure when run.Stages.IsEmpty => $"{change.Owner.Address}: patch set {run.PatchSet.Number} cannot be tested. {run.Note}\n{links.Run(run.Id)}",
        RunResult.Failure => Failed(run, change, links),
        RunResult.Conflict => $"{change.Owner.Address}: {run.Note}\n{links.Run(run.Id)}\n\nRebase the change, resolve the conflict, and upload a new patch set.",
        RunResult.ConfigError => Mistaken(run, change, links),
        RunResult.InfrastructureFailure => $"{change.Owner.Address}: the CI itself failed on patch set {run.PatchSet.Number}, after retries; the change is not to blame.{Note(run)}\n"
            + $"{links.Run(run.Id)}\n\n{StageLines(run, links)}\nTo try again, comment: recheck",
        _ => throw new InvalidOperationException($"Nothing is said about a run that ended as {run.Result}."),
    };

    /// <summary>A patch set waits for a trusted person.</summary>
    public static string Held(Change change) =>
        $"{change.Current.Uploader.Address}: thank you for patch set {change.Current.Number}. It runs as soon as somebody this site trusts has looked at it and comments: recheck";

    /// <summary>What is written on a run that does not merge.</summary>
    public static string ConflictNote(ValueArray<string> paths, string branch)
    {
        var named = string.Join(", ", paths.Take(MaxPathsNamed).Select(Cut));
        var rest = paths.Count > MaxPathsNamed ? $" and {paths.Count - MaxPathsNamed} more" : "";
        return $"the change does not merge with the tip of {branch}; in conflict: {named}{rest}.";
    }

    /// <summary>What is written on a run whose result was found by another.</summary>
    public static string CarriedNote(Run earlier) => $"Patch set {earlier.PatchSet.Number} had the same files (run {earlier.Id}), so its result is kept.";

    /// <summary>Why a stage did not run.</summary>
    public static string SkippedBecause(StageRun blocker) => blocker.Status switch
    {
        StageStatus.Failed => $"{blocker.Stage} failed",
        StageStatus.Stopped => $"{blocker.Stage} was stopped",
        _ => $"{blocker.Stage} did not run",
    };

    /// <summary>A time span as people say it: <c>3m 12s</c>.</summary>
    public static string Duration(TimeSpan span) =>
        span.TotalHours >= 1 ? $"{(int)span.TotalHours}h {span.Minutes:00}m" : span.TotalMinutes >= 1 ? $"{(int)span.TotalMinutes}m {span.Seconds:00}s" : $"{(int)span.TotalSeconds}s";

    /// <summary>The one word for an outcome, as the lines of reports have it.</summary>
    public static string Word(StageRun stage) => stage.Status switch
    {
        StageStatus.Succeeded => "SUCCESS",
        StageStatus.Skipped => "SKIPPED",
        StageStatus.Stopped => "STOPPED",
        StageStatus.Failed => stage.Latest!.Outcome!.Kind switch
        {
            OutcomeKind.TimedOut => "TIMED_OUT",
            OutcomeKind.OutOfMemory => "OUT_OF_MEMORY",
            OutcomeKind.DiskFull => "DISK_FULL",
            OutcomeKind.Misconfigured => "CONFIG_ERROR",
            OutcomeKind.InfrastructureFailed => "CI_ERROR",
            _ => "FAILURE",
        },
        StageStatus.Running => "RUNNING",
        StageStatus.Queued => "QUEUED",
        _ => "WAITING",
    };

    private static string Failed(Run run, Change change, Links links)
    {
        var failed = run.Stages.Where(stage => stage.Status == StageStatus.Failed && run.Pipeline![stage.Stage].IsVoting).ToList();
        var text = new StringBuilder($"{change.Owner.Address}: patch set {run.PatchSet.Number} failed in {string.Join(", ", failed.Select(stage => stage.Stage))}.{Note(run)}\n")
            .Append(links.Run(run.Id)).Append("\n\n").Append(StageLines(run, links));
        foreach (var stage in failed.Take(MaxStagesExplained))
        {
            text.Append('\n');
            Explain(text, stage);
        }
        return text.Append("\nTo run everything again, comment: recheck").ToString();
    }

    private static string Mistaken(Run run, Change change, Links links)
    {
        var text = new StringBuilder($"{change.Owner.Address}: nothing was run on patch set {run.PatchSet.Number}, since its configuration has {Count(run.Mistakes.Count, "mistake", "mistakes")}.\n")
            .Append(links.Run(run.Id)).Append("\n\n");
        foreach (var mistake in run.Mistakes) text.Append($"- {mistake.File}:{mistake.Line}: {mistake.Problem} {mistake.Advice}\n");
        return text.Append("\nMend them and upload a new patch set. `wmfci validate` shows the same before you push.").ToString();
    }

    // The form that Wikimedia's Gerrit plugin reads: "- name link : RESULT in 3m 12s", failures first.
    private static string StageLines(Run run, Links links)
    {
        var text = new StringBuilder();
        foreach (var stage in run.Stages.OrderBy(stage => stage.Status == StageStatus.Failed ? 0 : stage.Status == StageStatus.Succeeded ? 2 : 1))
        {
            text.Append($"- {stage.Stage} {links.Stage(run.CarriedFrom ?? run.Id, stage.Stage)} : {Word(stage)}");
            if (stage.Latest is { Started: { } started, Finished: { } finished }) text.Append($" in {Duration(finished - started)}");
            if (stage.SkipReason is { } reason) text.Append($" ({reason})");
            if (stage.Attempts.Count > 1) text.Append($" (attempt {stage.Attempts.Count}; before: {stage.Attempts[^2].Outcome?.Explanation})");
            if (run.Pipeline?.Stages.FirstOrDefault(plan => plan.Id == stage.Stage) is { IsVoting: false }) text.Append(" (non-voting)");
            text.Append('\n');
        }
        return text.ToString();
    }

    private static void Explain(StringBuilder text, StageRun stage)
    {
        if (stage.Latest?.Outcome is not { } outcome) return;
        text.Append($"{stage.Stage}");
        if (outcome.FailedStep is { } step) text.Append($", step `{Cut(step)}`");
        text.Append($": {outcome.Explanation}\n");
        if (outcome.Tests is { Failed: > 0 } tests)
        {
            text.Append($"{tests.Failed} of {tests.Total} tests failed:\n");
            foreach (var test in tests.FirstFailed.Take(MaxTestsNamed))
                text.Append($"    {Cut(test.Name)}{(test.Message.Length > 0 ? ": " + Cut(FirstLine(test.Message)) : "")}\n");
            if (tests.Failed > MaxTestsNamed) text.Append($"    and {tests.Failed - MaxTestsNamed} more\n");
            return;
        }
        foreach (var line in outcome.Excerpt.TakeLast(MaxExcerptLines)) text.Append("    ").Append(Cut(line)).Append('\n');
    }

    private static string Note(Run run) => run.Note.Length == 0 ? "" : " " + run.Note;

    private static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";

    private static string FirstLine(string text) => text.AsSpan().TrimStart().ToString().Split('\n', 2)[0].TrimEnd();

    private static string Cut(string text) => text.Length <= MaxLineLength ? text : string.Concat(text.AsSpan(0, char.IsHighSurrogate(text[MaxLineLength - 1]) ? MaxLineLength - 1 : MaxLineLength), "…");
}
