using System.Text.Json.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>A pod's volumes, as folders.</summary>
internal sealed class Volumes(ObjectStore store, JsonObject pod, string folder)
{
    /// <summary>Makes what can be made now.</summary>
    /// <returns>What a volume waits for; null where all are there.</returns>
    public string? Mount()
    {
        foreach (var volume in pod.Each("spec", "volumes"))
        {
            var path = Folder(volume.Text("name")!);
            if (volume["emptyDir"] is JsonObject) Directory.CreateDirectory(path);
            else if (volume["secret"] is JsonObject secret && Fill(path, Resource.Secrets, secret.Text("secretName")!, secret) is { } noSecret) return noSecret;
            else if (volume["configMap"] is JsonObject map && Fill(path, Resource.ConfigMaps, map.Text("name")!, map) is { } noMap) return noMap;
            else if (!Directory.Exists(path)) throw new NotSupportedException($"The stand-in has no volumes like {volume.ToJsonString()}.");
        }
        return null;
    }

    /// <summary>Where a mount's files are; a path below a volume that is not there is made as a folder, as the kubelet does.</summary>
    public string Source(JsonObject mount)
    {
        var volume = Folder(mount.Text("name")!);
        if (mount.Text("subPath") is not { Length: > 0 } below) return volume;
        var source = Path.GetFullPath(Path.Combine(volume, below));
        if (!source.StartsWith(volume + "/", StringComparison.Ordinal)) throw new InvalidOperationException($"The subPath {below} leaves its volume.");
        if (!Path.Exists(source)) Directory.CreateDirectory(source);
        return source;
    }

    private string Folder(string name) => Path.Combine(folder, "volumes", name);

    private string? Fill(string path, Resource resource, string name, JsonObject source)
    {
        if (store.Find(resource, pod.Space(), name) is not { } item)
        {
            Directory.CreateDirectory(path);
            return source.IsTrue("optional") ? null : $"{resource.Kind.ToLowerInvariant()} \"{name}\" not found";
        }
        Directory.CreateDirectory(path);
        var items = source.Each("items").ToDictionary(entry => entry.Text("key")!, entry => entry.Text("path")!, StringComparer.Ordinal);
        foreach (var (key, value) in item["data"] as JsonObject ?? [])
        {
            if (items.Count > 0 && !items.ContainsKey(key)) continue;
            var file = Path.Combine(path, items.GetValueOrDefault(key, key));
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllBytes(file, resource == Resource.Secrets ? Convert.FromBase64String(value!.ToString()) : System.Text.Encoding.UTF8.GetBytes(value!.ToString()));
        }
        return null;
    }
}
