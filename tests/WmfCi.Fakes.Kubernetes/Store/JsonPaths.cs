using System.Text.Json.Nodes;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>Short ways into objects.</summary>
internal static class JsonPaths
{
    public static JsonNode? At(this JsonNode? node, params ReadOnlySpan<string> path)
    {
        foreach (var step in path) node = (node as JsonObject)?[step];
        return node;
    }

    public static string? Text(this JsonNode? node, params ReadOnlySpan<string> path) => node.At(path) is JsonValue value ? value.ToString() : null;

    public static long? Number(this JsonNode? node, params ReadOnlySpan<string> path) => long.TryParse(node.Text(path), out var number) ? number : null;

    public static bool IsTrue(this JsonNode? node, params ReadOnlySpan<string> path) => node.Text(path) is "true";

    public static IEnumerable<JsonObject> Each(this JsonNode? node, params ReadOnlySpan<string> path) => (node.At(path) as JsonArray)?.OfType<JsonObject>() ?? [];

    public static JsonObject Copy(this JsonObject node) => (JsonObject)node.DeepClone();

    /// <summary>The object at the path, made where there is none.</summary>
    public static JsonObject Ensure(this JsonObject node, params ReadOnlySpan<string> path)
    {
        foreach (var step in path)
        {
            if (node[step] is not JsonObject next) node[step] = next = [];
            node = next;
        }
        return node;
    }

    public static string? Name(this JsonObject item) => item.Text("metadata", "name");

    public static string? Space(this JsonObject item) => item.Text("metadata", "namespace");

    public static string Uid(this JsonObject item) => item.Text("metadata", "uid") ?? "";

    public static bool IsDeleting(this JsonObject item) => item.At("metadata", "deletionTimestamp") is not null;

    public static string Seconds(this DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);
}
