using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>A call: decoded path segments, query, body, and who calls.</summary>
internal sealed record RestRequest(string Method, IReadOnlyList<string> Path, IReadOnlyList<KeyValuePair<string, string>> Query, string Body, Account? User)
{
    /// <summary>Whether a body was sent at all; calls that take one refuse a POST without.</summary>
    public Account Who => User ?? throw new RefusedException(403, "Authentication required");

    public IEnumerable<string> All(string name) => Query.Where(q => q.Key == name).Select(q => q.Value);

    public string? First(string name) => All(name).FirstOrDefault();

    public bool Has(string name) => Query.Any(q => q.Key == name);

    public int Number(string name, int fallback)
    {
        if (First(name) is not { } text) return fallback;
        return int.TryParse(text, CultureInfo.InvariantCulture, out var number) && number >= 0
            ? number
            : throw new RefusedException(400, $"\"{text}\" is not a valid value for \"-{name}\"");
    }

    /// <summary>The JSON object of the body; empty for calls that may go without one.</summary>
    public JsonObject Input(bool optional = true)
    {
        if (Body.Length == 0) return optional ? [] : throw new RefusedException(400, "Expected JSON object");
        try
        {
            return JsonNode.Parse(Body) as JsonObject ?? throw new RefusedException(400, "Expected JSON object");
        }
        catch (JsonException)
        {
            throw new RefusedException(400, "Invalid application/json in request");
        }
    }
}

/// <summary>Fields of an input; a field of another type than expected is the caller's mistake.</summary>
internal static class InputFields
{
    public static string? Text(this JsonObject input, string name) => Read<string>(input, name);

    public static bool Flag(this JsonObject input, string name) => input[name] is not null && Read<bool>(input, name);

    public static int? Whole(this JsonObject input, string name) => input[name] is null ? null : Read<int>(input, name);

    public static IEnumerable<JsonNode> List(this JsonObject input, string name) =>
        input[name] is JsonArray list ? list.OfType<JsonNode>() : [];

    private static T? Read<T>(JsonObject input, string name)
    {
        if (input[name] is not { } node) return default;
        try
        {
            return node.GetValue<T>();
        }
        catch (Exception e) when (e is InvalidOperationException or FormatException)
        {
            throw new RefusedException(400, "Invalid application/json in request");
        }
    }
}
