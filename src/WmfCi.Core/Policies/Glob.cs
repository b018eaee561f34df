namespace WmfCi.Core.Policies;

/// <summary>Patterns in which <c>*</c> stands for any characters and everything else for itself.</summary>
public static class Glob
{
    /// <summary>Whether the whole text matches; takes time in proportion to the lengths of both, multiplied, at worst.</summary>
    /// <param name="pattern">The pattern.</param>
    /// <param name="text">The text.</param>
    /// <param name="ignoreCase">Whether case does not matter.</param>
    public static bool Matches(string pattern, string text, bool ignoreCase = false)
    {
        var (p, t, star, mark) = (0, 0, -1, 0);
        while (t < text.Length)
        {
            if (p < pattern.Length && pattern[p] == '*')
            {
                (star, mark) = (p++, t);
            }
            else if (p < pattern.Length && Same(pattern[p], text[t], ignoreCase))
            {
                p++;
                t++;
            }
            else if (star >= 0)
            {
                (p, t) = (star + 1, ++mark);
            }
            else
            {
                return false;
            }
        }

        return pattern.AsSpan(p).TrimStart('*').IsEmpty;
    }

    private static bool Same(char one, char other, bool ignoreCase) => ignoreCase ? char.ToUpperInvariant(one) == char.ToUpperInvariant(other) : one == other;
}
