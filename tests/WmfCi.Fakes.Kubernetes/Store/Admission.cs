using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>What the API server does to a new object, and when it refuses it.</summary>
internal static partial class Admission
{
    /// <summary>Names it, fills in what is missing, and refuses what is invalid.</summary>
    public static JsonObject Admit(ObjectStore store, Resource resource, string? space, JsonObject given)
    {
        var item = given.Copy();
        item["apiVersion"] = resource.ApiVersion;
        item["kind"] = resource.Kind;
        var metadata = item.Ensure("metadata");
        if (space is not null) CheckSpace(store, resource, space, metadata);
        if (metadata.Text("name") is null or "" && metadata.Text("generateName") is { Length: > 0 } prefix) metadata["name"] = prefix + Suffix();
        Validate(resource, item);
        metadata["uid"] = Guid.NewGuid().ToString();
        metadata["creationTimestamp"] = store.Time.GetUtcNow().Seconds();
        metadata.Remove("resourceVersion");
        metadata.Remove("deletionTimestamp");
        if (resource.HasStatus)
        {
            metadata["generation"] = 1;
            item.Remove("status");
        }
        if (resource == Resource.Pods) Defaults.Pod(store, item);
        if (resource == Resource.Jobs) Defaults.Job(item);
        if (resource == Resource.Namespaces) item["status"] = new JsonObject { ["phase"] = "Active" };
        if (resource == Resource.Secrets && item["stringData"] is JsonObject texts)
        {
            foreach (var (key, value) in texts) item.Ensure("data")[key] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(value!.ToString()));
            item.Remove("stringData");
        }
        if (space is not null) Quotas.Check(store, resource, item);
        return item;
    }

    /// <summary>Refuses what may not be changed.</summary>
    public static void CheckChange(Resource resource, JsonObject before, JsonObject after)
    {
        var name = before.Name()!;
        if (before.Text("metadata", "uid") != after.Text("metadata", "uid")) throw StatusException.Conflict(resource, name, "Precondition failed: UID in precondition is another");
        Validate(resource, after);
        if (resource == Resource.Jobs && !JsonNode.DeepEquals(before.At("spec", "template"), after.At("spec", "template")))
            throw StatusException.Invalid(resource, name, ("spec.template", "Invalid value: field is immutable"));
        if (resource == Resource.Pods && !JsonNode.DeepEquals(before.At("spec", "containers"), after.At("spec", "containers")))
            throw StatusException.Invalid(resource, name, ("spec", "Forbidden: pod updates may not change fields other than `spec.containers[*].image`"));
        if (!JsonNode.DeepEquals(before["spec"], after["spec"]) && before.Number("metadata", "generation") is { } generation) after.Ensure("metadata")["generation"] = generation + 1;
    }

    public static string Suffix() => new([.. Enumerable.Range(0, 5).Select(_ => "bcdfghjklmnpqrstvwxz2456789"[Random.Shared.Next(27)])]);

    private static void CheckSpace(ObjectStore store, Resource resource, string space, JsonObject metadata)
    {
        if (metadata.Text("namespace") is { } named && named != space) throw StatusException.BadRequest("the namespace of the provided object does not match the namespace sent on the request");
        metadata["namespace"] = space;
        if (!store.Get(Resource.Namespaces, null, space).IsDeleting()) return;
        var details = new JsonObject { ["causes"] = new JsonArray(new JsonObject { ["reason"] = "NamespaceTerminating", ["field"] = "metadata.namespace", ["message"] = $"namespace {space} is being terminated" }) };
        throw new StatusException(403, "Forbidden", $"{resource.Qualified} \"{metadata.Text("name")}\" is forbidden: unable to create new content in namespace {space} because it is being terminated", details);
    }

    private static void Validate(Resource resource, JsonObject item)
    {
        var name = item.Name() ?? "";
        if (name.Length is 0 or > 253 || !Subdomain().IsMatch(name))
            throw StatusException.Invalid(resource, name, ("metadata.name", $"Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.'"));
        foreach (var (key, value) in item.At("metadata", "labels") as JsonObject ?? [])
        {
            if (value is null || value.ToString().Length > 63 || !Label().IsMatch(value.ToString()))
                throw StatusException.Invalid(resource, name, ("metadata.labels", $"Invalid value: \"{value}\": a valid label must be an empty string or consist of alphanumeric characters ({key})"));
        }
        if (resource == Resource.Pods) ValidatePod(resource, name, item["spec"], "spec");
        if (resource == Resource.Jobs) ValidatePod(resource, name, item.At("spec", "template", "spec"), "spec.template.spec");
    }

    private static void ValidatePod(Resource resource, string name, JsonNode? spec, string path)
    {
        if (!spec.Each("containers").Any()) throw StatusException.Invalid(resource, name, ($"{path}.containers", "Required value"));
        if (resource == Resource.Jobs && spec.Text("restartPolicy") is not ("Never" or "OnFailure"))
            throw StatusException.Invalid(resource, name, ($"{path}.restartPolicy", "Required value: valid values: \"OnFailure\", \"Never\""));
        var volumes = spec.Each("volumes").Select(volume => volume.Text("name")).ToHashSet(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var container in spec.Each("initContainers").Concat(spec.Each("containers")))
        {
            var own = container.Text("name") ?? "";
            if (own.Length > 63 || !LabelName().IsMatch(own)) throw StatusException.Invalid(resource, name, ($"{path}.containers.name", $"Invalid value: \"{own}\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-'"));
            if (!names.Add(own)) throw StatusException.Invalid(resource, name, ($"{path}.containers.name", $"Duplicate value: \"{own}\""));
            if (container.Text("image") is null or "") throw StatusException.Invalid(resource, name, ($"{path}.containers.image", "Required value"));
            foreach (var mount in container.Each("volumeMounts"))
            {
                if (!volumes.Contains(mount.Text("name"))) throw StatusException.Invalid(resource, name, ($"{path}.containers.volumeMounts.name", $"Not found: \"{mount.Text("name")}\""));
            }
        }
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Subdomain();

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex LabelName();

    [GeneratedRegex("^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Label();
}
