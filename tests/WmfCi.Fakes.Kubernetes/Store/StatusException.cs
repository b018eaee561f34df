using System.Text.Json.Nodes;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>What the API server answers instead of an object.</summary>
internal sealed class StatusException(int code, string reason, string message, JsonObject? details = null) : Exception(message)
{
    public int Code => code;

    public int? RetryAfter { get; init; }

    public JsonObject Status() => new()
    {
        ["kind"] = "Status",
        ["apiVersion"] = "v1",
        ["metadata"] = new JsonObject(),
        ["status"] = "Failure",
        ["message"] = Message,
        ["reason"] = reason,
        ["details"] = details?.Copy() ?? (RetryAfter is { } wait ? new JsonObject { ["retryAfterSeconds"] = wait } : null),
        ["code"] = code,
    };

    public static StatusException NotFound(Resource resource, string name) =>
        new(404, "NotFound", $"{resource.Qualified} \"{name}\" not found", Details(resource, name));

    public static StatusException AlreadyExists(Resource resource, string name) =>
        new(409, "AlreadyExists", $"{resource.Qualified} \"{name}\" already exists", Details(resource, name));

    public static StatusException Conflict(Resource resource, string name, string? why = null) => new(
        409,
        "Conflict",
        $"Operation cannot be fulfilled on {resource.Qualified} \"{name}\": {why ?? "the object has been modified; please apply your changes to the latest version and try again"}",
        Details(resource, name));

    public static StatusException Forbidden(Resource resource, string name, string why) =>
        new(403, "Forbidden", $"{resource.Qualified} \"{name}\" is forbidden: {why}", Details(resource, name));

    public static StatusException Expired(string message) => new(410, "Expired", message);

    public static StatusException BadRequest(string message) => new(400, "BadRequest", message);

    public static StatusException Invalid(Resource resource, string name, params (string Field, string Message)[] causes)
    {
        var details = Details(resource, name);
        details["kind"] = resource.Kind;
        details["causes"] = new JsonArray([.. causes.Select(cause => new JsonObject { ["reason"] = "FieldValueInvalid", ["message"] = cause.Message, ["field"] = cause.Field })]);
        var all = string.Join(", ", causes.Select(cause => $"{cause.Field}: {cause.Message}"));
        return new StatusException(422, "Invalid", $"{resource.Kind} \"{name}\" is invalid: {all}", details);
    }

    private static JsonObject Details(Resource resource, string name) => new() { ["name"] = name, ["group"] = resource.Group, ["kind"] = resource.Plural };
}
