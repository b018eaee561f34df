using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>What to run in a container, and what it sees: the arguments of a sandbox in which this machine's programs stand for the image's.</summary>
internal sealed partial class ContainerPlan(ObjectStore store, JsonObject pod, JsonObject container, Volumes volumes, StandInImage image)
{
    private static readonly string[] HostFiles =
    [
        "/etc/ld.so.cache", "/etc/alternatives", "/etc/nsswitch.conf", "/etc/ssl", "/etc/passwd", "/etc/group", "/etc/resolv.conf", "/etc/services", "/etc/protocols",
    ];

    private static readonly string[] HostLinks = ["/bin", "/sbin", "/lib", "/lib64", "/lib32"];

    /// <summary>The arguments of <c>bwrap</c>.</summary>
    /// <param name="messages">The file that is the container's termination message.</param>
    /// <param name="hosts">The file of host names.</param>
    public IEnumerable<string> Arguments(string messages, string hosts)
    {
        var user = container.Number("securityContext", "runAsUser") ?? pod.Number("spec", "securityContext", "runAsUser") ?? 0;
        var group = container.Number("securityContext", "runAsGroup") ?? pod.Number("spec", "securityContext", "runAsGroup") ?? 0;
        List<string> arguments = ["--unshare-user", "--uid", $"{user}", "--gid", $"{group}", "--unshare-pid", "--as-pid-1", "--unshare-ipc", "--unshare-uts", "--hostname", pod.Name()!];
        arguments.AddRange(["--new-session", "--cap-drop", "ALL", "--clearenv", "--proc", "/proc", "--dev", "/dev"]);
        if (image.HasHostPrograms) AddHost(arguments);
        foreach (var (path, source) in image.Files) arguments.AddRange(["--ro-bind", source, path]);
        arguments.AddRange(["--ro-bind", hosts, "/etc/hosts", "--bind", messages, container.Text("terminationMessagePath") ?? "/dev/termination-log"]);
        foreach (var mount in container.Each("volumeMounts").OrderBy(mount => mount.Text("mountPath"), StringComparer.Ordinal))
            arguments.AddRange([mount.IsTrue("readOnly") ? "--ro-bind" : "--bind", volumes.Source(mount), mount.Text("mountPath")!]);
        if (container.IsTrue("securityContext", "readOnlyRootFilesystem")) arguments.AddRange(["--remount-ro", "/"]);
        var environment = Environment();
        foreach (var (name, value) in environment) arguments.AddRange(["--setenv", name, value]);
        arguments.AddRange(["--chdir", container.Text("workingDir") ?? image.Folder, "--"]);
        var command = Words("command", environment) ?? image.Command;
        return [.. arguments, .. command, .. Words("args", environment) ?? []];
    }

    private static void AddHost(List<string> arguments)
    {
        arguments.AddRange(["--ro-bind", "/usr", "/usr", "--tmpfs", "/tmp", "--dir", "/var/tmp", "--dir", "/run"]);
        foreach (var link in HostLinks)
        {
            if (new DirectoryInfo(link).LinkTarget is { } target) arguments.AddRange(["--symlink", target, link]);
            else if (Directory.Exists(link)) arguments.AddRange(["--ro-bind", link, link]);
        }
        foreach (var file in HostFiles.Where(Path.Exists)) arguments.AddRange(["--ro-bind", file, file]);
    }

    private Dictionary<string, string> Environment()
    {
        var all = new Dictionary<string, string>(image.Environment, StringComparer.Ordinal) { ["HOSTNAME"] = pod.Name()! };
        foreach (var variable in container.Each("env"))
        {
            var value = variable["valueFrom"] is JsonObject source ? ValueFrom(source) : Expand(variable.Text("value") ?? "", all);
            if (value is not null) all[variable.Text("name")!] = value;
        }
        return all;
    }

    private string? ValueFrom(JsonObject source)
    {
        if (source.Text("fieldRef", "fieldPath") is { } field) return Field(field);
        if (source.Text("resourceFieldRef", "resource") is { } resource) return Quantity.Format(Quantity.Parse(container.Text(["resources", .. resource.Split('.', 2)])));
        var (kind, reference) = source["secretKeyRef"] is JsonObject secret ? (Resource.Secrets, secret) : (Resource.ConfigMaps, source["configMapKeyRef"] as JsonObject);
        var value = store.Find(kind, pod.Space(), reference.Text("name") ?? "").Text("data", reference.Text("key") ?? "");
        if (value is null && !reference.IsTrue("optional")) throw new InvalidOperationException($"{kind.Kind.ToLowerInvariant()} \"{reference.Text("name")}\" not found");
        return value is not null && kind == Resource.Secrets ? System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(value)) : value;
    }

    private string Field(string path)
    {
        if (Keyed().Match(path) is { Success: true } keyed) return pod.Text("metadata", keyed.Groups["map"].Value, keyed.Groups["key"].Value) ?? "";
        return pod.Text(path.Split('.')) ?? "";
    }

    private string[]? Words(string name, Dictionary<string, string> environment) =>
        container[name] is JsonArray { Count: > 0 } words ? [.. words.Select(word => Expand(word!.ToString(), environment))] : null;

    private static string Expand(string text, Dictionary<string, string> environment) =>
        Reference().Replace(text, match => match.Value.StartsWith("$$", StringComparison.Ordinal) ? match.Value[1..] : environment.GetValueOrDefault(match.Groups["name"].Value, match.Value));

    [GeneratedRegex(@"^metadata\.(?<map>labels|annotations)\['(?<key>[^']+)'\]$", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Keyed();

    [GeneratedRegex(@"\$?\$\((?<name>[-._a-zA-Z0-9]+)\)", RegexOptions.ExplicitCapture, 60_000)]
    private static partial Regex Reference();
}
