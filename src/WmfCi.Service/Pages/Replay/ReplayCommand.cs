using System.Buffers;
using WmfCi.Core.Runs;

namespace WmfCi.Service.Pages.Replay;

/// <summary>What to type to run a failed stage again on one's own machine.</summary>
public static class ReplayCommand
{
    private static readonly SearchValues<char> s_plain = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:%+=,@");

    /// <summary>The command, one line for a shell.</summary>
    /// <param name="run">The run.</param>
    /// <param name="stage">The stage's id.</param>
    /// <param name="url">Where this service is.</param>
    /// <returns>Null where running it again elsewhere could tell nothing: the stage did not fail, or the failure was ours.</returns>
    public static string? Of(Run run, StageRun stage, string url) =>
        stage.Status == StageStatus.Failed && stage.Latest?.Outcome?.Kind != OutcomeKind.InfrastructureFailed && run.Source is { Snapshot.Length: > 0 } && url.Length > 0
            ? $"wmfci local --run {run.Id} {Quoted(stage.Stage)} --server {Quoted(url)}"
            : null;

    // A cell of a matrix has brackets, blanks and whatever its author wrote.
    private static string Quoted(string word) => word.Length > 0 && !word.AsSpan().ContainsAnyExcept(s_plain) ? word : "'" + word.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
}
