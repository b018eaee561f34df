using System.Text.RegularExpressions;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Shapes;

/// <summary>Names as the DNS has them (RFC 1123), which Kubernetes takes for its own objects too.</summary>
internal static partial class DnsName
{
    /// <summary>Length of a label.</summary>
    public const int LabelLength = 63;

    /// <summary>Length of labels with dots between them.</summary>
    public const int SubdomainLength = 253;

    /// <summary>What the schema says of a label.</summary>
    public const string LabelPattern = "^" + LabelText + "$";

    private const string LabelText = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?";
    private const RegexOptions Linear = RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture;

    /// <summary>What is wrong with a name without dots; null for a good one.</summary>
    public static Fault? Label(string text)
    {
        if (text.Length > LabelLength) return new($"is longer than {LabelLength} characters", "Make it shorter.");
        return LabelExpression().IsMatch(text) ? null : Wrong(text, "lower-case letters, digits and dashes");
    }

    /// <summary>What is wrong with a name that may have dots; null for a good one.</summary>
    public static Fault? Subdomain(string text)
    {
        if (text.Length > SubdomainLength) return new($"is longer than {SubdomainLength} characters", "Make it shorter.");
        return SubdomainExpression().IsMatch(text) ? null : Wrong(text, "lower-case letters, digits, dashes and dots");
    }

    private static Fault Wrong(string text, string of)
    {
        var better = Others().Replace(text.ToLowerInvariant(), "-").Trim('-');
        return new(
            $"must be a name of {of} that begins and ends with a letter or digit, not {Wording.Quote(text)}",
            better.Length is > 0 and <= LabelLength ? $"Write for example `{better}`." : null);
    }

    [GeneratedRegex("^" + LabelText + @"\z", Linear)]
    private static partial Regex LabelExpression();

    [GeneratedRegex("^" + LabelText + @"(?:\." + LabelText + @")*\z", Linear)]
    private static partial Regex SubdomainExpression();

    [GeneratedRegex("[^a-z0-9]+", Linear)]
    private static partial Regex Others();
}
