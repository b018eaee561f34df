using YamlDotNet.Core;

namespace WmfCi.Config.Yaml;

/// <summary>Says what a YAML parser's complaint means for somebody who does not know its grammar.</summary>
internal static class SyntaxAdvice
{
    private const int LongestReason = 200;

    private static readonly (string Sign, string Advice)[] _known =
    [
        ("mapping values are not allowed", "A colon and a space make a key: put the whole text in quotes, or check the indentation of this line."),
        ("did not find expected key", "Check the indentation of this line and the one above: keys of one map begin in the same column."),
        ("did not find expected '-'", "Items of a list begin with `- ` in the same column: check the indentation of this line and the one above."),
        ("block sequence entries are not allowed", "A list begins on the line after its key, each item with `- `."),
        ("could not find expected ':'", "Write `key: value`; a long text belongs in quotes or in a block that begins with `|`."),
        ("quoted scalar", "A quotation mark is not closed: add the missing one."),
        ("flow sequence", "A bracket is not closed, or a command begins with `[`: close it, or put the command in quotes."),
        ("flow mapping", "A brace is not closed, or a text begins with `{`: close it, or put the text in quotes."),
        ("cannot start any token", "This character has a meaning in YAML: put the whole text in quotes."),
        ("alias", "A star has a meaning in YAML: put the whole text in quotes."),
        ("anchor", "An ampersand has a meaning in YAML: put the whole text in quotes."),
        ("tag", "An exclamation mark has a meaning in YAML: put the whole text in quotes."),
        ("directive", "A percent sign at the beginning of a line has a meaning in YAML: put the text in quotes."),
        ("escape", "Within double quotes a backslash begins an escape: write `\\\\` for a backslash, or use single quotes."),
    ];

    public static void Tell(YamlException mistake, SourceText source, Mistakes mistakes)
    {
        var at = source.PositionOf(mistake.Start.Index);
        if (Tab(source, at.Line) is { } tab)
        {
            mistakes.Add(tab, "A tab stands where YAML wants spaces.", "Indent with spaces only, two for each level.");
            return;
        }

        var reason = mistake.Message.Length > LongestReason ? mistake.Message[..LongestReason] : mistake.Message;
        reason = Wording.Harmless(reason).Trim().TrimEnd('.');
        var advice = Array.Find(_known, known => reason.Contains(known.Sign, StringComparison.OrdinalIgnoreCase)).Advice;
        if (reason.Length > 0) reason = char.ToLowerInvariant(reason[0]) + reason[1..];
        mistakes.Add(at, $"This is not YAML: {reason}.", advice ?? "Check the indentation, quotes and brackets of this line and the one above.");
    }

    /// <summary>The parser names the line after an indented tab as often as the line itself, so the neighbours are looked at too.</summary>
    private static Position? Tab(SourceText source, int line)
    {
        foreach (var number in (int[])[line, line - 1, line + 1])
        {
            var text = source.Line(number);
            var indentation = text.Length - text.TrimStart(' ', '\t').Length;
            var tab = text.AsSpan(0, indentation).IndexOf('\t');
            if (tab >= 0 && indentation < text.Length) return new Position(number, tab + 1);
        }

        return null;
    }
}
