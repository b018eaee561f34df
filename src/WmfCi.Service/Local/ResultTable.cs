using System.Globalization;
using WmfCi.Core;
using WmfCi.Core.Feedback;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages;

namespace WmfCi.Service.Local;

/// <summary>What became of each stage, as the last thing that a person sees.</summary>
internal static class ResultTable
{
    private const int MaxWhy = 500;
    private const int MaxTests = 5;
    private const int MaxName = 100;

    /// <summary>The table's lines: stage, result, time, why.</summary>
    /// <param name="run">As it ended.</param>
    /// <param name="plan">What was run.</param>
    public static IEnumerable<string> Lines(Run run, LocalPlan plan)
    {
        List<string[]> rows = [["stage", "result", "took", "why"], .. run.Stages.Select(stage => Row(run, stage, plan))];
        var widths = Enumerable.Range(0, 3).Select(column => rows.Max(row => row[column].Length)).ToList();
        foreach (var row in rows)
            yield return string.Join("  ", row.Select((cell, column) => column < widths.Count ? cell.PadRight(widths[column]) : cell)).TrimEnd();
    }

    private static string[] Row(Run run, StageRun stage, LocalPlan plan)
    {
        var name = PlainText.Line(stage.Stage, MaxName) + (Words.IsVoting(run, stage.Stage) ? "" : " (non-voting)");
        if (plan.Given.ContainsKey(stage.Stage)) return [name, "Passed", "", $"in run {plan.Told}, on the server"];
        if (stage.SkipReason is { } reason) return [name, plan.Pipeline[stage.Stage].Unavailable is null ? "Skipped" : "Not run", "", PlainText.Line(reason, MaxWhy)];
        return [name, Words.Of(stage).Word, stage.Latest is { } latest ? Took(latest) : "", PlainText.Line(Why(stage), MaxWhy)];
    }

    private static string Took(Attempt attempt)
    {
        if (attempt is not { Started: { } started, Finished: { } finished }) return "";
        var span = finished - started;
        return span.TotalSeconds < 10 ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.0}s") : ReviewTexts.Duration(span);
    }

    private static string Why(StageRun stage)
    {
        if (stage.Latest?.Outcome is not { } outcome) return "";
        var parts = new List<string>();
        if (outcome is { IsSuccess: false, Explanation.Length: > 0 }) parts.Add(outcome.FailedStep is { } step ? $"step “{PlainText.Line(step, MaxName)}”: {outcome.Explanation}" : outcome.Explanation);
        if (outcome.Tests is { Failed: > 0 } tests)
            parts.Add($"{tests.Failed} of {tests.Total} tests failed: {string.Join(", ", tests.FirstFailed.Take(MaxTests).Select(test => PlainText.Line(test.Name, MaxName)))}{(tests.Failed > MaxTests ? ", …" : "")}.");
        else if (outcome.Tests is { } passed && outcome.IsSuccess) parts.Add($"{passed.Total} tests passed.");
        if (stage.Attempts.Count > 1) parts.Add($"Attempt {stage.Attempts.Count}.");
        return string.Join(' ', parts);
    }
}
