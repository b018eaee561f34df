using System.Text;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
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

    /// <summary>How many stages a message has a line for; the others are counted.</summary>
    public const int MaxStageLines = 50;

    /// <summary>How many stages a sentence names.</summary>
    public const int MaxNamesInSentence = 12;

    /// <summary>How many mistakes in a configuration a message lists, and how many are shown at their lines.</summary>
    public const int MaxMistakesNamed = 20;

    /// <summary>How many characters of a line are shown.</summary>
    public const int MaxLineLength = 200;

    /// <summary>How many characters of an explanation are shown.</summary>
    public const int MaxExplanationLength = 500;

    /// <summary>How many bytes of UTF-8 a message has at most. Gerrit refuses one above 16 KiB, and whoever posts adds a few words.</summary>
    public const int MaxMessageBytes = 15_000;

    private const string CutNotice = "\n(cut here; the page has everything)\n";

    /// <summary>A run has begun.</summary>
    public static string Started(Run run, Links links) =>
        Message($"Testing patch set {run.PatchSet.Number}: {Names(run.Pipeline!.Stages.Where(stage => stage.Unavailable is null).Select(stage => stage.Id))}.\n{links.Run(run.Id)}", "");

    /// <summary>A stage failed while others go on.</summary>
    public static string FirstFailure(Run run, StageRun failed, Change change, Links links)
    {
        var others = run.Stages.Count(stage => !stage.IsOver);
        var text = new StringBuilder()
            .Append($"{change.Owner.Address}: {Line(failed.Stage)} failed on patch set {run.PatchSet.Number}; {Count(others, "other stage goes on", "other stages go on")}.\n")
            .Append(links.Stage(run.Id, failed.Stage)).Append("\n\n");
        Explain(text, failed);
        return Message(text.ToString(), "\nTo run everything again, comment: recheck");
    }

    /// <summary>A run has ended.</summary>
    public static string Finished(Run run, Change change, Links links) => run.Result switch
    {
        RunResult.Success => Message($"Patch set {run.PatchSet.Number} passed.{Note(run)}\n{links.Run(run.Id)}\n\n{StageLines(run, links)}", ""),
        RunResult.Failure when run.Stages.IsEmpty => Message($"{change.Owner.Address}: patch set {run.PatchSet.Number} cannot be tested.{Note(run)}\n{links.Run(run.Id)}", ""),
        RunResult.Failure => Failed(run, change, links),
        RunResult.Conflict => Message($"{change.Owner.Address}:{Note(run)}\n{links.Run(run.Id)}\n", "\nRebase the change, resolve the conflict, and upload a new patch set."),
        RunResult.ConfigError => Mistaken(run, change, links),
        RunResult.InfrastructureFailure => OurFailure(run, change, links),
        _ => throw new InvalidOperationException($"Nothing is said about a run that ended as {run.Result}."),
    };

    /// <summary>A patch set waits for a trusted person.</summary>
    public static string Held(Change change) =>
        $"{change.Current.Uploader.Address}: thank you for patch set {change.Current.Number}. It will be tested as soon as somebody whom this site trusts has looked at it and comments: recheck";

    /// <summary>What is written on a run that does not merge.</summary>
    public static string ConflictNote(ValueArray<string> paths, string branch)
    {
        var rest = paths.Count > MaxPathsNamed ? $" and {paths.Count - MaxPathsNamed} more" : "";
        var files = paths.IsEmpty ? "" : $"; in conflict: {string.Join(", ", paths.Take(MaxPathsNamed).Select(Line))}{rest}";
        return $"the change does not merge with the tip of {Line(branch)}{files}.";
    }

    /// <summary>What is written on a run whose result was found by another.</summary>
    public static string CarriedNote(Run earlier) =>
        $"Patch set {earlier.PatchSet.Number} had the same files (run {earlier.CarriedFrom ?? earlier.Id}), so its result is kept.";

    /// <summary>The mistakes that are shown at their lines.</summary>
    public static ValueArray<ConfigMistake> Inline(Run run) => run.Mistakes.Take(MaxMistakesNamed)
        .Select(mistake => mistake with { Problem = Explanation(mistake.Problem), Advice = Explanation(mistake.Advice) }).ToValueArray();

    /// <summary>Why a stage did not run.</summary>
    public static string SkippedBecause(StageRun blocker) => blocker.Status switch
    {
        StageStatus.Failed => $"{Line(blocker.Stage)} failed",
        StageStatus.Stopped => $"{Line(blocker.Stage)} was stopped",
        _ => $"{Line(blocker.Stage)} did not run",
    };

    /// <summary>A time span as people say it: <c>3m 12s</c>. A clock that was set back gives <c>0s</c>.</summary>
    public static string Duration(TimeSpan span) =>
        span < TimeSpan.Zero ? "0s" : span.TotalHours >= 1 ? $"{(int)span.TotalHours}h {span.Minutes:00}m" : span.TotalMinutes >= 1 ? $"{(int)span.TotalMinutes}m {span.Seconds:00}s" : $"{(int)span.TotalSeconds}s";

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
        var all = run.Stages.Where(stage => stage.Status == StageStatus.Failed).ToList();
        var voting = all.Where(stage => run.Pipeline![stage.Stage].IsVoting).ToList();
        var failed = voting.Count > 0 ? voting : all;
        // Only what may not vote failed; it counts all the same where a voting stage waits for it.
        var needed = voting.Count > 0 ? "" : ", which other stages need";
        var text = new StringBuilder($"{change.Owner.Address}: patch set {run.PatchSet.Number} failed in {Names(failed.Select(stage => stage.Stage))}{needed}.{Note(run)}\n")
            .Append(links.Run(run.Id)).Append("\n\n").Append(StageLines(run, links));
        ExplainEach(text, failed);
        return Message(text.ToString(), "\nTo run everything again, comment: recheck");
    }

    private static string OurFailure(Run run, Change change, Links links)
    {
        var text = new StringBuilder($"{change.Owner.Address}: the CI itself failed on patch set {run.PatchSet.Number}, after retries; the change is not to blame.{Note(run)}\n")
            .Append(links.Run(run.Id)).Append("\n\n").Append(StageLines(run, links));
        ExplainEach(text, run.Stages.Where(stage => stage.Status == StageStatus.Failed));
        return Message(text.ToString(), "\nTo try again, comment: recheck");
    }

    private static string Mistaken(Run run, Change change, Links links)
    {
        var text = new StringBuilder($"{change.Owner.Address}: nothing was run on patch set {run.PatchSet.Number}, since its configuration has {Count(run.Mistakes.Count, "mistake", "mistakes")}.\n")
            .Append(links.Run(run.Id)).Append("\n\n");
        foreach (var mistake in run.Mistakes.Take(MaxMistakesNamed))
            text.Append($"- {Line(mistake.File)}:{mistake.Line}: {Line(mistake.Problem)} {Line(mistake.Advice)}\n");
        if (run.Mistakes.Count > MaxMistakesNamed) text.Append($"and {run.Mistakes.Count - MaxMistakesNamed} more\n");
        return Message(text.ToString(), "\nMend them and upload a new patch set. `wmfci validate` shows the same before you push.");
    }

    // The form that Wikimedia's Gerrit plugin reads: "- name link : RESULT in 3m 12s", failures first.
    private static string StageLines(Run run, Links links)
    {
        var text = new StringBuilder();
        foreach (var stage in run.Stages.OrderBy(stage => stage.Status == StageStatus.Failed ? 0 : stage.Status == StageStatus.Succeeded ? 2 : 1).Take(MaxStageLines))
        {
            text.Append($"- {Line(stage.Stage)} {links.Stage(run.CarriedFrom ?? run.Id, stage.Stage)} : {Word(stage)}");
            if (stage.Latest is { Started: { } started, Finished: { } finished }) text.Append($" in {Duration(finished - started)}");
            if (stage.SkipReason is { } reason) text.Append($" ({Line(reason)})");
            if (stage.Attempts.Count > 1) text.Append($" (attempt {stage.Attempts.Count}; before: {string.Join(" ", stage.EarlierReasons.Select(Line))})");
            if (run.Pipeline?.Stages.FirstOrDefault(plan => plan.Id == stage.Stage) is { IsVoting: false }) text.Append(" (non-voting)");
            text.Append('\n');
        }
        if (run.Stages.Count > MaxStageLines) text.Append($"and {run.Stages.Count - MaxStageLines} more stages\n");
        return text.ToString();
    }

    private static void ExplainEach(StringBuilder text, IEnumerable<StageRun> stages)
    {
        foreach (var stage in stages.Take(MaxStagesExplained))
        {
            text.Append('\n');
            Explain(text, stage);
        }
    }

    private static void Explain(StringBuilder text, StageRun stage)
    {
        if (stage.Latest?.Outcome is not { } outcome) return;
        text.Append(Line(stage.Stage));
        if (outcome.FailedStep is { } step) text.Append($", step `{Line(step)}`");
        text.Append($": {(outcome.Explanation.Length > 0 ? Explanation(outcome.Explanation) : Word(stage))}\n");
        if (outcome.Tests is { Failed: > 0 } tests)
        {
            text.Append($"{tests.Failed} of {Count(tests.Total, "test", "tests")} failed:\n");
            var named = tests.FirstFailed.Take(MaxTestsNamed).ToList();
            foreach (var test in named) text.Append($"    {Line(test.Name)}{(FirstLine(test.Message) is { Length: > 0 } said ? ": " + said : "")}\n");
            if (tests.Failed > named.Count) text.Append($"    and {tests.Failed - named.Count} more\n");
            return;
        }
        foreach (var line in outcome.Excerpt.TakeLast(MaxExcerptLines)) text.Append("    ").Append(Line(line)).Append('\n');
    }

    // What to do next stays readable, however long the rest is.
    private static string Message(string body, string next)
    {
        var whole = PlainText.Lines(body + next, int.MaxValue);
        if (PlainText.Cut(whole, MaxMessageBytes).Length == whole.Length) return whole;
        return PlainText.Cut(PlainText.Lines(body, MaxMessageBytes), MaxMessageBytes - CutNotice.Length - next.Length) + CutNotice + next;
    }

    // A note is ours, with names from outside that are cleaned already, or a reason of several lines.
    private static string Note(Run run) => run.Note.Length == 0 ? "" : " " + PlainText.Lines(run.Note, MaxLineLength * (MaxPathsNamed + 4));

    private static string Count(int count, string one, string many) => $"{count} {(count == 1 ? one : many)}";

    private static string Names(IEnumerable<string> names)
    {
        var all = names.ToList();
        return string.Join(", ", all.Take(MaxNamesInSentence).Select(Line)) + (all.Count > MaxNamesInSentence ? $" and {all.Count - MaxNamesInSentence} more" : "");
    }

    private static string FirstLine(string text) => Line(new string(text.AsSpan().TrimStart()).Split('\n', 2)[0].TrimEnd());

    private static string Line(string text) => PlainText.Line(text, MaxLineLength);

    private static string Explanation(string text) => PlainText.Line(text, MaxExplanationLength);
}
