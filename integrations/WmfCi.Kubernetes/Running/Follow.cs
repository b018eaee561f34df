using System.Globalization;
using k8s;
using k8s.Models;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Running;

/// <summary>Follows an attempt that is in the cluster to its end, and says what it came to.</summary>
internal sealed class Follow(RunnerParts parts, AttemptSpec spec, StageLimits limits, LiveAttempt attempt, Telling telling)
{
    /// <summary>How long the rest of a log is waited for when the attempt is over.</summary>
    public static readonly TimeSpan LogPatience = TimeSpan.FromSeconds(30);

    /// <summary>How long an attempt's containers may take to go when it was ended.</summary>
    public static readonly TimeSpan EndPatience = TimeSpan.FromSeconds(60);

    private const int CopyBytes = 256 * 1024;
    private static readonly TimeSpan LookAnyway = TimeSpan.FromSeconds(30);
    private readonly LogPump _pump = new(parts, spec, telling);
    private readonly Warnings _warnings = new(parts);
    private DateTimeOffset? _began;
    private (int Progress, DateTimeOffset At)? _moved;
    private bool _isCounted;

    // By what it was judged: what the watches know may still be behind.
    private AttemptView? _end;

    private string Name => attempt.Name;

    /// <summary>Follows it.</summary>
    /// <exception cref="OperationCanceledException">This process ends; the attempt goes on.</exception>
    public async Task<AttemptReport> RunAsync(CancellationToken detach)
    {
        using var pumping = CancellationTokenSource.CreateLinkedTokenSource(detach);
        var pump = _pump.RunAsync(pumping.Token);
        try
        {
            var over = await WatchAsync(detach);
            if (!over.IsCollected) await EndAsync(over, detach);
            _pump.End();
            await Task.WhenAny(pump, Task.Delay(LogPatience, parts.Time, pumping.Token));
            // One that is still at it would tell its rest in the midst of the complete log.
            await pumping.CancelAsync();
            await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (over.Kind != OutcomeKind.Stopped && !spec.Stage.Services.IsEmpty) await TellServicesAsync(detach);
            return await ReportAsync(over, detach);
        }
        finally
        {
            await pumping.CancelAsync();
            await pump.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<Reading.Over> WatchAsync(CancellationToken detach)
    {
        while (true)
        {
            detach.ThrowIfCancellationRequested();
            var view = View(parts.Jobs.Find(Name), parts.PodsOf(Name, Marks.StageRole));
            if (PodRules.HasBegun(view)) view = view with { BeganAt = _began ??= view.Now };
            var reading = PodRules.Read(view, limits);
            if (reading is not Reading.Going && await _warnings.AskAsync([Name, .. view.Pods.Select(pod => pod.Name())], detach)) reading = PodRules.Read(view = view with { Warning = _warnings.Latest }, limits);
            if (reading is Reading.Over { Kind: OutcomeKind.InfrastructureFailed }) (view, reading) = await CertainAsync(view, detach);
            _pump.Look(view);
            Count(view);
            if (reading is Reading.Over over)
            {
                _end = view;
                return over;
            }
            if (reading is Reading.Waiting waiting) await telling.WaitingAsync(waiting.Reason);
            var next = (reading is Reading.Going going ? going.LookAt : ((Reading.Waiting)reading).LookAt) - parts.Time.GetUtcNow();
            await attempt.WaitAsync(next < LookAnyway ? next : LookAnyway, detach);
        }
    }

    private AttemptView View() => View(parts.Jobs.Find(Name), parts.PodsOf(Name, Marks.StageRole));

    private AttemptView View(V1Job? job, IReadOnlyList<V1Pod> pods)
    {
        if (job is not null) attempt.LastJob = job;
        // What was created a moment ago may not be known to the watch yet; what was known and is gone says in its last state who ended it.
        var isNew = job is null && attempt.LastJob is { } last && last.GetAnnotation(Marks.Ended) is null && !attempt.IsJobGone;
        var view = new AttemptView
        {
            Job = job ?? (isNew || attempt.LastJob?.GetAnnotation(Marks.Ended) is not null ? attempt.LastJob : null),
            Pods = pods,
            Warning = _warnings.Latest,
            BeganAt = _began,
            Now = parts.Time.GetUtcNow(),
        };
        var progress = PodRules.Progress(view);
        if (_moved?.Progress != progress) _moved = (progress, view.Now);
        return view with { MovedAt = _moved.Value.At };
    }

    // Jobs and pods come by two watches, and each may be behind the other: a pod that claimed its attempt need not be known yet, nor the list of files that a collector handed in before it
    // ended. What would cost a new attempt is believed when the cluster itself says so.
    private async Task<(AttemptView View, Reading Reading)> CertainAsync(AttemptView believed, CancellationToken cancellationToken)
    {
        try
        {
            var job = await parts.Cluster.Retries.RunAsync(token => parts.Records.FindAsync(Name, token), cancellationToken);
            if (job is null) attempt.IsJobGone = true;
            var pods = await parts.Cluster.Retries.RunAsync(
                token => parts.Cluster.Client.CoreV1.ListNamespacedPodAsync(parts.Cluster.Namespace, labelSelector: $"{Marks.Attempt}={Name},{Marks.Role}={Marks.StageRole}", cancellationToken: token), cancellationToken);
            var view = View(job, [.. pods.Items]);
            return (view, PodRules.Read(view, limits));
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested && ClusterFault.Of(error).IsTransient)
        {
            return (believed, new Reading.Waiting($"Waits for the cluster, to be sure: {ClusterFault.Of(error).Message}", parts.Time.GetUtcNow() + LookAnyway));
        }
    }

    // What the gate let in takes room from then on in which its pod stands in the quotas' figures: admission counts a pod before anybody sees it, and the scheduler looks at it after.
    private void Count(AttemptView view)
    {
        if (_isCounted || !view.Pods.Any(pod => pod.Status?.Conditions is { Count: > 0 })) return;
        _isCounted = true;
        parts.Gate.Leave(Name);
    }

    /// <summary>Ends what may still run of it, and waits until it is gone.</summary>
    private async Task EndAsync(Reading.Over over, CancellationToken detach)
    {
        if (parts.Jobs.Find(Name) is not { } job) return;
        if (!parts.PodsOf(Name, Marks.StageRole).TrueForAll(pod => pod.Status?.Phase is "Failed" or "Succeeded") || parts.PodsOf(Name, Marks.StageRole).Count == 0) await parts.Records.EndAsync(job.Name(), over, detach);
        var begun = parts.Time.GetUtcNow();
        while (parts.Time.GetUtcNow() - begun < EndPatience && parts.PodsOf(Name, Marks.StageRole).Exists(pod => pod.Status?.Phase is not ("Failed" or "Succeeded")))
        {
            await attempt.WaitAsync(TimeSpan.FromSeconds(1), detach);
            _pump.Look(View());
        }
    }

    private async Task TellServicesAsync(CancellationToken detach)
    {
        var services = new Services(parts, spec, Name, telling);
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(detach);
        bound.CancelAfter(LogPatience);
        try
        {
            foreach (var end in services.EarlyEnds()) await telling.NoteAsync(end);
            await services.TellLogsAsync(bound.Token);
        }
        catch (Exception error) when (error is not OperationCanceledException || !detach.IsCancellationRequested)
        {
            await telling.NoteAsync($"The services' output could not be read: {ClusterFault.Of(error).Message}");
        }
        await services.EndAsync(detach);
    }

    private async Task<AttemptReport> ReportAsync(Reading.Over over, CancellationToken cancellationToken)
    {
        var manifest = over.IsCollected ? await parts.Desk.ManifestAsync(_end!.Job!, cancellationToken) : null;
        var view = over.IsCollected ? _end! : View();
        if (manifest is not null) await ReplaceLogAsync(view, manifest, cancellationToken);
        else if (_began is not null && over.Kind != OutcomeKind.Stopped) await telling.NoteAsync("This is the live copy of the log: the pod ended before the complete one was stored, and the last moments may be missing. Files were not kept either.");
        foreach (var note in DroppedOutput(view).Concat(manifest?.Notes ?? [])) await telling.NoteAsync(PlainText.Line(note, PodRules.MaxMessage * 2));
        return new AttemptReport
        {
            Kind = over.Kind,
            Explanation = over.Explanation,
            FailedStep = over.Step is { } step && step <= spec.Stage.Steps.Count ? spec.Stage.Steps[step - 1].Name : null,
            ExitCode = over.ExitCode,
            Files = manifest?.Files.ToValueArray() ?? [],
        };
    }

    private IEnumerable<string> DroppedOutput(AttemptView view) =>
        Enumerable.Range(1, limits.Steps)
            .Select(number => view.Container(JobPlan.StepName(number))?.State?.Terminated is { } ended ? StepEnds.Read(ended) : null)
            .Where(end => end?.LogDropped > 0)
            .Select(end => string.Create(CultureInfo.InvariantCulture, $"The log is full: it keeps {Amounts.Size(parts.Options.LogBytes)} of output. {end!.LogDropped} bytes were not kept. Print less, or write to a file and keep it as an artifact."));

    // The live copy is what came over connections that break and files that rotate; the collector's is what the supervisors wrote, if it is still what they wrote.
    private async Task ReplaceLogAsync(AttemptView view, PodManifest manifest, CancellationToken cancellationToken)
    {
        var expected = new Dictionary<int, string>();
        for (var number = 1; number <= limits.Steps; number++)
            if (view.Container(JobPlan.StepName(number))?.State?.Terminated is { } ended && StepEnds.Read(ended) is { Skipped: false, LogDigest.Length: > 0 } end) expected[number] = end.LogDigest;
        if (expected.All(pair => _pump.Digests.GetValueOrDefault(pair.Key) == pair.Value)) return;
        var complete = manifest.Logs.ToDictionary(log => log.Step, log => log.Blob);
        if (expected.Any(pair => complete.GetValueOrDefault(pair.Key)?.Digest != pair.Value))
        {
            await telling.NoteAsync("This is the live copy of the log, which has gaps: the complete one is not what the steps printed; something in the stage changed it.");
            return;
        }
        await telling.RestartAsync();
        foreach (var (number, _) in expected.OrderBy(pair => pair.Key))
        {
            await telling.StepAsync(spec.Stage.Steps[number - 1].Name);
            await using var content = await parts.Store.OpenAsync(complete[number].Digest, cancellationToken) ?? throw new IOException($"The store does not have the log {complete[number].Digest}.");
            var buffer = new byte[CopyBytes];
            for (int read; (read = await content.ReadAsync(buffer, cancellationToken)) > 0;) await telling.OutputAsync(buffer.AsMemory(0, read));
        }
    }
}
