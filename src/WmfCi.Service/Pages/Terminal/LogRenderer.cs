using System.Buffers;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>A place in a log at which a line begins, and all that is needed to go on from there.</summary>
/// <param name="Byte">How many bytes are before it.</param>
/// <param name="Line">How many lines are before it.</param>
/// <param name="Anchor">Where the stored piece begins that has the place in it or ends there.</param>
/// <param name="Style">The style in force.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct LogPlace(long Byte, long Line, long Anchor, TextStyle Style)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Byte}.{Line}.{Anchor}.{Style}");

    /// <summary>Reads what <see cref="ToString"/> wrote; it comes back from the reader's program, so it may be anything.</summary>
    public static bool TryParse(string? text, out LogPlace place)
    {
        place = default;
        var parts = text?.Split('.') ?? [];
        if (parts.Length != 4 || !Count(parts[0], out var bytes) || !Count(parts[1], out var line) || !Count(parts[2], out var anchor)) return false;
        if (anchor > bytes || line > bytes || !TextStyle.TryParse(parts[3], out var style)) return false;
        place = new LogPlace(bytes, line, anchor, style);
        return true;
    }

    private static bool Count(string text, out long value) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);
}

/// <summary>
/// Turns the bytes of a log into rows of HTML, as they come: colours become classes, carriage returns overwrite, every other escape sequence and control character
/// goes. Pieces may be cut anywhere, also within a character or an escape sequence.
/// </summary>
/// <param name="start">Where the bytes begin.</param>
/// <param name="linkPrefix">What stands before <c>#L12</c> in the link of a line, such as <c>?from=1</c>; must be safe in an attribute.</param>
public sealed class LogRenderer(LogPlace start, string linkPrefix = "")
{
    private const int MaxSequence = 64;
    private const int DecodedAtOnce = 1024;

    private static readonly SearchValues<char> s_styleSequence = SearchValues.Create("0123456789;:");

    private readonly TerminalLine _line = new();
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly char[] _decoded = new char[DecodedAtOnce + 2];
    private readonly StringBuilder _sequence = new();
    private TextStyle _style = start.Style;
    private State _state;

    private enum State
    {
        Text,
        Escape,
        Intermediate,
        Control,
        String,
    }

    /// <summary>Where the line begins that has not ended yet. <see cref="LogPlace.Anchor"/> is what the reader set.</summary>
    public LogPlace LineStart { get; private set; } = start;

    /// <summary>How many bytes were taken, counted from the log's beginning.</summary>
    public long Position { get; private set; } = start.Byte;

    /// <summary>Whether there is a line that has begun and not ended.</summary>
    public bool HasPartial => Position > LineStart.Byte;

    /// <summary>Takes bytes.</summary>
    /// <param name="bytes">The next ones.</param>
    /// <param name="rows">Gets a row for each line that ends in them.</param>
    public void Feed(ReadOnlySpan<byte> bytes, ICollection<string> rows)
    {
        while (!bytes.IsEmpty)
        {
            var end = bytes.IndexOf((byte)'\n');
            var part = end < 0 ? bytes : bytes[..end];
            Decode(part, flush: end >= 0);
            Position += part.Length;
            if (end < 0) return;
            Position++;
            rows.Add(Row());
            NextLine();
            bytes = bytes[(end + 1)..];
        }
    }

    /// <summary>The row of the line that has begun, as it stands; null when none has.</summary>
    public string? Partial() => HasPartial ? Row() : null;

    /// <summary>The log has ended, perhaps within a line.</summary>
    /// <returns>The row of that line; null when it ended with the end of a line.</returns>
    public string? Finish()
    {
        if (!HasPartial) return null;
        Decode([], flush: true);
        var row = Row();
        NextLine();
        return row;
    }

    /// <summary>Notes where the stored piece begins in which the current line begins.</summary>
    public void SetAnchor(long anchor) => LineStart = LineStart with { Anchor = anchor };

    /// <summary>Renders text that stands by itself, such as an excerpt, without line numbers.</summary>
    public static string Inline(string text)
    {
        var renderer = new LogRenderer(default);
        renderer.Decode(Encoding.UTF8.GetBytes(text), flush: true);
        var html = new StringBuilder();
        renderer._line.WriteHtml(html);
        return html.ToString();
    }

    private string Row()
    {
        var number = LineStart.Line + 1;
        var html = new StringBuilder(160);
        html.Append(CultureInfo.InvariantCulture, $"<li id=\"L{number}\"><a href=\"{linkPrefix}#L{number}\" tabindex=\"-1\" aria-label=\"Line {number}\">{number}</a><code>");
        _line.WriteHtml(html);
        return html.Append("</code></li>").ToString();
    }

    private void NextLine()
    {
        _line.Clear();
        // What a terminal would go on swallowing after the end of a line (a title that never ends) would hide the rest of the log.
        _state = State.Text;
        LineStart = LineStart with { Byte = Position, Line = LineStart.Line + 1, Style = _style };
    }

    private void Decode(ReadOnlySpan<byte> bytes, bool flush)
    {
        do
        {
            var some = bytes[..Math.Min(bytes.Length, DecodedAtOnce)];
            bytes = bytes[some.Length..];
            var count = _decoder.GetChars(some, _decoded, flush && bytes.IsEmpty);
            foreach (var rune in _decoded.AsSpan(0, count).EnumerateRunes()) Take(rune);
        }
        while (!bytes.IsEmpty);
    }

    private void Take(Rune rune)
    {
        switch (_state)
        {
            case State.Text:
                TakeText(rune);
                break;
            case State.Escape:
                TakeEscape(rune.Value);
                break;
            case State.Intermediate:
                if (rune.Value is < 0x20 or > 0x2f) _state = State.Text;
                break;
            case State.Control:
                TakeControl(rune);
                break;
            case State.String:
                if (rune.Value is 0x07 or 0x9c) _state = State.Text;
                else if (rune.Value == 0x1b) _state = State.Escape;
                break;
        }
    }

    private void TakeText(Rune rune)
    {
        switch (rune.Value)
        {
            case 0x1b:
                _state = State.Escape;
                break;
            case 0x9b:
                BeginControl();
                break;
            case 0x90 or 0x98 or 0x9d or 0x9e or 0x9f:
                _state = State.String;
                break;
            case '\r':
                _line.Return();
                break;
            case '\b':
                _line.Back();
                break;
            case '\t':
                _line.Put(rune, _style);
                break;
            case < 0x20 or (>= 0x7f and <= 0x9f):
                break;
            case var value when IsDeceptive(value):
                foreach (var sign in string.Create(CultureInfo.InvariantCulture, $"U+{value:X4}")) _line.Put(new Rune(sign), new TextStyle(0, 0, TextMarks.Stand));
                break;
            default:
                _line.Put(rune, _style);
                break;
        }
    }

    // The direction marks (which make a line read other than it is), the line separators, and the invisible tags.
    private static bool IsDeceptive(int value) =>
        value is 0x061c or (>= 0x200e and <= 0x200f) or (>= 0x2028 and <= 0x202e) or (>= 0x2066 and <= 0x2069) or (>= 0xe0000 and <= 0xe007f);

    private void TakeEscape(int value)
    {
        switch (value)
        {
            case '[':
                BeginControl();
                break;
            case ']' or 'P' or 'X' or '^' or '_':
                _state = State.String;
                break;
            case >= 0x20 and <= 0x2f:
                _state = State.Intermediate;
                break;
            case 0x1b:
                break;
            default:
                _state = State.Text;
                break;
        }
    }

    private void BeginControl()
    {
        _state = State.Control;
        _sequence.Clear();
    }

    private void TakeControl(Rune rune)
    {
        switch (rune.Value)
        {
            case >= 0x20 and <= 0x3f:
                if (_sequence.Length < MaxSequence) _sequence.Append((char)rune.Value);
                else if (_sequence.Length == MaxSequence) _sequence.Append('!');
                break;
            case >= 0x40 and <= 0x7e:
                _state = State.Text;
                Execute((char)rune.Value);
                break;
            case 0x1b:
                _state = State.Escape;
                break;
            default:
                // A broken sequence ends here; what broke it is text.
                _state = State.Text;
                TakeText(rune);
                break;
        }
    }

    private void Execute(char final)
    {
        var parameters = _sequence.ToString();
        if (final == 'm' && !parameters.AsSpan().ContainsAnyExcept(s_styleSequence)) _style = _style.Apply(parameters);
        if (final != 'K') return;
        if (parameters is "" or "0") _line.EraseRight();
        else if (parameters == "1") _line.EraseLeft();
        else if (parameters == "2") _line.EraseAll();
    }
}
