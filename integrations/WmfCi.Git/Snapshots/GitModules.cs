using System.Text;

namespace WmfCi.Git;

/// <summary>Reads the addresses of submodules from <c>.gitmodules</c>, as far as they are plain: it is a hint, and comes from the author of the change.</summary>
internal static class GitModules
{
    private const int MaxBytes = 1024 * 1024;
    private const int MaxUrl = 2048;
    private static readonly byte[] Name = ".gitmodules"u8.ToArray();

    /// <summary>Address by path.</summary>
    public static Dictionary<string, string> Urls(BareRepository repository, ObjectName tree)
    {
        var found = new Dictionary<string, string>(StringComparer.Ordinal);
        var file = Array.Find(repository.Tree(tree), entry => entry.Name.Span.SequenceEqual(Name));
        if (!file.IsFile || !repository.TryHeader(file.Id, out _, out var size) || size > MaxBytes) return found;
        string? path = null, url = null;
        foreach (var line in Encoding.UTF8.GetString(repository.Read(file.Id, ObjectKind.Blob)).Split('\n').Append("[end]"))
        {
            var text = line.Trim();
            if (text.StartsWith('['))
            {
                if (path is not null && url is { Length: <= MaxUrl } && !url.Any(char.IsControl)) found[path] = url;
                (path, url) = (null, null);
            }
            else if (Value(text, "path") is { } at) path = at;
            else if (Value(text, "url") is { } from) url = from;
        }

        return found;
    }

    private static string? Value(string line, string key)
    {
        var equals = line.IndexOf('=', StringComparison.Ordinal);
        return equals > 0 && line[..equals].Trim().Equals(key, StringComparison.OrdinalIgnoreCase) ? line[(equals + 1)..].Trim().Trim('"') : null;
    }
}
