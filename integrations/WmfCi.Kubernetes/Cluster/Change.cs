using System.Runtime.CompilerServices;
using System.Threading.Channels;
using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>What happened to an object.</summary>
public enum ChangeKind
{
    /// <summary>It is there, new or changed.</summary>
    Set,

    /// <summary>It is gone; the object is what was last known of it.</summary>
    Gone,
}

/// <summary>A change of an object.</summary>
/// <param name="Kind">What happened.</param>
/// <param name="Item">The object. It is shared: nobody may change it.</param>
public readonly record struct Change<T>(ChangeKind Kind, T Item);

/// <summary>
/// What one consumer has not seen yet: of each object the newest state only, so that a slow consumer costs no more than the objects there are, and never misses
/// how something ended. Objects of one name after another are told apart by their UIDs.
/// </summary>
internal sealed class ChangeQueue<T>(Func<T, bool>? wanted)
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, Change<T>> _newest = new(StringComparer.Ordinal);
    private readonly Channel<string> _order = Channel.CreateUnbounded<string>(new UnboundedChannelOptions { SingleReader = true });

    public void Add(Change<T> change)
    {
        if (wanted is not null && !wanted(change.Item)) return;
        var uid = change.Item.Metadata.Uid;
        lock (_lock)
        {
            if (!_newest.TryAdd(uid, change)) _newest[uid] = change;
            else _order.Writer.TryWrite(uid);
        }
    }

    public async IAsyncEnumerable<Change<T>> ReadAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var uid in _order.Reader.ReadAllAsync(cancellationToken))
        {
            Change<T> change;
            lock (_lock) _newest.Remove(uid, out change);
            yield return change;
        }
    }
}
