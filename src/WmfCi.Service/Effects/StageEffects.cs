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
    /// <summary>How long an attempt that is to stop may go on before it is told again.</summary>
    public static readonly TimeSpan StopAgainAfter = TimeSpan.FromSeconds(5);

    /// <summary>Carries out an effect of the pool <see cref="Pools.Runner"/>.</summary>
    public async Task<EffectResult> HandleAsync(EffectClaim claim, Task stop, CancellationToken cancellationToken)
    {
        var wanted = (Effect.RunStage)claim.Effect;
        var id = wanted.Attempt;
        if (stop.IsCompleted && claim.Attempts == 1) return Finished(id, new StageOutcome { Kind = OutcomeKind.Stopped });

        var news = new AttemptNews(() => TellAsync(claim.Lane, new Event.StageStarted(id)), reason => TellAsync(claim.Lane, new Event.StageWaiting(id, reason)));
        await using var log = new AttemptLog(id, tables.LogFolder, tables.Logs, news, surroundings);
        var spec = await SpecAsync(claim, wanted, cancellationToken);
        // It is stopped only once it runs: a runner knows nothing of an attempt before, and would forget the wish.
        var running = runner.RunAsync(spec, log, cancellationToken);
        await StopWhenAskedAsync(id, running, stop, cancellationToken);
        var report = await running;
        surroundings.Boundary.Reached("stage ran");
        await log.RecoverAsync(cancellationToken);

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
        return new EffectResult([new Event.StageFinished(id, outcome)], [.. Logs.Close(id, whole), .. Artifacts.Add(id, files)]);
    }

    private static EffectResult Finished(AttemptId id, StageOutcome outcome) => EffectResult.Of(new Event.StageFinished(id, outcome));

    // Names of further stages come from repositories; a metric must not grow with them.
    private static string StageLabel(string name) => name is StageNames.Commit or StageNames.Acceptance or StageNames.Deployment ? name : "other";

    private async Task TellAsync(string lane, Event news) => await tables.Inbox.AddAsync([new LaneEvent(lane, news)], CancellationToken.None);

    // Ends when the attempt does. The wish is repeated, in case it came before the runner knew of the attempt.
    private async Task StopWhenAskedAsync(AttemptId id, Task running, Task stop, CancellationToken cancellationToken)
    {
        await Task.WhenAny(running, stop);
        while (!running.IsCompleted)
        {
            await runner.StopAsync(id, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await running.WaitAsync(StopAgainAfter, surroundings.Time, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<AttemptSpec> SpecAsync(EffectClaim claim, Effect.RunStage wanted, CancellationToken cancellationToken)
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
            IsRepeated = claim.Attempts > 1,
            Stage = wanted.Stage,
            Snapshot = wanted.Source.Snapshot,
            Inputs = inputs.ToValueArray(),
            Facts = Facts(wanted),
        };
    }

    /// <summary>What the steps of a stage are told about what they test; a replay elsewhere tells the same.</summary>
    internal static ValueArray<Variable> Facts(Effect.RunStage wanted) =>
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
