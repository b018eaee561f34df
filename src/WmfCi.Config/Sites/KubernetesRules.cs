using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Sites;

/// <summary>What is wrong with a text about a cluster, one rule for each kind of text.</summary>
internal static partial class KubernetesRules
{
    /// <summary>The length of the name in a label's key, and of its value.</summary>
    private const int LabelLength = 63;

    private const RegexOptions Linear = RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture;

    /// <summary>The program's image; a matrix has no place here, and the worker's own programs are no image.</summary>
    public static Fault? Image(string text) => text == PipelineRules.Host || PipelineRules.FilledImage(text) is not null
        ? new($"must be the reference of an image, not {Wording.Quote(text)}")
        : null;

    public static Fault? Listen(string text)
    {
        if (SiteRules.Url(text) is { } fault) return fault with { Advice = $"Write for example `{KubernetesLimits.Listen}`." };
        var url = new Uri(text);
        return url.AbsolutePath != "/" ? new("must end after the port", $"Write `{url.GetLeftPart(UriPartial.Authority)}`.") : null;
    }

    /// <summary>A label's key: a name, perhaps after a domain and a slash.</summary>
    public static Fault? LabelKey(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var isGood = (slash < 0 || DnsName.Subdomain(text[..slash]) is null) && text.Length - slash - 1 <= LabelLength && LabelName().IsMatch(text.AsSpan(slash + 1));
        return isGood ? null : new("is no key of a label or taint", "Write for example `kubernetes.io/os` or `disk`.");
    }

    public static Fault? LabelValue(string text) => text.Length <= LabelLength && (text.Length == 0 || LabelName().IsMatch(text))
        ? null
        : new($"must be at most {LabelLength} letters, digits, dashes, underscores and dots that begin and end with a letter or digit", "Write for example `ssd`.");

    public static Fault? Range(string text)
    {
        const string Example = "Write for example `192.0.2.10/32` for one address, or `198.51.100.0/24`.";
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var known = RangeCharacters().IsMatch(text) && IPAddress.TryParse(slash < 0 ? text : text[..slash], out var one) ? one : null;
        if (known is null) return new($"must be a range of addresses, not {Wording.Quote(text)}", Example);
        var bits = known.AddressFamily == AddressFamily.InterNetwork ? 32 : 128;
        if (slash < 0) return new($"must be a range of addresses, not {Wording.Quote(text)}", $"Write `{known}/{bits}` for this one address.");
        if (!IPNetwork.TryParse(text, out var range)) return new($"must be a range of addresses, not {Wording.Quote(text)}", Example);
        if (range.PrefixLength == 0) return new("takes in every address", "Leave it out: stages without `network: true` reach nothing anyway.");
        if (known.IsIPv4MappedToIPv6) return new("has an IPv4 address within an IPv6 address", "Write the IPv4 range itself.");
        // Forms such as 10.1/16 and 010.0.0.0/8 mean different things to different programs, and 10.1.2.3/8 to different people.
        var isWrittenOut = bits == 32 ? range.ToString() == text : range.BaseAddress.Equals(known);
        return isWrittenOut ? null : new($"must be a range that begins with its first address, not {Wording.Quote(text)}", $"Write `{range}` for the range, or `{known}/{bits}` for one address.");
    }

    [GeneratedRegex(@"^[0-9a-fA-F:.]+(/[0-9]{1,3})?\z", Linear)]
    private static partial Regex RangeCharacters();

    [GeneratedRegex(@"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\z", Linear)]
    private static partial Regex LabelName();
}
