using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>Something that happened to an object.</summary>
/// <param name="Version">The version of the whole store since then.</param>
/// <param name="Resource">The kind.</param>
/// <param name="Before">As it was; null where it is new.</param>
/// <param name="After">As it is; null where it is gone.</param>
internal sealed record StoredEvent(long Version, Resource Resource, JsonObject? Before, JsonObject? After)
{
    public JsonObject Item => After ?? Before!;
}

/// <summary>
/// All objects, in memory, with one version that every change moves on, and what happened lately. Objects that are in it are never changed: a change replaces them.
/// </summary>
internal sealed class ObjectStore(TimeProvider time)
{
    /// <summary>How many events are remembered; a watch from before them is answered with 410.</summary>
    private const int MaxHistory = 20_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<Resource, SortedDictionary<string, JsonObject>> _items = Resource.All.ToDictionary(
        resource => resource,
        _ => new SortedDictionary<string, JsonObject>(StringComparer.Ordinal));
    private readonly List<StoredEvent> _history = [];
    private readonly List<Channel<StoredEvent>> _watchers = [];
    private long _version = 1000, _forgotten = 1000;

    public TimeProvider Time => time;

    public long Version
    {
        get { lock (_lock) return _version; }
    }

    public JsonObject? Find(Resource resource, string? space, string name)
    {
        lock (_lock) return _items[resource].GetValueOrDefault(Key(space, name));
    }

    public JsonObject Get(Resource resource, string? space, string name) => Find(resource, space, name) ?? throw StatusException.NotFound(resource, name);

    public (long Version, List<JsonObject> Items) List(Resource resource, string? space)
    {
        lock (_lock) return (_version, [.. _items[resource].Values.Where(item => space is null || item.Space() == space)]);
    }

    /// <summary>Does several things that nothing may come between.</summary>
    public T Locked<T>(Func<T> action)
    {
        lock (_lock) return action();
    }

    public JsonObject Add(Resource resource, JsonObject item, bool isKept)
    {
        lock (_lock)
        {
            var key = Key(item.Space(), item.Name()!);
            if (_items[resource].ContainsKey(key)) throw StatusException.AlreadyExists(resource, item.Name()!);
            if (!isKept) return item;
            Stamp(item);
            _items[resource][key] = item;
            Tell(new StoredEvent(_version, resource, null, item));
            return item;
        }
    }

    /// <summary>Changes an object.</summary>
    /// <param name="resource">Its kind.</param>
    /// <param name="space">Its namespace.</param>
    /// <param name="name">Its name.</param>
    /// <param name="change">Changes a copy, or gives another object; null leaves all as it is.</param>
    /// <param name="isKept">False for a dry run.</param>
    public JsonObject Change(Resource resource, string? space, string name, Func<JsonObject, JsonObject?> change, bool isKept = true)
    {
        lock (_lock)
        {
            var before = Get(resource, space, name);
            if (change(before.Copy()) is not { } after || JsonNode.DeepEquals(before, after)) return before;
            if (!isKept) return after;
            Stamp(after);
            // What was only waiting for its finalizers goes with the last of them.
            if (before.IsDeleting() && HasFinalizers(before) && !HasFinalizers(after) && (resource != Resource.Pods || after.Number("metadata", "deletionGracePeriodSeconds") is 0))
            {
                _items[resource].Remove(Key(space, name));
                Tell(new StoredEvent(_version, resource, after, null));
            }
            else
            {
                _items[resource][Key(space, name)] = after;
                Tell(new StoredEvent(_version, resource, before, after));
            }
            return after;
        }
    }

    /// <summary>The same where the object may be gone.</summary>
    public bool TryChange(Resource resource, JsonObject item, Func<JsonObject, JsonObject?> change)
    {
        lock (_lock)
        {
            if (Find(resource, item.Space(), item.Name()!)?.Uid() != item.Uid()) return false;
            Change(resource, item.Space(), item.Name()!, change);
            return true;
        }
    }

    public void Remove(Resource resource, JsonObject item)
    {
        lock (_lock)
        {
            if (Find(resource, item.Space(), item.Name()!) is not { } current || current.Uid() != item.Uid()) return;
            _items[resource].Remove(Key(item.Space(), item.Name()!));
            var last = current.Copy();
            Stamp(last);
            Tell(new StoredEvent(_version, resource, last, null));
        }
    }

    /// <summary>What happened since a version, and from now on.</summary>
    /// <exception cref="StatusException">That is too long ago.</exception>
    public (List<StoredEvent> Past, Channel<StoredEvent> Coming) Watch(long version)
    {
        lock (_lock)
        {
            if (version < _forgotten) throw StatusException.Expired($"too old resource version: {version} ({_forgotten})");
            var channel = Channel.CreateUnbounded<StoredEvent>();
            _watchers.Add(channel);
            return ([.. _history.Where(happened => happened.Version > version)], channel);
        }
    }

    public void Unwatch(Channel<StoredEvent> channel)
    {
        lock (_lock) _watchers.Remove(channel);
    }

    /// <summary>Forgets what happened, as a compaction does.</summary>
    public void Forget()
    {
        lock (_lock)
        {
            _history.Clear();
            // Other kinds of objects, that the stand-in has not, move the version too.
            _forgotten = ++_version;
        }
    }

    public static bool HasFinalizers(JsonObject item) => item.At("metadata", "finalizers") is JsonArray { Count: > 0 };

    private static string Key(string? space, string name) => $"{space}/{name}";

    private void Stamp(JsonObject item) => item.Ensure("metadata")["resourceVersion"] = (++_version).ToString(CultureInfo.InvariantCulture);

    private void Tell(StoredEvent happened)
    {
        _history.Add(happened);
        if (_history.Count > MaxHistory)
        {
            _forgotten = _history[MaxHistory / 2].Version;
            _history.RemoveRange(0, (MaxHistory / 2) + 1);
        }
        foreach (var watcher in _watchers) watcher.Writer.TryWrite(happened);
    }
}
