using System.Buffers.Text;

namespace WmfCi.Workspaces.Wire;

/// <summary>
/// One line of a step's container log: <c>OFFSET+text</c> for a whole line or its end, <c>OFFSET-text</c> for a piece whose line goes on. The offset is the piece's
/// place in the step's output, in bytes, so that whoever follows a log over broken connections and rotated files knows exactly what it has and what it lacks: times are
/// rounded and repeat. A frame stays below the 4 KiB from which old kubelets write times into the middle of lines.
/// </summary>
/// <param name="Offset">The place of its first byte.</param>
/// <param name="Bytes">The output, with its line end.</param>
public readonly record struct LogFrame(long Offset, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>The most bytes of output in a frame.</summary>
    public const int MaxBytes = 3900;

    /// <summary>The most bytes that a frame has around its output.</summary>
    public const int Overhead = 22;

    /// <summary>Writes as much of the output as fits into one frame.</summary>
    /// <param name="offset">The place of the first byte.</param>
    /// <param name="output">What was printed; not empty.</param>
    /// <param name="frame">Room for <see cref="MaxBytes"/> and <see cref="Overhead"/>.</param>
    /// <param name="taken">How much of the output is in the frame.</param>
    /// <returns>The length of the frame.</returns>
    public static int Write(long offset, ReadOnlySpan<byte> output, Span<byte> frame, out int taken)
    {
        var end = output[..Math.Min(output.Length, MaxBytes)].IndexOf((byte)'\n');
        var isEnded = end >= 0;
        var text = isEnded ? end : Math.Min(output.Length, MaxBytes);
        Utf8Formatter.TryFormat(offset, frame, out var length);
        frame[length++] = isEnded ? (byte)'+' : (byte)'-';
        output[..text].CopyTo(frame[length..]);
        length += text;
        frame[length++] = (byte)'\n';
        taken = isEnded ? text + 1 : text;
        return length;
    }

    /// <summary>Reads a line of a container's log, without its line end.</summary>
    /// <returns>False where it is no frame.</returns>
    public static bool TryRead(ReadOnlySpan<byte> line, out LogFrame frame)
    {
        frame = default;
        if (!Utf8Parser.TryParse(line, out long offset, out var digits) || offset < 0 || line[0] is < (byte)'0' or > (byte)'9' || line.Length == digits) return false;
        var text = line[(digits + 1)..];
        switch (line[digits])
        {
            case (byte)'+':
                var whole = new byte[text.Length + 1];
                text.CopyTo(whole);
                whole[^1] = (byte)'\n';
                frame = new LogFrame(offset, whole);
                return true;
            case (byte)'-':
                frame = new LogFrame(offset, text.ToArray());
                return true;
            default:
                return false;
        }
    }
}
