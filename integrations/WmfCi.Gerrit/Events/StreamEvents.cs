using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using WmfCi.Core.Changes;
using WmfCi.Gerrit.Rest;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Events;

/// <summary>
/// Which change a line of <c>stream-events</c> asks to look at. Nothing else is taken from it: what an event says may be old by
/// the time it is read, and lacks half (tags, account numbers, comments at patch-set level).
/// </summary>
internal static partial class StreamEvents
{
    /// <summary>The type of lines that are no event.</summary>
    public const string Malformed = "malformed";

    /// <summary>What stands in the place of a line that is too long to be kept.</summary>
    public const string TooLongLine = """{"type":"too-long"}""";

    private const int MaxDepth = 32;
    private const int MaxTypeLength = 100;

    private static readonly JsonDocumentOptions Json = new() { MaxDepth = MaxDepth };
    private static readonly StreamLine MalformedLine = new(Malformed, null);

    /// <inheritdoc cref="ICodeReview.Understand"/>
    public static StreamLine Understand(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line, Json);
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object || Text(root, "type") is not { Length: > 0 and <= MaxTypeLength } type || type.Any(char.IsControl)) return MalformedLine;
            if (root.TryGetProperty("change", out var change)) return Change(change) is { } id ? new StreamLine(type, id) : MalformedLine;
            if (root.TryGetProperty("refUpdate", out var update)) return OfRef(type, update, Text(update, "project"));
            if (root.TryGetProperty("refUpdates", out var updates)) return OfRefs(type, updates, Text(root, "project"));
            return new StreamLine(type, null);
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or ArgumentException)
        {
            // InvalidOperationException: a string with half a surrogate pair, which is found only when it is read.
            return MalformedLine;
        }
    }

    private static ChangeId? Change(JsonElement change) =>
        Text(change, "project") is { } project && GerritPath.IsProject(project) && Number(change) is { } number ? new ChangeId(project, number) : null;

    // Gerrit before 2.16 wrote numbers as strings; some relays still do.
    private static int? Number(JsonElement change)
    {
        if (!change.TryGetProperty("number", out var element)) return null;
        var known = element.ValueKind switch
        {
            JsonValueKind.Number => element.TryGetInt32(out var number) ? number : 0,
            JsonValueKind.String => int.TryParse(element.GetString(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0,
            _ => 0,
        };
        return known > 0 ? known : null;
    }

    private static StreamLine OfRef(string type, JsonElement update, string? project)
    {
        if (update.ValueKind != JsonValueKind.Object || Text(update, "refName") is not { } name || project is null || !GerritPath.IsProject(project)) return MalformedLine;
        return new StreamLine(type, MetaOf(project, name));
    }

    private static StreamLine OfRefs(string type, JsonElement updates, string? project)
    {
        if (updates.ValueKind != JsonValueKind.Array) return MalformedLine;
        StreamLine? last = null;
        foreach (var update in updates.EnumerateArray())
        {
            last = OfRef(type, update, Text(update, "project") ?? project);
            if (last.Change is not null) return last;
        }
        return last ?? new StreamLine(type, null);
    }

    /// <summary>Every modification of a change moves its meta ref, whatever else is emitted or not; patch sets move it too.</summary>
    private static ChangeId? MetaOf(string project, string refName)
    {
        var match = MetaRef().Match(refName);
        return match.Success
            && int.TryParse(match.Groups["number"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            && int.Parse(match.Groups["shard"].ValueSpan, CultureInfo.InvariantCulture) == number % 100
            ? new ChangeId(project, number)
            : null;
    }

    private static string? Text(JsonElement element, string name) =>
        element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    [GeneratedRegex(@"\Arefs/changes/(?<shard>[0-9]{2})/(?<number>[1-9][0-9]{0,9})/meta\z", RegexOptions.NonBacktracking)]
    private static partial Regex MetaRef();
}
