using WmfCi.Core.Runs;
using WmfCi.Storage;

namespace WmfCi.Service.Loop;

/// <summary>What a saved decision tells about runs: which ended, and which began to work.</summary>
internal static class RunMetrics
{
    /// <summary>Counts and times what became of a lane's runs.</summary>
    public static void Observe(LaneOutcome outcome, DateTimeOffset now)
    {
        foreach (var run in outcome.After.Runs)
        {
            var before = outcome.Before.Find(run.Id);
            if (run.Result is { } result && before?.Result is null) Ended(run, result.ToString(), now);
            // A run that took over another's stages, or that somebody asked for later, says nothing about the time since the upload.
            if (run is { Cause.Kind: RunCauseKind.PatchSet, CarriedFrom: null } && HasStarted(run) && (before is null || !HasStarted(before)))
                ServiceMetrics.PushToFirstCommand.Observe(Math.Max(0, (now - run.PatchSet.Created).TotalSeconds));
        }
    }

    private static void Ended(Run run, string result, DateTimeOffset now)
    {
        ServiceMetrics.RunsEnded.WithLabels(result).Inc();
        ServiceMetrics.RunTime.WithLabels(result).Observe(Math.Max(0, ((run.Finished ?? now) - run.Created).TotalSeconds));
    }

    private static bool HasStarted(Run run) => run.Stages.Any(stage => stage.Attempts.Any(attempt => attempt.Started is not null));
}
