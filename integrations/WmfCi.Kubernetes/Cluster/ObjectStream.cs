using System.Text.Json;
using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>The requests of a reflector: a consistent list, and a watch.</summary>
internal sealed class ObjectStream<T>(Cluster cluster, ReflectorOptions options, Func<T, T>? trim, Action heard)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>The longest event. The store behind the API server takes no object above 1.5 MB.</summary>
    private const int MaxEvent = 8 * 1024 * 1024;

    /// <summary>How often a list is begun anew because its next page was forgotten, until it is asked for in one piece.</summary>
    private const int MaxPagedTries = 2;

    private readonly string _path = KindOf<T>.Value.Path(cluster.Namespace);
    private readonly string _selection = Selector("labelSelector", options.Labels) + Selector("fieldSelector", options.Fields);

    /// <summary>Lists everything, as it is now: no version is given, so the server asks its store.</summary>
    public async Task<(string Version, List<T> Items)> ListAsync(CancellationToken cancellationToken)
    {
        for (var tries = 0; ; tries++)
        {
            try
            {
                return await PagesAsync(tries < MaxPagedTries ? options.Page : 0, cancellationToken);
            }
            catch (k8s.Autorest.HttpOperationException e) when (tries < MaxPagedTries && ClusterFault.Of(e).Kind is FaultKind.Expired)
            {
                // The store forgot the version of the first page while the others were fetched.
            }
        }
    }

    /// <summary>Watches from a version, until the server ends it, the time is over, or the connection breaks.</summary>
    /// <param name="version">What is known.</param>
    /// <param name="limit">How long.</param>
    /// <param name="take">Told of every event; of bookmarks too, whose objects have nothing but a version.</param>
    /// <param name="cancellationToken">Ends it, by exception.</param>
    /// <exception cref="KubernetesException">The server says that something is wrong; 410 means that it forgot the version.</exception>
    public async Task WatchAsync(string version, TimeSpan limit, Action<WatchEventType, T> take, CancellationToken cancellationToken)
    {
        using var over = new CancellationTokenSource(limit, cluster.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, over.Token);
        var seconds = (long)Math.Ceiling(limit.TotalSeconds);
        var path = $"{_path}?watch=true&allowWatchBookmarks=true&resourceVersion={Uri.EscapeDataString(version)}&timeoutSeconds={seconds}{_selection}";
        try
        {
            using var response = await cluster.OpenAsync(HttpMethod.Get, path, null, either.Token);
            heard();
            await using var lines = new LineReader(await response.Content.ReadAsStreamAsync(either.Token), MaxEvent);
            while (await lines.MoreAsync(either.Token))
            {
                heard();
                while (lines.TryTake(out var line)) Read(line, take);
                if (lines.TooLong > 0) throw new InvalidDataException("The API server sent an event that is larger than any object can be.");
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            // Time for a list.
        }
    }

    private static string Selector(string name, string? value) => value is { Length: > 0 } ? $"&{name}={Uri.EscapeDataString(value)}" : "";

    private async Task<(string Version, List<T> Items)> PagesAsync(int page, CancellationToken cancellationToken)
    {
        var items = new List<T>();
        string? next = null;
        while (true)
        {
            var list = await cluster.GetAsync<Page>($"{_path}?limit={page}{_selection}{Selector("continue", next)}", cancellationToken);
            heard();
            foreach (var item in list.Items ?? []) items.Add(Trim(item));
            next = list.Metadata?.ContinueProperty;
            if (string.IsNullOrEmpty(next)) return (list.Metadata?.ResourceVersion ?? "", items);
        }
    }

    private void Read(System.Buffers.ReadOnlySequence<byte> line, Action<WatchEventType, T> take)
    {
        using var json = JsonDocument.Parse(line);
        var content = json.RootElement.GetProperty("object");
        switch (json.RootElement.GetProperty("type").GetString())
        {
            case "ADDED": take(WatchEventType.Added, Trim(KubernetesJson.Deserialize<T>(content))); break;
            case "MODIFIED": take(WatchEventType.Modified, Trim(KubernetesJson.Deserialize<T>(content))); break;
            case "DELETED": take(WatchEventType.Deleted, Trim(KubernetesJson.Deserialize<T>(content))); break;
            case "BOOKMARK": take(WatchEventType.Bookmark, KubernetesJson.Deserialize<T>(content)); break;
            case "ERROR": throw new KubernetesException(KubernetesJson.Deserialize<V1Status>(content));
        }
    }

    private T Trim(T item)
    {
        item.Metadata.ManagedFields = null;
        return trim is null ? item : trim(item);
    }

    private sealed record Page
    {
        public V1ListMeta? Metadata { get; init; }

        public T[]? Items { get; init; }
    }
}
