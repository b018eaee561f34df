using System.Text;

namespace WmfCi.Git;

/// <summary>The path of an entry in a tree: bytes in no certain encoding, separated by <c>/</c>.</summary>
public sealed class GitPath : IEquatable<GitPath>
{
    private readonly byte[] bytes;

    internal GitPath(byte[] bytes) => this.bytes = bytes;

    /// <summary>The bytes as git has them.</summary>
    public ReadOnlyMemory<byte> Bytes => bytes;

    /// <summary>The path read as UTF-8; what is not UTF-8 becomes U+FFFD.</summary>
    public string Text => Encoding.UTF8.GetString(bytes);

    /// <summary>
    /// The path as git prints it: in double quotes, with C escapes and octal bytes, if it holds a control character, a quote, a backslash or a byte above 126;
    /// and, as in <c>git status --porcelain</c>, if it holds a space. Plain ASCII without line ends in any case.
    /// </summary>
    public string Quoted
    {
        get
        {
            if (bytes.Length > 0 && !bytes.AsSpan().ContainsAnyExceptInRange((byte)0x21, (byte)0x7e) && !bytes.AsSpan().ContainsAny((byte)'"', (byte)'\\'))
                return Encoding.ASCII.GetString(bytes);
            var text = new StringBuilder("\"");
            foreach (var one in bytes) AppendEscaped(text, one);
            return text.Append('"').ToString();
        }
    }

    internal static GitPath FromText(string text) => new(Encoding.UTF8.GetBytes(text));

    internal static GitPath Join(ReadOnlySpan<byte> folder, ReadOnlySpan<byte> name) => new([.. folder, .. name]);

    /// <inheritdoc/>
    public bool Equals(GitPath? other) => other is not null && bytes.AsSpan().SequenceEqual(other.bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as GitPath);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = default(HashCode);
        hash.AddBytes(bytes);
        return hash.ToHashCode();
    }

    /// <summary>The same as <see cref="Text"/>.</summary>
    public override string ToString() => Text;

    private static void AppendEscaped(StringBuilder text, byte one) => _ = one switch
    {
        (byte)'"' => text.Append("\\\""),
        (byte)'\\' => text.Append("\\\\"),
        7 => text.Append("\\a"),
        8 => text.Append("\\b"),
        9 => text.Append("\\t"),
        10 => text.Append("\\n"),
        11 => text.Append("\\v"),
        12 => text.Append("\\f"),
        13 => text.Append("\\r"),
        < 0x20 or > 0x7e => text.Append('\\').Append((char)('0' + (one >> 6))).Append((char)('0' + ((one >> 3) & 7))).Append((char)('0' + (one & 7))),
        _ => text.Append((char)one),
    };
}
