using System.Runtime.CompilerServices;
using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>Which objects a reflector follows.</summary>
public sealed record ReflectorOptions
{
    /// <summary>The labels that they bear, as <c>key=value,…</c>; null for all.</summary>
    public string? Labels { get; init; }

    /// <summary>The fields that they have, as <c>path=value,…</c>; null for all.</summary>
    public string? Fields { get; init; }

    /// <summary>
    /// How long a watch runs until everything is listed again. A watch that stays open and says nothing, and an event that got lost, are made good then; bookmarks
    /// are no sign of life, because a server may send none for minutes.
    /// </summary>
    public TimeSpan Resync { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How many objects are asked for at once.</summary>
    public int Page { get; init; } = 500;
}

/// <summary>
/// Knows all objects of a kind: lists them, then watches from there. A broken watch goes on from the last version; a version that the server has forgotten (410)
/// lists again; what is older than what is known is not believed. One reflector serves any number of consumers.
/// </summary>
/// <typeparam name="T">A kind of the library's.</typeparam>
public sealed class Reflector<T> : IAsyncDisposable
    where T : class, IKubernetesObject<V1ObjectMeta>
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(200), LongestPause = TimeSpan.FromSeconds(10);

    private readonly ObjectStream<T> _stream;
    private readonly TimeProvider _time;
    private readonly TimeSpan _resync;
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _synced = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Lock _lock = new();
    private readonly Known<T> _known = new();
    private readonly List<ChangeQueue<T>> _queues = [];
    private readonly Task _running;
    private DateTimeOffset _heard;
    private ClusterFault? _trouble;

    /// <summary>Begins to follow.</summary>
    /// <param name="cluster">Where.</param>
    /// <param name="options">Which objects.</param>
    /// <param name="trim">Leaves out of an object what nobody reads; null keeps all but what is known of its managers.</param>
    public Reflector(Cluster cluster, ReflectorOptions options, Func<T, T>? trim = null)
    {
        _time = cluster.Time;
        _resync = options.Resync;
        _heard = _time.GetUtcNow();
        _stream = new ObjectStream<T>(cluster, options, trim, Heard);
        _running = Task.Run(RunAsync);
    }

    /// <summary>When the server last said anything.</summary>
    public DateTimeOffset LastHeard
    {
        get { lock (_lock) return _heard; }
    }

    /// <summary>What is wrong with the connection now; null where nothing is.</summary>
    public ClusterFault? Trouble
    {
        get { lock (_lock) return _trouble; }
    }

    /// <summary>Whether everything was listed once.</summary>
    public bool IsSynced => _synced.Task.IsCompletedSuccessfully;

    /// <summary>All objects, as they are known now. They are shared: nobody may change them.</summary>
    public IReadOnlyList<T> Items
    {
        get { lock (_lock) return [.. _known.Items]; }
    }

    /// <summary>The object of a name; null where there is none.</summary>
    public T? Find(string name)
    {
        lock (_lock) return _known.Find(name);
    }

    /// <summary>Waits until everything was listed once.</summary>
    public Task WaitSyncedAsync(CancellationToken cancellationToken) => _synced.Task.WaitAsync(cancellationToken);

    /// <summary>
    /// Everything that is there, and then every change. A consumer that is slow is told of the newest state of an object only, but always of that, and always of its end.
    /// </summary>
    /// <param name="wanted">Which objects; by what never changes of them. Null for all.</param>
    /// <param name="cancellationToken">Ends it, by exception.</param>
    public async IAsyncEnumerable<Change<T>> ChangesAsync(Func<T, bool>? wanted, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var queue = Subscribe(wanted);
        try
        {
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
            await foreach (var change in queue.ReadAsync(either.Token)) yield return change;
        }
        finally
        {
            Unsubscribe(queue);
        }
    }

    /// <summary>Waits until the object of a name is as wanted.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="isWanted">Asked with null where there is none.</param>
    /// <param name="cancellationToken">Ends the wait.</param>
    public async Task<T?> WaitForAsync(string name, Func<T?, bool> isWanted, CancellationToken cancellationToken)
    {
        var queue = Subscribe(item => item.Metadata.Name == name);
        try
        {
            await WaitSyncedAsync(cancellationToken);
            if (Find(name) is var found && isWanted(found)) return found;
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _stopping.Token);
            await foreach (var change in queue.ReadAsync(either.Token))
            {
                var now = change.Kind is ChangeKind.Set ? change.Item : null;
                if (isWanted(now)) return now;
            }
            return null;
        }
        finally
        {
            Unsubscribe(queue);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_stopping.IsCancellationRequested) return;
        await _stopping.CancelAsync();
        await _running;
    }

    private async Task RunAsync()
    {
        var backoff = new Backoff(FirstPause, LongestPause);
        var listAt = 0L;
        while (!_stopping.IsCancellationRequested)
        {
            var began = _time.GetTimestamp();
            try
            {
                if (Version is null || began >= listAt)
                {
                    var (version, items) = await _stream.ListAsync(_stopping.Token);
                    Publish(known => known.List(version, items) ?? throw new InvalidDataException("The API server's list is older than what it said before."));
                    _synced.TrySetResult();
                    listAt = _time.GetTimestamp() + (long)(_resync.TotalSeconds * _time.TimestampFrequency);
                }
                var left = TimeSpan.FromSeconds((double)(listAt - _time.GetTimestamp()) / _time.TimestampFrequency);
                if (left > TimeSpan.Zero) await _stream.WatchAsync(Version!, left, (type, item) => Publish(known => Take(known, type, item)), _stopping.Token);
                if (_time.GetElapsedTime(began) > LongestPause || _time.GetTimestamp() >= listAt) backoff.Reset();
                else await PauseAsync(backoff.Next());
            }
            catch (Exception) when (_stopping.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                if (_time.GetElapsedTime(began) > LongestPause) backoff.Reset();
                await PauseAsync(backoff.Next(Failed(e).RetryAfter));
            }
        }
    }

    private static IReadOnlyList<Change<T>> Take(Known<T> known, WatchEventType type, T item)
    {
        if (type is not WatchEventType.Bookmark) return known.Event(type, item);
        known.Bookmark(item.Metadata.ResourceVersion);
        return [];
    }

    private string? Version
    {
        get { lock (_lock) return _known.WatchFrom; }
    }

    private ClusterFault Failed(Exception failure)
    {
        var fault = ClusterFault.Of(failure);
        lock (_lock)
        {
            _trouble = fault;
            if (fault.Kind is FaultKind.Expired) _known.Forget();
        }
        return fault;
    }

    private void Publish(Func<Known<T>, IReadOnlyList<Change<T>>> take)
    {
        lock (_lock)
        {
            foreach (var change in take(_known))
            {
                foreach (var queue in _queues) queue.Add(change);
            }
        }
    }

    private void Heard()
    {
        lock (_lock) (_heard, _trouble) = (_time.GetUtcNow(), null);
    }

    private ChangeQueue<T> Subscribe(Func<T, bool>? wanted)
    {
        var queue = new ChangeQueue<T>(wanted);
        lock (_lock)
        {
            foreach (var item in _known.Items) queue.Add(new Change<T>(ChangeKind.Set, item));
            _queues.Add(queue);
        }
        return queue;
    }

    private void Unsubscribe(ChangeQueue<T> queue)
    {
        lock (_lock) _queues.Remove(queue);
    }

    private async Task PauseAsync(TimeSpan pause)
    {
        try
        {
            await Task.Delay(pause, _time, _stopping.Token);
        }
        catch (OperationCanceledException)
        {
            // The loop sees it.
        }
    }
}
