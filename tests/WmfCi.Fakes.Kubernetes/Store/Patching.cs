using System.Text.Json.Nodes;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>What the ways of patching make of an object. A strategic merge is taken for a plain one: lists are replaced.</summary>
internal static class Patching
{
    public static JsonObject Merge(JsonObject item, JsonObject patch)
    {
        foreach (var (key, value) in patch)
        {
            if (value is null) item.Remove(key);
            else if (value is JsonObject inner) item[key] = Merge(item[key] is JsonObject old ? old.Copy() : [], inner);
            else item[key] = value.DeepClone();
        }
        return item;
    }

    /// <summary>Server-side apply: what the same owner applied before and now leaves out goes; the rest is merged.</summary>
    public static JsonObject Apply(JsonObject item, JsonObject? former, JsonObject wanted)
    {
        if (former is not null) Without(item, former, wanted);
        return Merge(item, wanted);
    }

    public static JsonObject Json(JsonObject item, JsonArray operations)
    {
        foreach (var operation in operations.OfType<JsonObject>())
        {
            var path = operation.Text("path")!.Split('/').Skip(1).Select(step => step.Replace("~1", "/", StringComparison.Ordinal).Replace("~0", "~", StringComparison.Ordinal)).ToArray();
            JsonNode? parent = item;
            foreach (var step in path[..^1]) parent = parent is JsonArray array ? array[int.Parse(step, System.Globalization.CultureInfo.InvariantCulture)] : parent?[step];
            if (parent is not JsonObject folder) throw Unprocessable(operation);
            switch (operation.Text("op"))
            {
                case "add" or "replace": folder[path[^1]] = operation["value"]?.DeepClone(); break;
                case "remove" when folder.Remove(path[^1]): break;
                case "test" when JsonNode.DeepEquals(folder[path[^1]], operation["value"]): break;
                default: throw Unprocessable(operation);
            }
        }
        return item;
    }

    private static StatusException Unprocessable(JsonObject operation) => new(422, "Invalid", $"the server rejected our request due to an error in our request: {operation.Text("op")} {operation.Text("path")} failed");

    private static void Without(JsonObject item, JsonObject former, JsonObject wanted)
    {
        foreach (var (key, value) in former)
        {
            if (key is "apiVersion" or "kind") continue;
            if (value is JsonObject inner && item[key] is JsonObject there) Without(there, inner, wanted[key] as JsonObject ?? []);
            else if (!wanted.ContainsKey(key)) item.Remove(key);
        }
    }
}
