using System.Buffers;
using System.Text;
using WmfCi.Core;
using WmfCi.Ports;

namespace WmfCi.Service.Local;

/// <summary>
/// What a person at a terminal sees: the output of the steps as it comes. With several stages at once each line begins with its stage. Nothing but text and
/// colours reaches the terminal, since a replay runs what strangers wrote.
/// </summary>
internal sealed class LocalOutput(Stream output, TimeProvider time)
{
    private const int MaxLine = 4096;
    private readonly Lock _turn = new();
    private bool _lineOpen;

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; } = time;

    /// <summary>Whether each line begins with its stage.</summary>
    public bool IsPrefixed { get; set; }

    /// <summary>Writes a line of our own.</summary>
    /// <param name="text">Any text; only what may be shown is.</param>
    public void Line(string text) => Write(Encoding.UTF8.GetBytes(PlainText.Line(text, MaxLine) + "\n"), isOwnLine: true);

    /// <summary>Where the output of an attempt goes.</summary>
    public StageOutput Begin(string stage) => new(this, PlainText.Line(stage, MaxLine));

    private void Write(ReadOnlySpan<byte> bytes, bool isOwnLine)
    {
        if (bytes.IsEmpty) return;
        lock (_turn)
        {
            if (isOwnLine && _lineOpen) output.WriteByte((byte)'\n');
            output.Write(bytes);
            output.Flush();
            _lineOpen = bytes[^1] != (byte)'\n';
        }
    }

    /// <summary>One attempt's part of it.</summary>
    internal sealed class StageOutput : IAttemptObserver, IDisposable
    {
        private const int MaxHeld = 16 * 1024;
        private readonly LocalOutput _whole;
        private readonly string _stage;
        private readonly byte[] _prefix;
        private readonly TerminalFilter _filter = new();
        private readonly ArrayBufferWriter<byte> _clean = new();
        private readonly List<byte> _line = [];

        public StageOutput(LocalOutput whole, string stage)
        {
            (_whole, _stage) = (whole, stage);
            _prefix = whole.IsPrefixed ? Encoding.UTF8.GetBytes(stage + " | ") : [];
        }

        public Task StepStartedAsync(string step, CancellationToken cancellationToken) => OwnAsync(_prefix.Length == 0 ? $"==> {_stage}: {step}" : $"==> {step}");

        public Task NoteAsync(string line, CancellationToken cancellationToken) => OwnAsync($"[wmfci] {line}");

        public Task AsideAsync(string title, CancellationToken cancellationToken) => StepStartedAsync(title, cancellationToken);

        public Task WaitingAsync(string reason, CancellationToken cancellationToken) => NoteAsync(reason, cancellationToken);

        public Task RestartAsync(CancellationToken cancellationToken) => NoteAsync("What follows begins again from the start, complete.", cancellationToken);

        public Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
        {
            _clean.ResetWrittenCount();
            _filter.Pass(bytes.Span, _clean);
            if (_prefix.Length == 0) _whole.Write(_clean.WrittenSpan, isOwnLine: false);
            else Hold(_clean.WrittenSpan);
            return Task.CompletedTask;
        }

        public void Dispose()
        {
            EndLine();
            if (_filter.TakeColoured()) _whole.Write("\e[0m"u8, isOwnLine: false);
        }

        private Task OwnAsync(string text)
        {
            EndLine();
            if (_filter.TakeColoured()) _whole.Write("\e[0m"u8, isOwnLine: false);
            _whole.Write([.. _prefix, .. Encoding.UTF8.GetBytes(PlainText.Line(text, MaxLine) + "\n")], isOwnLine: true);
            return Task.CompletedTask;
        }

        // Whole lines only, so that those of several stages do not mix; a progress bar's returns begin new ones.
        private void Hold(ReadOnlySpan<byte> bytes)
        {
            foreach (var one in bytes)
            {
                if (one is (byte)'\n' or (byte)'\r') EndLine();
                else _line.Add(one);
                if (_line.Count >= MaxHeld) EndLine();
            }
        }

        private void EndLine()
        {
            if (_line.Count == 0) return;
            _whole.Write([.. _prefix, .. _line, .. _filter.TakeColoured() ? "\e[0m\n"u8 : "\n"u8], isOwnLine: true);
            _line.Clear();
        }
    }
}
