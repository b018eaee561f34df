using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes;

/// <summary>Makes pieces of a container's output of the lines of its log, whichever of them are repeated or missing.</summary>
internal abstract class LogAssembly(long from, long most)
{
    /// <summary>The most bytes that are gathered before they are passed on.</summary>
    private const int MaxPiece = 64 * 1024;

    private readonly ArrayBufferWriter<byte> _piece = new();
    private long _missing;

    /// <summary>The offset after everything that was taken.</summary>
    public long Next { get; private set; } = from;

    /// <summary>How many lines were not understood.</summary>
    public long Foreign { get; set; }

    /// <summary>When the last line that was taken was printed.</summary>
    public DateTime? Time { get; protected set; }

    /// <summary>A new connection begins; lines may come that were there before.</summary>
    public virtual void Connected()
    {
    }

    /// <summary>Takes a line of the log: a time, a space, the text.</summary>
    /// <returns>A piece that is full.</returns>
    public LogPiece? Take(in ReadOnlySequence<byte> line, bool isEnded = true)
    {
        var bytes = line.IsSingleSegment ? line.FirstSpan : line.ToArray();
        var space = bytes.IndexOf((byte)' ');
        if (space < 0 || !TryTime(bytes[..space], out var time))
        {
            Foreign++;
            return null;
        }
        return TakeText(time, bytes[(space + 1)..], isEnded);
    }

    /// <summary>What was gathered.</summary>
    public LogPiece? Flush()
    {
        if (_piece.WrittenCount == 0) return null;
        var piece = new LogPiece(Next - _piece.WrittenCount, _piece.WrittenSpan.ToArray(), _missing);
        _piece.ResetWrittenCount();
        _missing = 0;
        return piece;
    }

    /// <summary>Takes the text of a line.</summary>
    protected abstract LogPiece? TakeText(DateTime time, ReadOnlySpan<byte> text, bool isEnded);

    /// <summary>Passes output on, from where it has not been taken yet.</summary>
    protected LogPiece? Add(long offset, ReadOnlySpan<byte> output)
    {
        var end = Math.Min(offset + output.Length, most);
        if (end <= Next) return null;
        LogPiece? former = null;
        if (offset > Next)
        {
            former = Flush();
            _missing = offset - Next;
            Next = offset;
        }
        output = output[(int)(Next - offset)..(int)(end - offset)];
        _piece.Write(output);
        Next = end;
        return former ?? (_piece.WrittenCount >= MaxPiece ? Flush() : null);
    }

    private static bool TryTime(ReadOnlySpan<byte> text, out DateTime time)
    {
        // Nanoseconds are more than a DateTime takes: the digits after the seventh are cut off.
        Span<char> letters = stackalloc char[40];
        time = default;
        if (text.Length is < 20 or > 40 || !Encoding.ASCII.TryGetChars(text, letters, out var length)) return false;
        return DateTime.TryParse(letters[..length], CultureInfo.InvariantCulture, DateTimeStyles.AdjustToUniversal | DateTimeStyles.AssumeUniversal, out time);
    }
}

/// <summary>The log of a step: frames with offsets.</summary>
internal sealed class FramedLog(long from, long most) : LogAssembly(from, most)
{
    private readonly long _most = most;

    protected override LogPiece? TakeText(DateTime time, ReadOnlySpan<byte> text, bool isEnded)
    {
        // An offset beyond all bounds is not ours, and would make everything after it look old.
        if (!isEnded || !LogFrame.TryRead(text, out var frame) || frame.Offset > _most)
        {
            if (isEnded) Foreign++;
            return null;
        }
        Time = time;
        return Add(frame.Offset, frame.Bytes.Span);
    }
}

/// <summary>The log of anything: lines are the same when time and text are.</summary>
internal sealed class PlainLog(long most) : LogAssembly(0, most)
{
    /// <summary>The most lines of the last second that are remembered. Beyond, lines that are not later than the last one count as repeated.</summary>
    private const int MaxRemembered = 20_000;

    private readonly HashSet<(long, UInt128)> _lastSecond = [];
    private bool _mayRepeat;

    public override void Connected() => _mayRepeat = Time is not null;

    protected override LogPiece? TakeText(DateTime time, ReadOnlySpan<byte> text, bool isEnded)
    {
        if (IsRepeated(time, text)) return null;
        if (Time is null || Second(time) > Second(Time.Value)) _lastSecond.Clear();
        if (Time is null || time > Time) Time = time;
        if (_lastSecond.Count < MaxRemembered) _lastSecond.Add(Fingerprint(time, text));
        if (!isEnded) return Add(Next, text);
        var whole = new byte[text.Length + 1];
        text.CopyTo(whole);
        whole[^1] = (byte)'\n';
        return Add(Next, whole);
    }

    private static long Second(DateTime time) => time.Ticks / TimeSpan.TicksPerSecond;

    private static (long, UInt128) Fingerprint(DateTime time, ReadOnlySpan<byte> text) =>
        (time.Ticks, BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(text)));

    private bool IsRepeated(DateTime time, ReadOnlySpan<byte> text)
    {
        if (!_mayRepeat || Time is not { } last) return false;
        if (Second(time) > Second(last)) return _mayRepeat = false;
        if (Second(time) < Second(last)) return true;
        return _lastSecond.Contains(Fingerprint(time, text)) || (_lastSecond.Count == MaxRemembered && time <= last);
    }
}
