using System.Globalization;
using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>
/// What is known of the objects of a kind, and how lists and events change it. Versions are compared as numbers, as the API server has used them since ever;
/// versions that are none are taken as they come.
/// </summary>
internal sealed class Known<T>
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    /// <summary>
    /// After how many older lists in a row they are believed. A list is read consistently, so a run of older ones means that the cluster was restored from a backup; to
    /// insist on what was before would be wrong for ever.
    /// </summary>
    public const int OlderListsBelieved = 8;

    private readonly Dictionary<string, T> _items = new(StringComparer.Ordinal);
    private bool _isForgotten;
    private int _older;

    /// <summary>The newest version that is known; null where a watch cannot begin from it.</summary>
    public string? WatchFrom => _isForgotten ? null : Version;

    private string? Version { get; set; }

    /// <summary>All objects.</summary>
    public IEnumerable<T> Items => _items.Values;

    /// <summary>The object of a name.</summary>
    public T? Find(string name) => _items.GetValueOrDefault(name);

    /// <summary>Takes a list for the truth.</summary>
    /// <returns>What differed; null where the list is older than what is known, and not believed.</returns>
    public IReadOnlyList<Change<T>>? List(string version, IReadOnlyList<T> items)
    {
        if (IsOlder(version, Version) && ++_older < OlderListsBelieved) return null;
        var changes = new List<Change<T>>();
        var listed = items.Select(item => item.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var (name, gone) in _items.Where(item => !listed.Contains(item.Key)).ToArray())
        {
            _items.Remove(name);
            changes.Add(new Change<T>(ChangeKind.Gone, gone));
        }
        foreach (var item in items) Set(item, changes);
        (Version, _older, _isForgotten) = (version, 0, false);
        return changes;
    }

    /// <summary>Takes an event.</summary>
    /// <returns>What changed; nothing where the event is no news.</returns>
    public IReadOnlyList<Change<T>> Event(WatchEventType type, T item)
    {
        var version = item.Metadata.ResourceVersion;
        if (version == Version || IsOlder(version, Version)) return [];
        Version = version;
        var changes = new List<Change<T>>();
        if (type is WatchEventType.Added or WatchEventType.Modified)
        {
            Set(item, changes);
        }
        else if (type is WatchEventType.Deleted && _items.Remove(item.Metadata.Name, out var former))
        {
            // The event has the object's last state, which may be newer than what was known.
            changes.Add(new Change<T>(ChangeKind.Gone, former.Metadata.Uid == item.Metadata.Uid ? item : former));
        }
        return changes;
    }

    /// <summary>Nothing happened up to this version.</summary>
    public void Bookmark(string version)
    {
        if (!IsOlder(version, Version)) Version = version;
    }

    /// <summary>The server cannot go on from the version.</summary>
    public void Forget() => _isForgotten = true;

    private static bool IsOlder(string version, string? known) =>
        ulong.TryParse(version, CultureInfo.InvariantCulture, out var one) && ulong.TryParse(known, CultureInfo.InvariantCulture, out var other) && one < other;

    private void Set(T item, List<Change<T>> changes)
    {
        var former = _items.GetValueOrDefault(item.Metadata.Name);
        if (former?.Metadata.Uid == item.Metadata.Uid && former?.Metadata.ResourceVersion == item.Metadata.ResourceVersion) return;
        if (former is not null && former.Metadata.Uid != item.Metadata.Uid) changes.Add(new Change<T>(ChangeKind.Gone, former));
        _items[item.Metadata.Name] = item;
        changes.Add(new Change<T>(ChangeKind.Set, item));
    }
}
