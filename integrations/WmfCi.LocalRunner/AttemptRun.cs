using System.ComponentModel;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.LocalRunner.Sandboxes;
using WmfCi.Ports;
using WmfCi.Workspaces;

namespace WmfCi.LocalRunner;

/// <summary>What all attempts of a runner share.</summary>
internal sealed record RunnerParts(LocalRunnerOptions Options, IArtifactStore Store, TimeProvider Time, Launcher Launcher, Podman Podman)
{
    /// <summary>Who owns what steps may write, where that is not this process's own user.</summary>
    public int? StepOwner => Environment.IsPrivilegedProcess ? Options.StepUser : null;
}

/// <summary>Carries out one attempt: lays out the workspace, runs the steps, keeps what was declared.</summary>
internal sealed class AttemptRun(RunnerParts parts, AttemptSpec spec, AttemptFolder folder, AttemptLog log, StopSignal stop)
{
    private readonly LimitWatch _watch = new(parts.Options, folder, stop, parts.Time);
    private readonly List<string> _containers = [];

    private LocalRunnerOptions Options => parts.Options;

    /// <summary>Carries it out.</summary>
    /// <returns>The report; nothing is thrown but programming errors.</returns>
    public async Task<AttemptReport> RunAsync()
    {
        try
        {
            if (Misconfiguration() is { } mistake) return Report(OutcomeKind.Misconfigured, mistake);
            folder.Create();
            if (await PrepareAsync() is { } missing) return missing;
            var report = await RunStepsAsync();
            return report.Kind is OutcomeKind.Stopped or OutcomeKind.InfrastructureFailed ? report : await CollectAsync(report);
        }
        catch (RefusedSnapshotException error)
        {
            return Report(OutcomeKind.Misconfigured, error.Message);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or Win32Exception or OperationCanceledException)
        {
            return stop.Order is { } order ? Report(order) : Report(OutcomeKind.InfrastructureFailed, $"The worker failed: {error.Message}");
        }
        finally
        {
            // The first of them lends its network to the others, and goes last.
            _containers.Reverse();
            foreach (var name in _containers) await parts.Podman.RemoveAsync(name);
        }
    }

    private bool IsHost => spec.Stage.Image == "host";

    private static AttemptReport Report(OutcomeKind kind, string explanation, string? step = null, int? exitCode = null) =>
        new() { Kind = kind, Explanation = explanation, FailedStep = step, ExitCode = exitCode };

    private static AttemptReport Report((string Why, bool IsMisconfigured) trouble) => Report(trouble.IsMisconfigured ? OutcomeKind.Misconfigured : OutcomeKind.InfrastructureFailed, trouble.Why);

    private static AttemptReport Report(StopOrder order, string? step = null) => Report(order.Kind, order.Explanation, step);

    private string? Misconfiguration()
    {
        if (!spec.Stage.Services.IsEmpty && Options.HasServices && IsHost)
            return $"The stage has services ({string.Join(", ", spec.Stage.Services.Select(service => service.Name))}), which on this machine only steps in a container reach. Give it a named image instead of `host`.";
        if (!spec.Stage.Services.IsEmpty && !Options.HasServices)
            return $"The stage has services ({string.Join(", ", spec.Stage.Services.Select(service => service.Name))}), which run only where stages run on Kubernetes; this site runs them on its own machine. Take `services` out, or ask the operators for a cluster.";
        return StepVariables.Fault(spec.Stage.Environment.Concat(spec.Facts));
    }

    /// <summary>Lays out the workspace and fetches the image, side by side.</summary>
    private async Task<AttemptReport?> PrepareAsync()
    {
        var layingOut = Task.Run(() => LayOutAsync(stop.Ordered));
        try
        {
            if (!IsHost && await EnsureImageAsync() is { } missing) return missing;
        }
        finally
        {
            // Nothing may write into the folder any more when it is removed, whichever of the two failed first.
            await Task.WhenAny(layingOut);
        }

        await layingOut;
        return null;
    }

    private async Task<AttemptReport?> EnsureImageAsync()
    {
        foreach (var image in spec.Stage.Services.Select(service => service.Image).Prepend(spec.Stage.Image))
        {
            var missing = await parts.Podman.EnsureImageAsync(image, line => log.NoteAsync(line, default), stop.Ordered);
            if (missing is { } trouble) return Report(trouble);
        }

        return null;
    }

    private async Task LayOutAsync(CancellationToken cancellationToken)
    {
        await using (var snapshot = await parts.Store.OpenAsync(spec.Snapshot, cancellationToken) ?? throw new IOException($"the store does not have the source snapshot {spec.Snapshot}"))
            new SnapshotUnpacker(folder.Work, Options.Snapshot, parts.StepOwner).Unpack(snapshot, spec.Snapshot, cancellationToken);
        foreach (var input in spec.Inputs) await InputFiles.LayAsync(parts.Store, folder.Inputs, input, cancellationToken);
    }

    private async Task<AttemptReport> RunStepsAsync()
    {
        using var group = IsHost ? ControlGroup.TryCreate(folder.Key, Options, BubblewrapSandbox.Overhead) : null;
        var timeout = spec.Stage.Timeout;
        await using var timer = parts.Time.CreateTimer(_ => stop.Stop(TimedOut(timeout)), state: null, timeout, Timeout.InfiniteTimeSpan);
        var begun = parts.Time.GetTimestamp();
        if (spec.Stage.Services.IsEmpty) return await RunStepsAsync(group, () => timeout - parts.Time.GetElapsedTime(begun));
        var services = new PodmanServices(Options, parts.Podman, folder, spec.Stage);
        _containers.AddRange(services.Names);
        await log.NoteAsync($"Starting {string.Join(", ", spec.Stage.Services.Select(service => service.Name))}.", default);
        var trouble = await services.StartAsync(parts.Time, stop.Ordered);
        var report = trouble is { } why ? Report(why) : await RunStepsAsync(group, () => timeout - parts.Time.GetElapsedTime(begun));
        await services.TellAsync(log);
        return report;
    }

    private async Task<AttemptReport> RunStepsAsync(ControlGroup? group, Func<TimeSpan> left)
    {
        var number = 0;
        foreach (var step in spec.Stage.Steps)
        {
            if (stop.Order is { } order) return Report(order);
            await log.StepStartedAsync(step.Name, default);
            var (script, temporary, home) = folder.CreateStep(++number, step.Script);
            var files = new StepFiles(folder, script, temporary, home, Variables()) { Number = number, Stage = spec.Stage };
            using var sandbox = Make(files, group, left());
            var end = await new StepSupervisor(parts.Launcher, log, stop, Options.StopGrace, parts.Time).RunAsync(sandbox, _watch);
            if (await JudgeAsync(step.Name, end) is { } report) return report;
        }

        return new AttemptReport { Kind = OutcomeKind.Succeeded };
    }

    private static StopOrder TimedOut(TimeSpan timeout) =>
        new(OutcomeKind.TimedOut, $"It took longer than the {Amounts.Duration(timeout)} that the stage may take, and was stopped with all its children. Make it faster, split it, or raise the stage's timeout.");

    private Sandbox Make(StepFiles files, ControlGroup? group, TimeSpan atMost)
    {
        if (IsHost) return new BubblewrapSandbox(Options, files, group);
        var sandbox = new PodmanSandbox(Options, files, parts.Podman, atMost > TimeSpan.Zero ? atMost : TimeSpan.Zero);
        _containers.Add(sandbox.Name);
        return sandbox;
    }

    /// <summary>What a step's end means: null when the next one may run.</summary>
    private async Task<AttemptReport?> JudgeAsync(string step, SandboxEnd end)
    {
        if (stop.Order is { } order) return Report(order, step);
        if (end.ExitCode == 0)
        {
            if (end.RanOutOfMemory) await log.NoteAsync("A process of the step was killed for want of memory, though the step succeeded.", default);
            return null;
        }

        if (end.RanOutOfMemory) return Report(OutcomeKind.OutOfMemory, LimitWatch.OutOfMemory(Options).Explanation, step, end.ExitCode);
        if (end.IsMisconfigured) return Report(OutcomeKind.Misconfigured, end.Trouble, step);
        if (end.ExitCode is not { } exit) return Report(OutcomeKind.InfrastructureFailed, $"{end.Trouble}{(log.Tail.Length > 0 ? $": {log.Tail}" : "")}", step);
        if (await _watch.IsDiskExceededAsync(default) || exit == FileTooLarge) return Report(stop.Order ?? FileExceedsDisk(), step) with { ExitCode = exit };
        var more = end.WantedMoreProcesses ? $" It wanted more than the {Options.MaxProcesses} processes and threads that a stage may have at once: let it run less in parallel, or ask the operators to raise the limit (MaxProcesses)." : "";
        return Report(OutcomeKind.Failed, $"Exit status {exit}.{more}", step, exit);
    }

    // 128 and the number of SIGXFSZ, which the kernel sends to who writes a larger file than it may.
    private const int FileTooLarge = 128 + 25;

    private StopOrder FileExceedsDisk() =>
        new(OutcomeKind.DiskFull, $"It wrote a file larger than the {Amounts.Size(Options.DiskBytes)} that a stage may keep on disk. Write less, or ask the operators to raise the limit (DiskBytes).");

    private List<Variable> Variables()
    {
        // Later ones win; what is tested is told by us, whatever the stage calls its own variables.
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var own = StepVariables.Base.Concat(IsHost ? [StepVariables.Path] : []);
        foreach (var variable in own.Concat(spec.Stage.Environment).Concat(spec.Facts)) values[variable.Name] = variable.Value;
        return [.. values.Select(pair => new Variable(pair.Key, pair.Value))];
    }

    private async Task<AttemptReport> CollectAsync(AttemptReport report)
    {
        var collector = new Collector(folder.Work, Options.Collection, parts.Store);
        try
        {
            var files = await collector.CollectAsync(spec.Stage.Artifacts, spec.Stage.Reports, default);
            foreach (var note in collector.Notes) await log.NoteAsync(note, default);
            await log.FinishAsync(default);
            return report with { Files = [.. files] };
        }
        catch (IOException error) when (report.Kind != OutcomeKind.Succeeded)
        {
            // The stage's own failure is the news; that its files are missing is a remark.
            await log.NoteAsync($"The files of the stage could not be kept: {error.Message}", default);
            return report;
        }
    }
}
