using System.Buffers.Text;
using System.Collections.Immutable;

namespace WmfCi.Git;

/// <summary>The parts of a commit that merging needs, as bytes where the encoding is unknown.</summary>
internal sealed record CommitData(ObjectName Id, ObjectName Tree, ImmutableArray<ObjectName> Parents)
{
    /// <summary>Author, as the line has it: name, address, seconds, zone.</summary>
    public ReadOnlyMemory<byte> Author { get; private init; }

    /// <summary>The committer's time, in seconds since 1970.</summary>
    public long CommitTime { get; init; }

    /// <summary>The committer's offset from UTC as the commit has it, <c>+0200</c>.</summary>
    public string Zone { get; private init; } = "+0000";

    /// <summary>The <c>encoding</c> line's value, empty where there is none.</summary>
    public ReadOnlyMemory<byte> Encoding { get; private init; }

    /// <summary>Everything after the first empty line.</summary>
    public ReadOnlyMemory<byte> Message { get; private init; }

    public static CommitData Parse(ObjectName id, byte[] data)
    {
        ObjectName tree = default;
        var parents = ImmutableArray.CreateBuilder<ObjectName>();
        ReadOnlyMemory<byte> author = default, committer = default, encoding = default;
        var at = 0;
        while (at < data.Length && data[at] != '\n')
        {
            var end = data.AsSpan(at).IndexOf((byte)'\n');
            var line = data.AsMemory(at, end < 0 ? data.Length - at : end);
            at += line.Length + 1;
            if (Value(line, "tree "u8) is { } named) tree = Name(named);
            else if (Value(line, "parent "u8) is { } parent) parents.Add(Name(parent));
            else if (Value(line, "author "u8) is { } by) author = by;
            else if (Value(line, "committer "u8) is { } from) committer = from;
            else if (Value(line, "encoding "u8) is { } charset) encoding = charset;
        }

        var (seconds, zone) = Time(committer.Span);
        return new CommitData(id, tree, parents.ToImmutable())
        {
            Author = author,
            CommitTime = seconds,
            Zone = zone,
            Encoding = encoding,
            Message = at < data.Length ? data.AsMemory(at + 1) : default,
        };
    }

    private static ReadOnlyMemory<byte>? Value(ReadOnlyMemory<byte> line, ReadOnlySpan<byte> key) =>
        line.Span.StartsWith(key) ? line[key.Length..] : (ReadOnlyMemory<byte>?)null;

    private static ObjectName Name(ReadOnlyMemory<byte> hex) => ObjectName.Parse(System.Text.Encoding.Latin1.GetString(hex.Span));

    private static (long Seconds, string Zone) Time(ReadOnlySpan<byte> identity)
    {
        var rest = identity[(identity.LastIndexOf((byte)'>') + 1)..].TrimStart((byte)' ');
        if (!Utf8Parser.TryParse(rest, out long seconds, out var used)) return (0, "+0000");
        var zone = rest[used..].Trim((byte)' ');
        return (seconds, zone.Length == 5 && zone[0] is (byte)'+' or (byte)'-' ? System.Text.Encoding.Latin1.GetString(zone) : "+0000");
    }
}
