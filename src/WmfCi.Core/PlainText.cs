using System.Globalization;
using System.Text;

namespace WmfCi.Core;

/// <summary>
/// Makes text from outside fit to be shown among our own: no control characters (a terminal would obey them, and a database refuses NUL), no overrides of the
/// reading direction (they make one name look like another), no half characters, and a length that we chose.
/// </summary>
public static class PlainText
{
    /// <summary>What stands for a character that may not be shown.</summary>
    public const char Replacement = '\uFFFD';

    private const char Escape = '\u001B';
    private const char Ellipsis = '…';

    /// <summary>One line: line breaks and tabs become spaces, colours of terminals disappear.</summary>
    /// <param name="text">Any text, however long; only what is shown is looked at.</param>
    /// <param name="maxLength">In UTF-16 units, without the ellipsis that marks a cut.</param>
    public static string Line(string text, int maxLength) => Clean(text, maxLength, keepsLines: false);

    /// <summary>Several lines: line breaks and tabs stay.</summary>
    /// <param name="text">Any text, however long; only what is shown is looked at.</param>
    /// <param name="maxLength">In UTF-16 units, without the ellipsis that marks a cut.</param>
    public static string Lines(string text, int maxLength) => Clean(text, maxLength, keepsLines: true);

    /// <summary>The longest beginning of a text that has no more than so many bytes in UTF-8; whole lines where there are any.</summary>
    public static string Cut(string text, int maxBytes)
    {
        if (text.Length <= maxBytes && Encoding.UTF8.GetByteCount(text) <= maxBytes) return text;
        var (length, bytes) = (0, 0);
        foreach (var rune in text.EnumerateRunes())
        {
            bytes += rune.Utf8SequenceLength;
            if (bytes > maxBytes) break;
            length += rune.Utf16SequenceLength;
        }
        var lineEnd = length == 0 ? -1 : text.LastIndexOf('\n', length - 1);
        // A single line that fills nearly everything is cut where the space ends.
        return text[..(lineEnd > length / 2 ? lineEnd + 1 : length)];
    }

    private static string Clean(string text, int maxLength, bool keepsLines)
    {
        var result = new StringBuilder(Math.Min(text.Length, maxLength) + 1);
        for (var at = 0; at < text.Length;)
        {
            if (SkipColour(text, ref at)) continue;
            // Half of a surrogate pair reads as the replacement character, and counts as one.
            if (Rune.DecodeFromUtf16(text.AsSpan(at), out var rune, out var consumed) != System.Buffers.OperationStatus.Done) rune = Rune.ReplacementChar;
            at += consumed;
            if (rune.Value == '\r' && at < text.Length && text[at] == '\n') continue;
            if (result.Length + rune.Utf16SequenceLength > maxLength) return result.Append(Ellipsis).ToString();
            if (rune.Value is '\n' or '\t') result.Append(keepsLines ? (char)rune.Value : ' ');
            else if (IsForbidden(rune)) result.Append(Replacement);
            else result.Append(rune.ToString());
        }
        return result.ToString();
    }

    private static bool IsForbidden(Rune rune) =>
        Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        || rune.Value is 0x061C or 0x200E or 0x200F or (>= 0x202A and <= 0x202E) or (>= 0x2066 and <= 0x2069) or 0xFEFF;

    // ESC [ parameters final: what programs print to colour a terminal.
    private static bool SkipColour(string text, ref int at)
    {
        if (text[at] != Escape || at + 1 >= text.Length || text[at + 1] != '[') return false;
        var end = at + 2;
        while (end < text.Length && text[end] is >= ' ' and <= '?') end++;
        if (end >= text.Length || text[end] is < '@' or > '~') return false;
        at = end + 1;
        return true;
    }
}
