using System.Text.Json;
using k8s.Models;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>What the steps' own words come to. A step could forge its own message and no other; it gains by that no more than by its exit status.</summary>
internal static class StepEnds
{
    // 128 and the number of SIGXFSZ, which the kernel sends to who writes a larger file than it may.
    private const int FileTooLarge = 128 + 25;
    private const string LostContainer = "Unable to get init container status";

    /// <summary>Reads the message of a step's container; null when it is none.</summary>
    public static StepEnd? Read(V1ContainerStateTerminated ended)
    {
        try
        {
            return string.IsNullOrEmpty(ended.Message) ? null : JsonSerializer.Deserialize(ended.Message, WireJson.Default.StepEnd);
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The failure of a trusted container in its own words; null when it said none.</summary>
    public static ContainerFailure? ReadFailure(V1ContainerStateTerminated ended)
    {
        try
        {
            return string.IsNullOrEmpty(ended.Message) ? null : JsonSerializer.Deserialize(ended.Message, WireJson.Default.ContainerFailure);
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>What the steps that ended came to: null while all of them succeeded.</summary>
    /// <param name="view">The attempt.</param>
    /// <param name="stage">What bounds it.</param>
    public static Reading.Over? Judge(AttemptView view, StageLimits stage)
    {
        for (var number = 1; number <= stage.Steps; number++)
        {
            if (view.Container(JobPlan.StepName(number))?.State?.Terminated is not { } ended) return null;
            if (Judge(ended, stage) is { } over) return over with { Step = number };
        }
        return null;
    }

    private static Reading.Over? Judge(V1ContainerStateTerminated ended, StageLimits stage)
    {
        if (ended.Reason == "OOMKilled") return OutOfMemory(stage, ended.ExitCode);
        if (ended.ExitCode != 0) return Killed(ended);
        // What kubelets say of a container that they find no trace of, once the pod was initialized.
        if (ended is { StartedAt: null, Message: not null } && ended.Message.StartsWith(LostContainer, StringComparison.Ordinal)) return new Reading.Over(OutcomeKind.InfrastructureFailed, "Its node lost the container, and nobody knows how it ended.");
        if (Read(ended) is not { } end) return new Reading.Over(OutcomeKind.Failed, "Its supervisor did not say how it ended, which it always does: something in the step removed or forged the message.");
        if (end.Skipped) return new Reading.Over(OutcomeKind.Failed, "It did not run although no step before it failed: something in an earlier step forged the mark of a failure.");
        if (end.TimedOut) return TimedOut(stage);
        if (end.Trouble is { Length: > 0 } trouble) return new Reading.Over(OutcomeKind.Misconfigured, PlainText.Line(trouble, PodRules.MaxMessage));
        return end.Exit switch
        {
            0 => null,
            null => new Reading.Over(OutcomeKind.Failed, "Its supervisor did not say with which status it ended."),
            _ when end.RanOutOfMemory => OutOfMemory(stage, end.Exit),
            FileTooLarge => new Reading.Over(OutcomeKind.DiskFull, $"It wrote a file larger than the {Amounts.Size(stage.Worker.DiskBytes)} of disk that a stage of the worker class {stage.Worker.Name} may use. Write less, or choose another `worker:`.") { ExitCode = end.Exit },
            { } exit => new Reading.Over(OutcomeKind.Failed, $"Exit status {exit}.{Processes(end, stage)}") { ExitCode = exit },
        };
    }

    private static string Processes(StepEnd end, StageLimits stage) => end.WantedMoreProcesses
        ? $" It wanted more than the {stage.Worker.MaxProcesses} processes and threads that the worker class {stage.Worker.Name} allows: let it run less in parallel, or choose another `worker:`."
        : "";

    private static Reading.Over OutOfMemory(StageLimits stage, int? exit) =>
        new(OutcomeKind.OutOfMemory, $"It needed more than the {Amounts.Size(stage.Worker.MemoryBytes)} of memory of the worker class {stage.Worker.Name}. Let it run less in parallel, or choose another `worker:`.") { ExitCode = exit };

    /// <summary>The stage's time was over.</summary>
    public static Reading.Over TimedOut(StageLimits stage) =>
        new(OutcomeKind.TimedOut, $"It took longer than the {Amounts.Duration(stage.Timeout)} that the stage may take, and was stopped with all its children. Make it faster, split it, or raise the stage's timeout.");

    // A supervisor exits with 0 whatever its step does, so here something else ended it, or kept it from starting.
    public static Reading.Over Killed(V1ContainerStateTerminated ended)
    {
        var message = PlainText.Line(ended.Message ?? "", PodRules.MaxMessage);
        if (ended.Reason is "StartError" or "ContainerCannotRun" || message.Contains("exec format error", StringComparison.Ordinal))
            return new Reading.Over(OutcomeKind.Misconfigured, $"The image cannot run here: {message}. An image of another architecture, or one that is damaged, ends so.");
        return new Reading.Over(OutcomeKind.InfrastructureFailed, $"Its container was ended from outside with status {ended.ExitCode} ({PlainText.Line(ended.Reason ?? "no reason", 60)}).");
    }
}
