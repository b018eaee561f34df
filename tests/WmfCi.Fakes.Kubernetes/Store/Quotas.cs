using System.Text.Json.Nodes;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>Counts what a namespace uses, and refuses what is too much.</summary>
internal static class Quotas
{
    /// <summary>Refuses an object that the namespace's quotas have no room for. The store is locked.</summary>
    public static void Check(ObjectStore store, Resource resource, JsonObject item)
    {
        foreach (var quota in store.List(Resource.Quotas, item.Space()).Items)
        {
            var hard = quota.At("spec", "hard") as JsonObject ?? [];
            var over = new List<(string Name, decimal Asked, decimal Used, decimal Most)>();
            foreach (var (name, most) in hard)
            {
                if (Amount(name, resource, item) is not { } asked) continue;
                if (asked == 0 && IsCompute(name)) throw StatusException.Forbidden(resource, item.Name()!, $"failed quota: {quota.Name()}: must specify {name}");
                var used = Used(store, item.Space()!, name);
                if (used + asked > Quantity.Parse(most!.ToString())) over.Add((name, asked, used, Quantity.Parse(most.ToString())));
            }
            if (over.Count == 0) continue;
            string Says(Func<(string Name, decimal Asked, decimal Used, decimal Most), decimal> which) => string.Join(',', over.Select(entry => $"{entry.Name}={Quantity.Format(which(entry))}"));
            throw StatusException.Forbidden(
                resource,
                item.Name()!,
                $"exceeded quota: {quota.Name()}, requested: {Says(entry => entry.Asked)}, used: {Says(entry => entry.Used)}, limited: {Says(entry => entry.Most)}");
        }
    }

    /// <summary>What a quota's status says.</summary>
    public static JsonObject Status(ObjectStore store, JsonObject quota)
    {
        var used = new JsonObject();
        var hard = quota.At("spec", "hard") as JsonObject ?? [];
        foreach (var (name, _) in hard) used[name] = Quantity.Format(Used(store, quota.Space()!, name));
        return new JsonObject { ["hard"] = hard.DeepClone(), ["used"] = used };
    }

    private static bool IsCompute(string name) => name.StartsWith("requests.", StringComparison.Ordinal) || name.StartsWith("limits.", StringComparison.Ordinal) || name is "cpu" or "memory";

    private static decimal Used(ObjectStore store, string space, string name) =>
        Resource.All.Sum(resource => resource.IsNamespaced ? store.List(resource, space).Items.Sum(item => Amount(name, resource, item) ?? 0) : 0);

    /// <summary>How much of a thing an object takes; null where it is nothing that it could take.</summary>
    private static decimal? Amount(string name, Resource resource, JsonObject item)
    {
        if (name == $"count/{resource.Qualified}") return 1;
        if (resource != Resource.Pods) return name == resource.Plural ? 1 : null;
        if (item.Text("status", "phase") is "Succeeded" or "Failed") return 0;
        if (name == "pods") return 1;
        if (!IsCompute(name)) return null;
        var path = name.Split('.', 2);
        var (part, what) = path.Length == 2 ? (path[0], path[1]) : ("requests", name);
        decimal Of(JsonObject container) => Quantity.Parse(container.Text("resources", part, what));
        return Math.Max(item.Each("spec", "containers").Sum(Of), item.Each("spec", "initContainers").Select(Of).DefaultIfEmpty().Max());
    }
}
