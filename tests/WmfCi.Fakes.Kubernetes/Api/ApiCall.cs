using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Api;

/// <summary>What a request asks for.</summary>
internal sealed record ApiCall(HttpContext Http, Resource Resource, string? Space, string? Name, string? Part)
{
    public IQueryCollection Query => Http.Request.Query;

    public bool IsWatch => Name is null && Query["watch"].ToString() is "1" or "true";

    public bool IsDry => Query["dryRun"].ToString() is "All";

    public string Verb => (Http.Request.Method, Name, Part) switch
    {
        ("GET", _, "log") => "log",
        ("GET", null, _) => IsWatch ? "watch" : "list",
        ("GET", _, _) => "get",
        ("POST", _, _) => "create",
        ("PUT", _, _) => "update",
        ("PATCH", _, _) => "patch",
        ("DELETE", _, _) => "delete",
        _ => throw new StatusException(405, "MethodNotAllowed", "the server does not allow this method on the requested resource"),
    };

    public Selectors Selectors => new(Query["labelSelector"], Query["fieldSelector"], Space);

    /// <summary>Reads a path; null where nothing is there.</summary>
    public static ApiCall? Of(HttpContext http)
    {
        var path = http.Request.Path.Value!.Split('/', StringSplitOptions.RemoveEmptyEntries).Select(Uri.UnescapeDataString).ToArray();
        var (group, rest) = path switch
        {
            ["api", "v1", .. var core] => ("", core),
            ["apis", var named, "v1", .. var others] => (named, others),
            _ => (null, []),
        };
        if (group is null) return null;
        if (rest is ["namespaces", var space, var plural, ..] && Find(group, plural) is { IsNamespaced: true } within)
            return new ApiCall(http, within, space, rest.ElementAtOrDefault(3), rest.ElementAtOrDefault(4));
        return rest is [var all, ..] && Find(group, all) is { } resource ? new ApiCall(http, resource, null, rest.ElementAtOrDefault(1), rest.ElementAtOrDefault(2)) : null;
    }

    public async Task<JsonNode?> BodyAsync()
    {
        if (Http.Request.ContentLength is 0 or null && Http.Request.Headers.TransferEncoding.Count == 0 && Http.Request.Protocol == "HTTP/1.1") return null;
        using var reader = new StreamReader(Http.Request.Body);
        var text = await reader.ReadToEndAsync(Http.RequestAborted);
        return text.Length == 0 ? null : JsonNode.Parse(text);
    }

    private static Resource? Find(string group, string plural) => Resource.All.FirstOrDefault(resource => resource.Group == group && resource.Plural == plural);
}
