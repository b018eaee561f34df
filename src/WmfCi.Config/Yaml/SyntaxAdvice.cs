using System.Buffers;
using YamlDotNet.Core;

namespace WmfCi.Config.Yaml;

/// <summary>Says what a YAML parser's complaint means for somebody who does not know its grammar.</summary>
internal static class SyntaxAdvice
{
    private const int LongestReason = 200;

    private const string Colon = "A colon and a space make a key: put the whole text in quotes, or check the indentation of this line.";
    private const string Otherwise = "Check the indentation, quotes and brackets of this line and the one above.";
    private const string Unclosed = "Close it with the same kind, or put the text that begins with it in quotes.";

    private static readonly SearchValues<char> _opening = SearchValues.Create("[{\"'");

    private static readonly (string Sign, string Advice)[] _known =
    [
        ("mapping values are not allowed", Colon),
        ("found invalid mapping", Colon),
        ("did not find expected key", "Check the indentation of this line and the one above: keys of one map begin in the same column."),
        ("did not find expected '-'", "Items of a list begin with `- ` in the same column: check the indentation of this line and the one above."),
        ("sequence entries are not allowed", "A list begins on the line after its key, each item with `- `."),
        ("could not find expected ':'", "Write `key: value`; a long text belongs in quotes or in a block that begins with `|`."),
        ("escape", "Within double quotes a backslash begins an escape: write `\\\\` for a backslash, or use single quotes."),
        ("surrogate", "Remove the escape `\\uD…`, which is half of a character."),
        ("hexadecimal", "Within double quotes a backslash begins an escape: write `\\\\` for a backslash, or use single quotes."),
        (
            "wrong indentation",
            "The next lines of a quoted text are indented more than its key: write the text in one line, or in a block that begins with `|`."),
        ("quoted scalar", "A quotation mark is not closed: add the missing one."),
        ("flow", "A bracket or brace is not closed, or a text begins with one: close it, or put the text in quotes."),
        ("cannot start any token", "This character has a meaning in YAML: put the whole text in quotes."),
        ("anchor or alias", "A star or ampersand at the beginning has a meaning in YAML: put the whole text in quotes."),
        ("tag", "An exclamation mark has a meaning in YAML: put the whole text in quotes."),
        ("directive", "A percent sign at the beginning of a line has a meaning in YAML: put the text in quotes."),
        ("tab", "Indent with spaces only, two for each level."),
    ];

    /// <summary>Tells what stopped the parser.</summary>
    /// <param name="stop">The parser's complaint, or whatever else it threw.</param>
    /// <param name="at">Where it was.</param>
    /// <param name="bracket">The innermost bracket or brace that was open.</param>
    /// <param name="source">The file.</param>
    /// <param name="mistakes">Where it is told.</param>
    public static void Tell(Exception stop, Position at, Position? bracket, SourceText source, Mistakes mistakes)
    {
        var isTab = stop is YamlException && stop.Message.Contains("tab", StringComparison.OrdinalIgnoreCase);
        if (Tab(source, at.Line, isTab ? source.LineCount : at.Line + 1) is { } tab)
        {
            mistakes.Add(tab, "A tab stands where YAML wants spaces.", "Indent with spaces only, two for each level.");
            return;
        }

        if (bracket is { } opened && (opened.Line < at.Line || stop is not YamlException))
        {
            mistakes.Add(opened, "This bracket or brace is not closed, or not everything in it fits.", Unclosed);
            return;
        }

        if (bracket is null && !stop.Message.Contains("quoted scalar", StringComparison.OrdinalIgnoreCase) && BeginsLikeList(source.Line(at.Line)))
        {
            mistakes.Add(
                at,
                "YAML ends the text or list before this, and the line goes on.",
                "Put the whole command in quotes, or write it after a `|` on the next line.");
            return;
        }

        if (stop is not YamlException)
        {
            mistakes.Add(at, "From here on the file is not YAML.", Otherwise);
            return;
        }

        var reason = stop.Message.Length > LongestReason ? stop.Message[..LongestReason] : stop.Message;
        reason = Wording.Harmless(reason).Trim().TrimEnd('.');
        var advice = Array.Find(_known, known => reason.Contains(known.Sign, StringComparison.OrdinalIgnoreCase)).Advice;
        if (reason.Length > 0) reason = char.ToLowerInvariant(reason[0]) + reason[1..];
        mistakes.Add(at, $"This is not YAML: {reason}.", advice ?? Otherwise);
    }

    /// <summary>The parser names the line after an indented tab as often as the line itself, and the beginning of the map when it knows about the
    /// tab.</summary>
    private static Position? Tab(SourceText source, int line, int last)
    {
        for (var number = Math.Max(1, line - 1); number <= last; number++)
        {
            var text = source.Line(number);
            var indentation = text.Length - text.TrimStart(' ', '\t').Length;
            var tab = text.AsSpan(0, indentation).IndexOf('\t');
            if (tab >= 0 && indentation < text.Length) return new Position(number, tab + 1);
        }

        return null;
    }

    /// <summary>Whether the value on the line begins with what opens a bracket or a quotation and goes on after its end, as <c>[ -f x ] &amp;&amp;
    /// y</c>.</summary>
    private static bool BeginsLikeList(string line)
    {
        var value = line.TrimStart().TrimStart('-').TrimStart();
        var colon = value.IndexOf(": ", StringComparison.Ordinal);
        if (colon >= 0 && !value.AsSpan(0, colon).ContainsAny(_opening)) value = value[(colon + 1)..].TrimStart();
        return value.Length > 0 && _opening.Contains(value[0]);
    }
}
