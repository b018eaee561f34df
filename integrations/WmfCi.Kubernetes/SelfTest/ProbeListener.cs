using System.Diagnostics;
using System.Text;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Hears what a stage of probes says. What it prints is no more trusted than any step's output.</summary>
internal sealed class ProbeListener : IAttemptObserver
{
    private const int MaxBytes = 64 * 1024;
    private readonly Lock _lock = new();
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private readonly List<byte> _output = [];

    /// <summary>How long it took until the first step; null before.</summary>
    public TimeSpan? FirstStep { get; private set; }

    /// <summary>When the clock's probe was heard.</summary>
    public DateTimeOffset? ClockHeard { get; private set; }

    /// <summary>What it said last that it waits for.</summary>
    public string Waits { get; private set; } = "";

    /// <summary>The results of probes by their names; of two of one name the first.</summary>
    public IReadOnlyDictionary<string, string> Results
    {
        get
        {
            var results = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var line in Text().Split('\n'))
                if (line.Split('\t') is ["probe", var name, var result]) results.TryAdd(name, Core.PlainText.Line(result, 200));
            return results;
        }
    }

    /// <summary>The last line that it printed.</summary>
    public string LastLine => Core.PlainText.Line(Text().TrimEnd().Split('\n')[^1], 200);

    public Task StepStartedAsync(string step, CancellationToken cancellationToken)
    {
        FirstStep ??= _clock.Elapsed;
        return Task.CompletedTask;
    }

    public Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        lock (_lock) _output.AddRange(bytes.Span[..Math.Min(bytes.Length, MaxBytes - _output.Count)]);
        if (ClockHeard is null && Text().Contains("probe\tclock\t", StringComparison.Ordinal)) ClockHeard = TimeProvider.System.GetUtcNow();
        return Task.CompletedTask;
    }

    public Task NoteAsync(string line, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task WaitingAsync(string reason, CancellationToken cancellationToken)
    {
        Waits = reason;
        return Task.CompletedTask;
    }

    public Task AsideAsync(string title, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task RestartAsync(CancellationToken cancellationToken)
    {
        lock (_lock) _output.Clear();
        return Task.CompletedTask;
    }

    private string Text()
    {
        lock (_lock) return Encoding.UTF8.GetString([.. _output]);
    }
}
