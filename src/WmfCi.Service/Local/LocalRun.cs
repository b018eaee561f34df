using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Service.Effects;

namespace WmfCi.Service.Local;

/// <summary>
/// Runs a plan by the very rules of the service: they decide what starts, what is skipped, what is tried again and what comes of it all; here it is only carried out.
/// </summary>
internal sealed class LocalRun(LocalPlan plan, IJobRunner runner, IArtifactStore store, LocalOutput output)
{
    private readonly RunId _id = NewId(output.Time);
    private readonly Dictionary<AttemptId, ValueArray<CollectedFile>> _files = [];
    private readonly Queue<Effect.RunStage> _wanted = new();
    private ChangeLane _lane = new();

    private Run Run => _lane.Find(_id)!;

    /// <summary>Runs it.</summary>
    /// <param name="jobs">How many stages run at once.</param>
    /// <param name="cancellationToken">Stops everything that runs, with its children.</param>
    /// <returns>The run as it ended.</returns>
    public async Task<Run> RunAsync(int jobs, CancellationToken cancellationToken)
    {
        _lane = _lane.With(NewRun());
        Apply(new Event.SourcePrepared(_id, plan.Source, plan.Pipeline, []));
        var running = new List<Task<Event>>();
        try
        {
            while (Run.IsActive)
            {
                while (running.Count < jobs && _wanted.TryDequeue(out var wanted))
                {
                    if (!plan.Given.ContainsKey(wanted.Stage.Id)) Apply(new Event.StageStarted(wanted.Attempt));
                    running.Add(CarryOutAsync(wanted, cancellationToken));
                }
                if (running.Count == 0) throw new LocalException("The stages wait for one another, so none can begin.");
                var ended = await Task.WhenAny(running);
                running.Remove(ended);
                Apply(await ended);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
        finally
        {
            await ((Task)Task.WhenAll(running)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        return Run;
    }

    // Attempts of one work folder must differ for a day: the runner answers for those that it knows.
    private static RunId NewId(TimeProvider time) => new((time.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);

    private Run NewRun()
    {
        var nobody = new Account("", "", "", "");
        var now = output.Time.GetUtcNow();
        return new Run
        {
            Id = _id,
            Change = plan.About.Change,
            Branch = plan.About.Branch,
            PatchSet = new PatchSet(plan.About.PatchSet, plan.About.Revision, "", PatchSetKind.Rework, nobody, now),
            Subject = "",
            Cause = new RunCause(RunCauseKind.PatchSet, null),
            Created = now,
        };
    }

    private void Apply(Event happened)
    {
        // Nobody is told anything: there is no change to tell it on.
        var policy = new Policy { Self = new Account("", "", "", ""), Links = new Links("") };
        var decision = RunRules.Decide(_lane, happened, new DecisionContext(output.Time.GetUtcNow(), _id.Value, policy, (_, _, _) => null));
        _lane = decision.Lane;
        foreach (var effect in decision.Effects.OfType<Effect.RunStage>()) _wanted.Enqueue(effect);
    }

    private async Task<Event> CarryOutAsync(Effect.RunStage wanted, CancellationToken cancellationToken)
    {
        if (plan.Given.TryGetValue(wanted.Stage.Id, out var given))
        {
            lock (_files) _files[wanted.Attempt] = given;
            return new Event.StageFinished(wanted.Attempt, new StageOutcome { Kind = OutcomeKind.Succeeded, ArtifactCount = given.Count });
        }
        using var log = output.Begin(wanted.Stage.Id);
        var report = await runner.RunAsync(Spec(wanted), log, cancellationToken);
        lock (_files) _files[wanted.Attempt] = report.Files.Where(file => !file.IsReport).ToValueArray();
        var outcome = new StageOutcome
        {
            Kind = report.Kind,
            Explanation = report.Explanation,
            FailedStep = report.FailedStep,
            ExitCode = report.ExitCode,
            Tests = await ReportReader.ReadAsync(store, report.Files, cancellationToken),
            ArtifactCount = report.Files.Count,
        };
        return new Event.StageFinished(wanted.Attempt, outcome);
    }

    private AttemptSpec Spec(Effect.RunStage wanted)
    {
        var inputs = new List<InputFile>();
        foreach (var input in wanted.Inputs)
        {
            lock (_files) inputs.AddRange(_files[input].Select(file => new InputFile(input.Stage, file.Path, file.Blob.Digest)));
        }
        var told = wanted with { Attempt = new AttemptId(plan.Told, wanted.Stage.Id, plan.Attempts.GetValueOrDefault(wanted.Stage.Id, 1)) };
        return new AttemptSpec { Id = wanted.Attempt, Stage = wanted.Stage, Snapshot = wanted.Source.Snapshot, Inputs = inputs.ToValueArray(), Facts = StageEffects.Facts(told) };
    }
}
