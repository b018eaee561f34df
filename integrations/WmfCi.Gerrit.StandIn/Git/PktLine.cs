using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>git's packet lines (gitprotocol-common): four hexadecimal digits of length, then the content; <c>0000</c> is a flush.</summary>
internal static class PktLine
{
    private const int MaxLength = 65_520;
    private const int SideBandContent = 65_515;

    public static readonly byte[] Flush = "0000"u8.ToArray();

    /// <summary>The next line's content; null at a flush. The stream is left right behind it.</summary>
    public static async Task<byte[]?> ReadAsync(Stream stream, CancellationToken ct)
    {
        var head = new byte[4];
        await stream.ReadExactlyAsync(head, ct);
        if (!Utf8Parser.TryParse(head, out int length, out var used, 'x') || used != 4) throw new InvalidDataException("a packet line without a length");
        if (length == 0) return null;
        if (length is < 4 or > MaxLength) throw new InvalidDataException($"a packet line of {length} bytes");
        var content = new byte[length - 4];
        await stream.ReadExactlyAsync(content, ct);
        return content;
    }

    public static byte[] Line(string text) => Line(Encoding.UTF8.GetBytes(text));

    public static byte[] Line(ReadOnlySpan<byte> content)
    {
        var line = new byte[content.Length + 4];
        Encoding.ASCII.GetBytes((content.Length + 4).ToString("x4", CultureInfo.InvariantCulture), line);
        content.CopyTo(line.AsSpan(4));
        return line;
    }

    /// <summary>Writes content in a side band: 1 is data, 2 is text for the person.</summary>
    public static async Task SideBandAsync(Stream stream, byte band, ReadOnlyMemory<byte> content, CancellationToken ct)
    {
        for (var at = 0; at < content.Length; at += SideBandContent)
        {
            var part = content.Slice(at, Math.Min(SideBandContent, content.Length - at));
            var banded = new byte[part.Length + 1];
            banded[0] = band;
            part.CopyTo(banded.AsMemory(1));
            await stream.WriteAsync(Line(banded), ct);
        }
    }
}
