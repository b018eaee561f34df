using System.Text.RegularExpressions;

namespace WmfCi.Service.Pages;

/// <summary>Why something was set aside, as far as everybody may read it. The whole reason is for operators, on the command line.</summary>
public static partial class QuarantineReason
{
    /// <summary>How much of it is shown.</summary>
    public const int MaxLength = 400;

    private const string Removed = "[removed]";

    /// <summary>The first line of a reason, without what looks like a secret.</summary>
    public static string ForEverybody(string reason)
    {
        var line = Words.Cut(reason.AsSpan().Trim().ToString().Split('\n', 2)[0].TrimEnd(), MaxLength);
        line = Credentials().Replace(line, "://" + Removed + "@");
        line = Query().Replace(line, "?" + Removed);
        line = Named().Replace(line, "${name}" + Removed);
        return Token().Replace(line, Removed);
    }

    // NonBacktracking: the text is anybody's, and the time stays in proportion to its length.
    [GeneratedRegex(@"://[^/\s@]*@", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Credentials();

    [GeneratedRegex(@"\?[^\s?]*=[^\s]*", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Query();

    [GeneratedRegex(@"(?<name>(?:password|passwd|secret|token|authorization|cookie|bearer|basic)(?:\s*[=:]\s*|\s+)|key\s*[=:]\s*)(?:(?:bearer|basic)\s+)?[^\s,;]+", RegexOptions.NonBacktracking | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Named();

    // Whatever is longer than any word and than a SHA-1: keys, cookies. Digests go with them, which harms nobody.
    [GeneratedRegex(@"[A-Za-z0-9+_=\-]{41,}", RegexOptions.NonBacktracking | RegexOptions.CultureInvariant)]
    private static partial Regex Token();
}
