using System.Globalization;
using System.Text;

namespace WmfCi.Config.Yaml;

/// <summary>How mistakes speak.</summary>
internal static class Wording
{
    private const int LongestQuote = 60;
    private const int LongestCompared = 64;

    /// <summary>Text from a file as it may stand in a message: one line, short, nothing that a terminal or a page could obey.</summary>
    public static string Quote(string text)
    {
        var cut = text.Length > LongestQuote ? text[..LongestQuote] : text;
        return $"`{Harmless(cut)}{(text.Length > LongestQuote ? "…" : "")}`";
    }

    /// <summary>Replaces control and direction characters and broken halves of characters, one for one, so that columns stay.</summary>
    public static string Harmless(string text)
    {
        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                result.Append(text, i++, 2);
                continue;
            }

            result.Append(char.GetUnicodeCategory(text[i]) switch
            {
                _ when text[i] is '\t' => ' ',
                UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.Surrogate or UnicodeCategory.LineSeparator
                    or UnicodeCategory.ParagraphSeparator => '\u00B7',
                _ => text[i],
            });
        }

        return result.ToString();
    }

    /// <summary>The known name that was most likely meant, or null.</summary>
    public static string? Nearest(string written, IEnumerable<string> known)
    {
        if (written.Length > LongestCompared) return null;
        var lower = written.ToLowerInvariant();
        var best = known.Select(name => (name, distance: Distance(lower, name.ToLowerInvariant()))).OrderBy(pair => pair.distance).FirstOrDefault();
        return best.name is { } found && best.distance <= Math.Max(1, Math.Min(written.Length, found.Length) / 3) ? found : null;
    }

    /// <summary>Names for a sentence: <c>`a`, `b` or `c`</c>.</summary>
    public static string Choice(IReadOnlyList<string> names) => names.Count switch
    {
        0 => "nothing",
        1 => $"`{names[0]}`",
        _ => string.Join(", ", names.Take(names.Count - 1).Select(name => $"`{name}`")) + $" or `{names[^1]}`",
    };

    /// <summary>Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.</summary>
    private static int Distance(string from, string to)
    {
        var cost = new int[from.Length + 1, to.Length + 1];
        for (var i = 0; i <= from.Length; i++) cost[i, 0] = i;
        for (var j = 0; j <= to.Length; j++) cost[0, j] = j;
        for (var i = 1; i <= from.Length; i++)
        {
            for (var j = 1; j <= to.Length; j++)
            {
                var replace = cost[i - 1, j - 1] + (from[i - 1] == to[j - 1] ? 0 : 1);
                cost[i, j] = Math.Min(replace, Math.Min(cost[i - 1, j], cost[i, j - 1]) + 1);
                var swapped = i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1];
                if (swapped) cost[i, j] = Math.Min(cost[i, j], cost[i - 2, j - 2] + 1);
            }
        }

        return cost[from.Length, to.Length];
    }
}
