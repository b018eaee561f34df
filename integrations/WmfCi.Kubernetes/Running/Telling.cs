using WmfCi.Ports;

namespace WmfCi.Kubernetes.Running;

/// <summary>Tells the observer, one call at a time, and nothing twice that it need hear once.</summary>
internal sealed class Telling(IAttemptObserver observer) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);
    private string? _waiting;

    public Task StepAsync(string step) => InTurnAsync(() => observer.StepStartedAsync(step, CancellationToken.None));

    public Task OutputAsync(ReadOnlyMemory<byte> bytes) => InTurnAsync(() => observer.OutputAsync(bytes, CancellationToken.None));

    public Task NoteAsync(string line) => InTurnAsync(() => observer.NoteAsync(line, CancellationToken.None));

    public Task AsideAsync(string title) => InTurnAsync(() => observer.AsideAsync(title, CancellationToken.None));

    public Task RestartAsync() => InTurnAsync(() => observer.RestartAsync(CancellationToken.None));

    public Task WaitingAsync(string reason) => InTurnAsync(() =>
    {
        if (reason == _waiting) return Task.CompletedTask;
        _waiting = reason;
        return observer.WaitingAsync(reason, CancellationToken.None);
    });

    public void Dispose() => _turn.Dispose();

    private async Task InTurnAsync(Func<Task> call)
    {
        await _turn.WaitAsync();
        try
        {
            await call();
        }
        finally
        {
            _turn.Release();
        }
    }
}
