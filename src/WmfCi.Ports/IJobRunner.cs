using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.Ports;

/// <summary>Runs stages somewhere: on this machine, in a cluster. Nothing above it knows where.</summary>
public interface IJobRunner
{
    /// <summary>
    /// Runs one attempt, or adopts it where it already runs: called again with the same <see cref="AttemptSpec.Id"/> (after a crash of the caller, by another
    /// replica) it never runs the steps a second time. Where the earlier run of the attempt cannot be found any more it answers
    /// <see cref="OutcomeKind.InfrastructureFailed"/>, and the caller decides on a new attempt.
    /// </summary>
    /// <param name="spec">What to run.</param>
    /// <param name="observer">Told of what happens, one call at a time.</param>
    /// <param name="detach">Ends the waiting, because this process ends. Where the attempt can go on without us it does.</param>
    /// <returns>The report; failures of the stage and of the infrastructure are answers, not exceptions.</returns>
    /// <exception cref="OperationCanceledException"><paramref name="detach"/> was signalled.</exception>
    Task<AttemptReport> RunAsync(AttemptSpec spec, IAttemptObserver observer, CancellationToken detach);

    /// <summary>Stops an attempt with all its children. <see cref="RunAsync"/> then answers <see cref="OutcomeKind.Stopped"/>. Harmless when nothing runs.</summary>
    Task StopAsync(AttemptId id, CancellationToken cancellationToken);
}

/// <summary>What to run.</summary>
public sealed record AttemptSpec
{
    /// <summary>Names it.</summary>
    public required AttemptId Id { get; init; }

    /// <summary>The stage as planned.</summary>
    public required Stage Stage { get; init; }

    /// <summary>The digest of the source snapshot (a zstd-compressed tar) that becomes the workspace.</summary>
    public required string Snapshot { get; init; }

    /// <summary>Artifacts of the stages that it needs, laid beside the workspace, read-only, as <c>STAGE/PATH</c>.</summary>
    public ValueArray<InputFile> Inputs { get; init; } = [];

    /// <summary>Whether an earlier call may have begun it: where nothing of it is to be found then, it is lost, not new.</summary>
    public bool IsRepeated { get; init; }

    /// <summary>Variables that tell the steps what they test (<c>WMFCI_…</c>), beside the stage's own.</summary>
    public ValueArray<Variable> Facts { get; init; } = [];
}

/// <summary>A file from an earlier stage.</summary>
/// <param name="Stage">The id of the stage that made it.</param>
/// <param name="Path">Its path there, relative, with slashes.</param>
/// <param name="Digest">Its SHA-256.</param>
public sealed record InputFile(string Stage, string Path, string Digest);

/// <summary>Hears what an attempt does while it does it.</summary>
public interface IAttemptObserver
{
    /// <summary>A step begins.</summary>
    Task StepStartedAsync(string step, CancellationToken cancellationToken);

    /// <summary>A step printed bytes (its output and errors, in the order of printing), just as they came. The memory is valid during the call only.</summary>
    Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken);

    /// <summary>It cannot begin yet, and why: what waits for what, one sentence. Told again when the reason changes; over when a step begins.</summary>
    Task WaitingAsync(string reason, CancellationToken cancellationToken);

    /// <summary>What follows is no step's output, but that of something beside it, such as a service.</summary>
    Task AsideAsync(string title, CancellationToken cancellationToken);

    /// <summary>What was told so far of steps, output and notes is told again from its beginning, complete: the first telling has gaps.</summary>
    Task RestartAsync(CancellationToken cancellationToken);

    /// <summary>The runner itself has something to say in the log, one line.</summary>
    Task NoteAsync(string line, CancellationToken cancellationToken);
}

/// <summary>What became of an attempt.</summary>
public sealed record AttemptReport
{
    /// <summary>How it ended.</summary>
    public required OutcomeKind Kind { get; init; }

    /// <summary>One sentence for people; empty on success. It names limits and what to set instead.</summary>
    public string Explanation { get; init; } = "";

    /// <summary>The step that failed.</summary>
    public string? FailedStep { get; init; }

    /// <summary>Its exit status.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The files that were kept, in the store already.</summary>
    public ValueArray<CollectedFile> Files { get; init; } = [];
}

/// <summary>A file that an attempt left.</summary>
/// <param name="Path">Relative to the workspace, with slashes.</param>
/// <param name="Blob">What the store has of it.</param>
/// <param name="IsReport">Whether it is a test report.</param>
public sealed record CollectedFile(string Path, Blob Blob, bool IsReport);
