using System.Text.Json.Nodes;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>How objects go: at once, gracefully, after what they own, or leaving it behind.</summary>
internal static class Deletion
{
    private const string Foreground = "foregroundDeletion";

    /// <summary>Deletes an object as it was asked for.</summary>
    public static void Delete(ObjectStore store, Resource resource, JsonObject item, JsonObject? options, bool isKept = true)
    {
        if (options.Text("preconditions", "uid") is { } uid && uid != item.Uid())
            throw StatusException.Conflict(resource, item.Name()!, $"the UID in the precondition ({uid}) does not match the UID in record ({item.Uid()})");
        if (options.Text("preconditions", "resourceVersion") is { } version && version != item.Text("metadata", "resourceVersion"))
            throw StatusException.Conflict(resource, item.Name()!);
        if (!isKept) return;
        // Jobs are the only kind left whose default is to leave their pods behind.
        var policy = options.Text("propagationPolicy") ?? (resource == Resource.Jobs ? "Orphan" : "Background");
        if (policy == "Orphan") Orphan(store, item);
        var needsWait = policy == "Foreground" && Owned(store, item).Any();
        var grace = resource == Resource.Pods && IsAlive(item) ? Grace(item, options) : 0;
        if (needsWait || ObjectStore.HasFinalizers(item) || resource == Resource.Namespaces || grace > 0) Mark(store, resource, item, grace, needsWait);
        else store.Remove(resource, item);
    }

    /// <summary>Removes what nobody owns any more, and what waited for that. It looks at one moment: an owner that is made between two looks would be taken for gone.</summary>
    public static void Collect(ObjectStore store) => store.Locked(() =>
    {
        var all = Resource.All.SelectMany(resource => store.List(resource, null).Items.Select(item => (Resource: resource, Item: item))).ToArray();
        var uids = all.Select(entry => entry.Item.Uid()).ToHashSet(StringComparer.Ordinal);
        var waiting = all.Where(entry => entry.Item.IsDeleting() && Finalizers(entry.Item).Contains(Foreground)).Select(entry => entry.Item.Uid()).ToHashSet(StringComparer.Ordinal);
        foreach (var (resource, item) in all.Where(entry => !entry.Item.IsDeleting()))
        {
            var owners = item.Each("metadata", "ownerReferences").Select(owner => owner.Text("uid") ?? "").ToArray();
            if (owners.Length > 0 && owners.All(owner => !uids.Contains(owner) || waiting.Contains(owner))) Delete(store, resource, item, null);
        }
        foreach (var (resource, item) in all.Where(entry => waiting.Contains(entry.Item.Uid())))
        {
            if (!Owned(store, item).Any()) store.TryChange(resource, item, copy => WithoutFinalizer(copy, Foreground));
        }
        foreach (var (_, space) in all.Where(entry => entry.Resource == Resource.Namespaces && entry.Item.IsDeleting())) Empty(store, space, all);
        return true;
    });

    private static IEnumerable<string> Finalizers(JsonObject item) => (item.At("metadata", "finalizers") as JsonArray)?.Select(finalizer => finalizer!.ToString()) ?? [];

    private static JsonObject WithoutFinalizer(JsonObject item, string finalizer)
    {
        item.Ensure("metadata")["finalizers"] = new JsonArray([.. Finalizers(item).Where(kept => kept != finalizer).Select(kept => JsonValue.Create(kept))]);
        return item;
    }

    private static void Empty(ObjectStore store, JsonObject space, (Resource Resource, JsonObject Item)[] all)
    {
        var within = all.Where(entry => entry.Item.Space() == space.Name()).ToArray();
        if (within.Length == 0) store.Remove(Resource.Namespaces, space);
        foreach (var (resource, item) in within.Where(entry => !entry.Item.IsDeleting()))
            Delete(store, resource, item, new JsonObject { ["propagationPolicy"] = "Background", ["gracePeriodSeconds"] = 0 });
    }

    private static IEnumerable<(Resource Resource, JsonObject Item)> Owned(ObjectStore store, JsonObject owner) =>
        from resource in Resource.All
        from item in store.List(resource, owner.Space()).Items
        where item.Each("metadata", "ownerReferences").Any(reference => reference.Text("uid") == owner.Uid())
        select (resource, item);

    private static void Orphan(ObjectStore store, JsonObject owner)
    {
        foreach (var (resource, item) in Owned(store, owner).ToArray())
        {
            store.TryChange(resource, item, copy =>
            {
                var kept = copy.Each("metadata", "ownerReferences").Where(reference => reference.Text("uid") != owner.Uid()).Select(reference => (JsonNode)reference.DeepClone());
                copy.Ensure("metadata")["ownerReferences"] = new JsonArray([.. kept]);
                return copy;
            });
        }
    }

    private static bool IsAlive(JsonObject pod) => pod.Text("spec", "nodeName") is not null && pod.Text("status", "phase") is "Pending" or "Running";

    private static long Grace(JsonObject pod, JsonObject? options) => options.Number("gracePeriodSeconds") ?? pod.Number("spec", "terminationGracePeriodSeconds") ?? 30;

    private static void Mark(ObjectStore store, Resource resource, JsonObject item, long grace, bool isForeground)
    {
        store.TryChange(resource, item, copy =>
        {
            var metadata = copy.Ensure("metadata");
            metadata.TryAdd("deletionTimestamp", store.Time.GetUtcNow().AddSeconds(grace).Seconds());
            metadata["deletionGracePeriodSeconds"] = grace;
            if (isForeground && !Finalizers(copy).Contains(Foreground)) metadata["finalizers"] = new JsonArray([.. Finalizers(copy).Append(Foreground).Select(name => JsonValue.Create(name))]);
            if (resource == Resource.Namespaces) copy.Ensure("status")["phase"] = "Terminating";
            return copy;
        });
    }
}
