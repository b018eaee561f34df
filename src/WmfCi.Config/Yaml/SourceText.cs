using System.Text;

namespace WmfCi.Config.Yaml;

/// <summary>A file's text, with its lines as Git, Gerrit and editors count them (YAML itself counts more characters as line ends).</summary>
internal sealed class SourceText
{
    private static readonly UTF8Encoding _strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private readonly List<int> _lineStarts = [0];

    private SourceText(string text)
    {
        Text = text;
        for (var i = text.IndexOf('\n', StringComparison.Ordinal); i >= 0; i = text.IndexOf('\n', i + 1)) _lineStarts.Add(i + 1);
    }

    public string Text { get; }

    public int LineCount => _lineStarts.Count;

    /// <summary>Takes text as it is, without checks: to show its lines.</summary>
    public static SourceText ToShow(string text) => new(WithoutMark(text));

    /// <summary>Takes text that was decoded already.</summary>
    /// <returns>Null after telling why it is refused.</returns>
    public static SourceText? Of(string text, Mistakes mistakes)
    {
        if (text.Length > YamlLimits.FileBytes || Encoding.UTF8.GetByteCount(text) > YamlLimits.FileBytes) return TooLarge(mistakes);
        var source = ToShow(text);
        var nul = source.Text.IndexOf('\0', StringComparison.Ordinal);
        if (nul < 0) return source;
        mistakes.Add(source.PositionOf(nul), "The file has a NUL character.", "Save it as plain text in UTF-8.");
        return null;
    }

    /// <summary>Decodes a file.</summary>
    /// <returns>Null after telling why it is refused.</returns>
    public static SourceText? Of(ReadOnlySpan<byte> bytes, Mistakes mistakes)
    {
        if (bytes.Length > YamlLimits.FileBytes) return TooLarge(mistakes);
        if (bytes.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) || bytes.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            mistakes.Add(Position.Start, "The file is written in UTF-16.", "Save it in UTF-8.");
            return null;
        }

        try
        {
            return Of(_strict.GetString(bytes), mistakes);
        }
        catch (DecoderFallbackException broken)
        {
            var before = bytes[..Math.Clamp(broken.Index, 0, bytes.Length)];
            var line = before.Count((byte)'\n') + 1;
            var column = Encoding.UTF8.GetCharCount(before[(before.LastIndexOf((byte)'\n') + 1)..]) + 1;
            mistakes.Add(new Position(line, column), "The file is not UTF-8 here.", "Save it in UTF-8, in most editors a choice under “save with encoding”.");
            return null;
        }
    }

    /// <summary>Where a character stands.</summary>
    public Position PositionOf(long index)
    {
        var at = (int)Math.Clamp(index, 0, Text.Length);
        var found = _lineStarts.BinarySearch(at);
        var line = found >= 0 ? found : ~found - 1;
        return new Position(line + 1, at - _lineStarts[line] + 1);
    }

    /// <summary>A line without its end; empty past the last.</summary>
    public string Line(int number)
    {
        if (number < 1 || number > _lineStarts.Count) return "";
        var start = _lineStarts[number - 1];
        var end = number < _lineStarts.Count ? _lineStarts[number] - 1 : Text.Length;
        return Text[start..end].TrimEnd('\r');
    }

    private static SourceText? TooLarge(Mistakes mistakes)
    {
        mistakes.Add(
            Position.Start,
            $"The file is larger than {YamlLimits.FileBytes / 1024} KiB.",
            "Move long commands into scripts in the repository and call those.");
        return null;
    }

    private static string WithoutMark(string text) => text.StartsWith('\uFEFF') ? text[1..] : text;
}
