using System.Globalization;
using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Effects;

/// <summary>Runs stages: gives the runner what it needs, keeps the log, reads the reports, records what came of it.</summary>
/// <param name="runner">Where they run.</param>
/// <param name="store">Where sources, artifacts and logs are.</param>
/// <param name="tables">What is recorded.</param>
/// <param name="surroundings">Clock, log, crash test.</param>
public sealed class StageEffects(IJobRunner runner, IArtifactStore store, StageTables tables, Surroundings surroundings)
{
    /// <summary>Carries out an effect of the pool <see cref="Pools.Runner"/>.</summary>
    public async Task<EffectResult> HandleAsync(EffectClaim claim, Task stop, CancellationToken cancellationToken)
    {
        var wanted = (Effect.RunStage)claim.Effect;
        var id = wanted.Attempt;
        if (stop.IsCompleted && claim.Attempts == 1) return Finished(id, new StageOutcome { Kind = OutcomeKind.Stopped });

        await tables.Logs.RestartAsync(id, cancellationToken);
        await using var log = new AttemptLog(id, tables.LogFolder, tables.Logs, () => StartedAsync(claim.Lane, wanted), surroundings);
        var spec = await SpecAsync(wanted, cancellationToken);
        var stopping = StopWhenAskedAsync(id, stop, cancellationToken);
        var report = await runner.RunAsync(spec, log, cancellationToken);
        surroundings.Boundary.Reached("stage ran");

        var outcome = new StageOutcome
        {
            Kind = report.Kind,
            Explanation = report.Explanation,
            FailedStep = report.FailedStep,
            ExitCode = report.ExitCode,
            Excerpt = report.Kind == OutcomeKind.Succeeded ? [] : log.Excerpt,
            Tests = await ReportReader.ReadAsync(store, report.Files, cancellationToken),
            ArtifactCount = report.Files.Count,
        };
        var whole = await log.CloseAsync(store, cancellationToken);
        ServiceMetrics.StagesEnded.WithLabels(StageLabel(wanted.Stage.Name), outcome.Kind.ToString()).Inc();
        var files = report.Files.Select(file => new StoredArtifact(file.Path, file.Blob.Digest, file.Blob.Size, file.IsReport)).ToList();
        _ = stopping;
        return new EffectResult([new Event.StageFinished(id, outcome)], [.. Logs.Close(id, whole), .. Artifacts.Add(id, files)]);
    }

    private static EffectResult Finished(AttemptId id, StageOutcome outcome) => EffectResult.Of(new Event.StageFinished(id, outcome));

    // Names of further stages come from repositories; a metric must not grow with them.
    private static string StageLabel(string name) => name is StageNames.Commit or StageNames.Acceptance or StageNames.Deployment ? name : "other";

    private async Task StartedAsync(string lane, Effect.RunStage wanted)
    {
        await tables.Inbox.AddAsync([new LaneEvent(lane, new Event.StageStarted(wanted.Attempt))], CancellationToken.None);
    }

    private async Task StopWhenAskedAsync(AttemptId id, Task stop, CancellationToken cancellationToken)
    {
        await stop.WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (stop.IsCompletedSuccessfully) await runner.StopAsync(id, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<AttemptSpec> SpecAsync(Effect.RunStage wanted, CancellationToken cancellationToken)
    {
        var inputs = new List<InputFile>();
        foreach (var input in wanted.Inputs)
        {
            var files = await tables.Artifacts.OfAttemptAsync(input, cancellationToken);
            inputs.AddRange(files.Where(file => !file.IsReport).Select(file => new InputFile(input.Stage, file.Path, file.Digest)));
        }
        return new AttemptSpec
        {
            Id = wanted.Attempt,
            Stage = wanted.Stage,
            Snapshot = wanted.Source.Snapshot,
            Inputs = inputs.ToValueArray(),
            Facts = Facts(wanted),
        };
    }

    private static ValueArray<Variable> Facts(Effect.RunStage wanted) =>
    [
        new("WMFCI_RUN", wanted.Attempt.Run.ToString()),
        new("WMFCI_STAGE", wanted.Stage.Id),
        new("WMFCI_ATTEMPT", wanted.Attempt.Number.ToString(CultureInfo.InvariantCulture)),
        new("WMFCI_PROJECT", wanted.About.Change.Project),
        new("WMFCI_BRANCH", wanted.About.Branch),
        new("WMFCI_CHANGE", wanted.About.Change.Number.ToString(CultureInfo.InvariantCulture)),
        new("WMFCI_PATCH_SET", wanted.About.PatchSet.ToString(CultureInfo.InvariantCulture)),
        new("WMFCI_REVISION", wanted.About.Revision),
        new("WMFCI_COMMIT", wanted.Source.Commit),
        new("WMFCI_TREE", wanted.Source.Tree),
    ];
}

/// <summary>What a stage reads and leaves in the database.</summary>
/// <param name="Inbox">Events.</param>
/// <param name="Logs">Logs.</param>
/// <param name="Artifacts">Artifacts.</param>
/// <param name="LogFolder">Where logs grow.</param>
public sealed record StageTables(Inbox Inbox, Logs Logs, Artifacts Artifacts, string LogFolder);
