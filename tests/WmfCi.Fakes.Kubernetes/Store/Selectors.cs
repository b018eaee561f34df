using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>What of a list or a watch is wanted.</summary>
internal sealed partial class Selectors(string? labels, string? fields, string? space)
{
    private readonly string[] _labels = string.IsNullOrEmpty(labels) ? [] : [.. Terms().Matches(labels).Select(term => term.Value.Trim()).Where(term => term.Length > 0)];
    private readonly string[] _fields = string.IsNullOrEmpty(fields) ? [] : fields.Split(',');

    public bool Match(JsonObject? item) =>
        item is not null && (space is null || item.Space() == space) && _labels.All(term => HasLabel(item.At("metadata", "labels"), term)) && _fields.All(term => HasField(item, term));

    private static bool HasLabel(JsonNode? labels, string term)
    {
        if (Set().Match(term) is { Success: true } set)
        {
            var values = set.Groups["values"].Value.Split(',', StringSplitOptions.TrimEntries);
            var value = labels.Text(set.Groups["key"].Value);
            return set.Groups["not"].Success ? value is null || !values.Contains(value) : value is not null && values.Contains(value);
        }
        if (term[0] == '!') return labels.Text(term[1..]) is null;
        var (key, wanted, isEqual) = Comparison(term);
        return wanted is null ? labels.Text(key) is not null : labels.Text(key) == wanted == isEqual;
    }

    private static bool HasField(JsonObject item, string term)
    {
        var (path, wanted, isEqual) = Comparison(term);
        return (item.Text(path.Split('.')) ?? "") == (wanted ?? "") == isEqual;
    }

    private static (string Key, string? Value, bool IsEqual) Comparison(string term)
    {
        var isEqual = !term.Contains("!=", StringComparison.Ordinal);
        var at = term.IndexOf(isEqual ? "=" : "!=", StringComparison.Ordinal);
        return at < 0 ? (term, null, true) : (term[..at].Trim(), term[at..].TrimStart('!', '=').Trim(), isEqual);
    }

    [GeneratedRegex(@"(?:[^,(]|\([^)]*\))+", RegexOptions.None, 60_000)]
    private static partial Regex Terms();

    [GeneratedRegex(@"^(?<key>\S+)\s+(?<not>not)?in\s*\((?<values>[^)]*)\)$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Set();
}
