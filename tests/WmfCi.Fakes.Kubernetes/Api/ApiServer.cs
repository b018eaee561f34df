using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Api;

/// <summary>Answers requests as the API server does.</summary>
internal sealed class ApiServer(ObjectStore store, Faults faults, LogEndpoint logs, string token, string version)
{
    /// <summary>How many lists may be read page by page at once.</summary>
    private const int MaxContinued = 100;

    private readonly WatchEndpoint _watches = new(store, faults);
    private readonly ConcurrentDictionary<string, (long Version, JsonObject[] Items)> _continued = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Uid, string Owner), JsonObject> _applied = new();

    /// <summary>How many requests came, by verb and kind.</summary>
    public ConcurrentDictionary<string, int> Requests { get; } = new(StringComparer.Ordinal);

    /// <summary>The same of one namespace.</summary>
    public ConcurrentDictionary<(string Space, string Verb, string Plural), int> RequestsIn { get; } = new();

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            await AnswerAsync(http);
        }
        catch (StatusException status) when (!http.Response.HasStarted)
        {
            if (status.RetryAfter is { } wait) http.Response.Headers.RetryAfter = wait.ToString(CultureInfo.InvariantCulture);
            await WriteAsync(http, status.Code, status.Status());
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // Nobody listens.
        }
    }

    /// <summary>Forgets the pages of lists, as a compaction does.</summary>
    public void ForgetPages() => _continued.Clear();

    private static Task WriteAsync(HttpContext http, int code, JsonNode answer)
    {
        http.Response.StatusCode = code;
        http.Response.ContentType = "application/json";
        return http.Response.WriteAsync(answer.ToJsonString(), http.RequestAborted);
    }

    private async Task AnswerAsync(HttpContext http)
    {
        if (http.Request.Headers.Authorization.ToString() != $"Bearer {token}") throw new StatusException(401, "Unauthorized", "Unauthorized");
        if (http.Request.Path.Value is "/version" or "/version/")
        {
            var numbers = version.Split('.');
            await WriteAsync(http, 200, new JsonObject { ["major"] = numbers[0], ["minor"] = numbers[1], ["gitVersion"] = $"v{version}", ["platform"] = "linux/amd64" });
            return;
        }
        var call = ApiCall.Of(http) ?? throw new StatusException(404, "NotFound", "the server could not find the requested resource");
        Requests.AddOrUpdate($"{call.Verb} {call.Resource.Plural}", 1, (_, count) => count + 1);
        if (call.Space is { } space) RequestsIn.AddOrUpdate((space, call.Verb, call.Resource.Plural), 1, (_, count) => count + 1);
        var fault = faults.Take(call.Verb, call.Resource.Plural, call.Space);
        if (fault is { IsCarriedOut: false })
        {
            Fail(http, fault);
            return;
        }
        if (faults.IsDenied(call.Verb, call.Resource.Plural))
        {
            var right = $"cannot {call.Verb} resource \"{call.Resource.Plural}\" in API group \"{call.Resource.Group}\" in the namespace \"{call.Space}\"";
            throw StatusException.Forbidden(call.Resource, call.Name ?? "", $"User \"stand-in\" {right}");
        }
        if (call.Verb == "watch") await _watches.ServeAsync(call);
        else if (call.Verb == "log") await logs.ServeAsync(call);
        else
        {
            var (code, answer) = await CarryOutAsync(call);
            if (fault is not null) Fail(http, fault);
            else await WriteAsync(http, code, answer);
        }
    }

    private static void Fail(HttpContext http, RequestFault fault)
    {
        if (fault.Status == 0) http.Abort();
        else throw Failure(fault);
    }

    private static StatusException Failure(RequestFault fault) => new(
        fault.Status,
        fault.Status switch { 429 => "TooManyRequests", 410 => "Expired", 403 => "Forbidden", 409 => "Conflict", 404 => "NotFound", _ => "InternalError" },
        $"the stand-in was told to answer {fault.Status}")
    { RetryAfter = fault.RetryAfter };

    private async Task<(int Code, JsonNode Answer)> CarryOutAsync(ApiCall call)
    {
        var (resource, space, name) = (call.Resource, call.Space, call.Name);
        switch (call.Verb)
        {
            case "list": return (200, List(call));
            case "get": return (200, store.Get(resource, space, name!));
            case "create" when resource == Resource.Reviews: return (201, Review((JsonObject)(await call.BodyAsync())!));
            case "create": return (201, Create(call, (JsonObject)(await call.BodyAsync())!));
            case "update":
                var given = (JsonObject)(await call.BodyAsync())!;
                return (200, Change(call, _ => given.Copy()));
            case "patch": return await PatchAsync(call);
            default:
                var options = await call.BodyAsync() as JsonObject ?? Options(call);
                if (name is null)
                {
                    foreach (var item in store.List(resource, space).Items.Where(call.Selectors.Match)) Deletion.Delete(store, resource, item, options, !call.IsDry);
                    return (200, new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Success" });
                }
                var gone = store.Locked(() =>
                {
                    var item = store.Get(resource, space, name);
                    Deletion.Delete(store, resource, item, options, !call.IsDry);
                    return item;
                });
                // A pod is answered with as it was, at once or not.
                if (resource == Resource.Pods) return (200, store.Find(resource, space, name) ?? gone.Copy());
                var details = new JsonObject { ["name"] = name, ["kind"] = resource.Plural, ["uid"] = gone.Uid() };
                return (200, store.Find(resource, space, name) ?? new JsonObject { ["kind"] = "Status", ["apiVersion"] = "v1", ["status"] = "Success", ["details"] = details });
        }
    }

    private static JsonObject Options(ApiCall call)
    {
        var options = new JsonObject();
        if (call.Query["propagationPolicy"].ToString() is { Length: > 0 } policy) options["propagationPolicy"] = policy;
        if (long.TryParse(call.Query["gracePeriodSeconds"], out var grace)) options["gracePeriodSeconds"] = grace;
        return options;
    }

    private JsonObject Create(ApiCall call, JsonObject given) => store.Locked(() =>
    {
        if (call.Space is not null) store.Get(Resource.Namespaces, null, call.Space);
        if (given.Name() is { } name && store.Find(call.Resource, call.Space, name) is not null) throw StatusException.AlreadyExists(call.Resource, name);
        var item = Admission.Admit(store, call.Resource, call.Space, given);
        if (call.Resource == Resource.Jobs) Defaults.JobLabels(item);
        return store.Add(call.Resource, item, !call.IsDry);
    });

    private JsonObject Change(ApiCall call, Func<JsonObject, JsonObject> change) => store.Change(
        call.Resource,
        call.Space,
        call.Name!,
        copy =>
        {
            var before = copy.Copy();
            var after = change(copy);
            if (after.Text("metadata", "resourceVersion") is { Length: > 0 } known && known != before.Text("metadata", "resourceVersion")) throw StatusException.Conflict(call.Resource, call.Name!);
            // What only the server says stays as it is; so does the other part of what has two.
            foreach (var own in (string[])["uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds", "resourceVersion", "generation"])
            {
                if (own == "uid" && after.Text("metadata", "uid") is { } uid && uid != before.Uid()) continue;
                if (before["metadata"]![own] is { } value) after.Ensure("metadata")[own] = value.DeepClone();
            }
            if (call.Part == "status")
            {
                before["status"] = after["status"]?.DeepClone();
                return before;
            }
            if (call.Resource.HasStatus) after["status"] = before["status"]?.DeepClone();
            Admission.CheckChange(call.Resource, before, after);
            return after;
        },
        !call.IsDry);

    private async Task<(int Code, JsonNode Answer)> PatchAsync(ApiCall call)
    {
        var body = (await call.BodyAsync())!;
        var type = call.Http.Request.ContentType?.Split(';')[0];
        switch (type)
        {
            case "application/merge-patch+json" or "application/strategic-merge-patch+json": return (200, Change(call, item => Patching.Merge(item, (JsonObject)body)));
            case "application/json-patch+json": return (200, Change(call, item => Patching.Json(item, (JsonArray)body)));
            case "application/apply-patch+yaml":
                var owner = call.Query["fieldManager"].ToString();
                if (owner.Length == 0) throw StatusException.BadRequest("PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch");
                var wanted = (JsonObject)body;
                if (store.Find(call.Resource, call.Space, call.Name!) is not { } there)
                {
                    var made = Create(call, wanted);
                    _applied[(made.Uid(), owner)] = wanted;
                    return (201, made);
                }
                var applied = Change(call, item => Patching.Apply(item, _applied.GetValueOrDefault((there.Uid(), owner)), wanted));
                _applied[(there.Uid(), owner)] = wanted;
                return (200, applied);
            default: throw new StatusException(415, "UnsupportedMediaType", $"the body of the request was in an unknown format: {type}");
        }
    }

    private JsonObject List(ApiCall call)
    {
        var (version, rest) = Rest(call);
        var limit = int.TryParse(call.Query["limit"], out var asked) && asked > 0 ? asked : int.MaxValue;
        var metadata = new JsonObject { ["resourceVersion"] = version.ToString(CultureInfo.InvariantCulture) };
        if (rest.Length > limit)
        {
            if (_continued.Count > MaxContinued) _continued.Clear();
            var next = Guid.NewGuid().ToString("N");
            _continued[next] = (version, rest[limit..]);
            metadata["continue"] = next;
            metadata["remainingItemCount"] = rest.Length - limit;
        }
        return new JsonObject
        {
            ["kind"] = call.Resource.Kind + "List",
            ["apiVersion"] = call.Resource.ApiVersion,
            ["metadata"] = metadata,
            ["items"] = new JsonArray([.. rest.Take(limit).Select(Listed)]),
        };
    }

    private static JsonNode Listed(JsonObject item)
    {
        var copy = item.Copy();
        copy.Remove("kind");
        copy.Remove("apiVersion");
        return copy;
    }

    private (long Version, JsonObject[] Items) Rest(ApiCall call)
    {
        if (call.Query["continue"].ToString() is { Length: > 0 } token)
            return _continued.TryRemove(token, out var continued) ? continued : throw StatusException.Expired("The provided continue parameter is too old to display a consistent list result.");
        var (version, items) = store.List(call.Resource, call.Space);
        return (version, [.. items.Where(call.Selectors.Match)]);
    }

    private JsonObject Review(JsonObject review)
    {
        var asked = review.At("spec", "resourceAttributes");
        review["status"] = new JsonObject { ["allowed"] = !faults.IsDenied(asked.Text("verb") ?? "", asked.Text("resource") ?? "") };
        return review;
    }
}
