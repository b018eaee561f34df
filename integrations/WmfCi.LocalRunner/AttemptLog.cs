using System.Globalization;
using System.Text;
using WmfCi.Ports;

namespace WmfCi.LocalRunner;

/// <summary>Hands everything that an attempt says to its observer, one call at a time, and keeps its output within the bound.</summary>
internal sealed class AttemptLog(IAttemptObserver observer, long maxBytes) : IDisposable
{
    private const int TailBytes = 600;
    private readonly SemaphoreSlim _turn = new(1, 1);
    private readonly Queue<byte> _tail = new(TailBytes);
    private long _kept;
    private long _dropped;

    /// <summary>The last line or so of the output, for a message about a sandbox that could not be set up.</summary>
    public string Tail
    {
        get
        {
            lock (_tail) return string.Concat(Encoding.UTF8.GetString(_tail.ToArray()).Trim().Select(c => char.IsControl(c) ? ' ' : c));
        }
    }

    public async Task StepStartedAsync(string step, CancellationToken cancellationToken)
    {
        lock (_tail) _tail.Clear();
        await InTurnAsync(() => observer.StepStartedAsync(step, cancellationToken), cancellationToken);
    }

    public Task AsideAsync(string title, CancellationToken cancellationToken) => InTurnAsync(() => observer.AsideAsync(title, cancellationToken), cancellationToken);

    public Task NoteAsync(string line, CancellationToken cancellationToken) => InTurnAsync(() => observer.NoteAsync(line, cancellationToken), cancellationToken);

    public async Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        Remember(bytes.Span);
        var room = (int)Math.Min(bytes.Length, maxBytes - _kept);
        if (room > 0) await InTurnAsync(() => observer.OutputAsync(bytes[..room], cancellationToken), cancellationToken);
        _kept += room;
        if (room == bytes.Length) return;
        if (_dropped == 0) await NoteAsync($"The log is full: it keeps {maxBytes} bytes of output. The stage goes on; what it prints from here is not kept. Print less, or write to a file and keep it as an artifact.", cancellationToken);
        _dropped += bytes.Length - room;
    }

    /// <summary>Says at the end how much was dropped, if anything was.</summary>
    public async Task FinishAsync(CancellationToken cancellationToken)
    {
        if (_dropped > 0) await NoteAsync(string.Create(CultureInfo.InvariantCulture, $"{_dropped} bytes of output were not kept, because the log was full."), cancellationToken);
    }

    public void Dispose() => _turn.Dispose();

    private void Remember(ReadOnlySpan<byte> bytes)
    {
        lock (_tail)
        {
            foreach (var b in bytes[Math.Max(0, bytes.Length - TailBytes)..])
            {
                if (_tail.Count == TailBytes) _tail.Dequeue();
                _tail.Enqueue(b);
            }
        }
    }

    private async Task InTurnAsync(Func<Task> call, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken);
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
