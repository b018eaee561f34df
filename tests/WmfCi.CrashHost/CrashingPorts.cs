using System.Runtime.CompilerServices;
using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Core.Runs;
using WmfCi.LocalRunner;
using WmfCi.Ports;
using WmfCi.Service.Loop;

namespace WmfCi.CrashHost;

/// <summary>Places before a call to a peer, and after the peer carried it out but before the service sees the answer.</summary>
internal static class Calls
{
    public static async Task<T> AroundAsync<T>(this Boundary boundary, string call, Func<Task<T>> carryOut)
    {
        boundary.Reached($"{call} is called");
        var answer = await carryOut();
        boundary.Reached($"{call} has answered");
        return answer;
    }
}

/// <summary>A code review with places around each call.</summary>
internal sealed class CrashingReview(ICodeReview inner, Boundary boundary) : ICodeReview
{
    public Task<Account> ReadSelfAsync(CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(ReadSelfAsync), () => inner.ReadSelfAsync(cancellationToken));

    public Task<ChangeReading?> ReadAsync(ChangeId id, DateTimeOffset commentsSince, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(ReadAsync), () => inner.ReadAsync(id, commentsSince, cancellationToken));

    public Task<ValueArray<string>> ReadGroupMembersAsync(string group, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(ReadGroupMembersAsync), () => inner.ReadGroupMembersAsync(group, cancellationToken));

    public Task<MergeSettings> ReadMergeSettingsAsync(string project, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(ReadMergeSettingsAsync), () => inner.ReadMergeSettingsAsync(project, cancellationToken));

    public Task<ValueArray<UpdatedChange>> ReadUpdatedSinceAsync(DateTimeOffset since, int max, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(ReadUpdatedSinceAsync), () => inner.ReadUpdatedSinceAsync(since, max, cancellationToken));

    public Task<PostOutcome> PostAsync(Review review, bool mayBePosted, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(PostAsync), () => inner.PostAsync(review, mayBePosted, cancellationToken));

    // What is done with a line is told by the listener's own places.
    public async IAsyncEnumerable<string> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var line in inner.ListenAsync(cancellationToken)) yield return line;
    }

    public StreamLine Understand(string line) => inner.Understand(line);
}

/// <summary>A store with places around each call.</summary>
internal sealed class CrashingStore(IArtifactStore inner, Boundary boundary) : IArtifactStore
{
    public Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(PutAsync), () => inner.PutAsync(content, maxBytes, cancellationToken));

    public Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken) =>
        boundary.AroundAsync(nameof(OpenAsync), () => inner.OpenAsync(digest, cancellationToken));
}

/// <summary>A runner with places around each call, and at each step's beginning.</summary>
internal sealed class CrashingRunner(LocalJobRunner inner, Boundary boundary) : IJobRunner, IAsyncDisposable
{
    public Task<AttemptReport> RunAsync(AttemptSpec spec, IAttemptObserver observer, CancellationToken detach) =>
        boundary.AroundAsync(nameof(RunAsync), () => inner.RunAsync(spec, new CrashingObserver(observer, boundary), detach));

    public Task StopAsync(AttemptId id, CancellationToken cancellationToken) => inner.StopAsync(id, cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();
}

/// <summary>An observer with places in the middle of a stage.</summary>
internal sealed class CrashingObserver(IAttemptObserver inner, Boundary boundary) : IAttemptObserver
{
    public async Task StepStartedAsync(string step, CancellationToken cancellationToken)
    {
        boundary.Reached("a step starts");
        await inner.StepStartedAsync(step, cancellationToken);
        boundary.Reached("a step is recorded");
    }

    public Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) => inner.OutputAsync(bytes, cancellationToken);

    public Task WaitingAsync(string reason, CancellationToken cancellationToken) => inner.WaitingAsync(reason, cancellationToken);

    public Task AsideAsync(string title, CancellationToken cancellationToken) => inner.AsideAsync(title, cancellationToken);

    public Task RestartAsync(CancellationToken cancellationToken) => inner.RestartAsync(cancellationToken);

    public Task NoteAsync(string line, CancellationToken cancellationToken) => inner.NoteAsync(line, cancellationToken);
}
