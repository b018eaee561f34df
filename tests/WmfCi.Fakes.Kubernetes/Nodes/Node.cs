using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>The stand-in's only node: schedules pods onto itself, runs them, and does to them what nodes do.</summary>
public sealed class Node : IAsyncDisposable
{
    private const string Name = "stand-in";

    private readonly ObjectStore _store;
    private readonly string _folder;
    private readonly ConcurrentDictionary<string, PodWorker> _workers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> _missing = new(StringComparer.Ordinal);
    private int _addresses;

    internal Node(ObjectStore store, string folder, int rotateLogsAt)
    {
        (_store, _folder, RotateLogsAt) = (store, folder, rotateLogsAt);
        var labels = new JsonObject { ["kubernetes.io/hostname"] = Name, ["kubernetes.io/os"] = "linux", ["kubernetes.io/arch"] = "amd64" };
        var metadata = new JsonObject { ["name"] = Name, ["uid"] = Guid.NewGuid().ToString(), ["labels"] = labels };
        _store.Add(Resource.Nodes, new JsonObject { ["apiVersion"] = "v1", ["kind"] = "Node", ["metadata"] = metadata }, isKept: true);
    }

    /// <summary>What images are; others are this machine's programs.</summary>
    public ConcurrentDictionary<string, StandInImage> Images { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether no pod fits any more.</summary>
    public bool IsFull { get; set; }

    internal int RotateLogsAt { get; }

    /// <summary>An image that cannot be pulled from now on.</summary>
    /// <param name="image">Its reference.</param>
    /// <param name="why">What its registry says, or what is said of the registry.</param>
    public void LoseImage(string image, string why = "not found") => _missing[image] = why;

    /// <summary>An image that can be pulled again.</summary>
    public void FindImage(string image) => _missing.TryRemove(image, out _);

    /// <summary>Puts a pod off the node, as for want of disk or memory.</summary>
    public async Task EvictAsync(string space, string pod, string message = "The node was low on resource: memory.")
    {
        var (item, worker) = Find(space, pod);
        // The kubelet says both at once; of a pod that used too much itself it says the reason only.
        _store.TryChange(Resource.Pods, item, copy =>
        {
            var status = copy.Ensure("status");
            (status["reason"], status["message"]) = ("Evicted", message);
            if (!message.Contains("exceed", StringComparison.Ordinal)) Condition(status, "DisruptionTarget", true, _store.Time.GetUtcNow().Seconds(), "TerminationByKubelet", message);
            return copy;
        });
        await worker.StopAsync(TimeSpan.Zero, ("Evicted", message));
    }

    /// <summary>The pod's time is over.</summary>
    public Task ExpireAsync(string space, string pod) => Find(space, pod).Worker.ExpireAsync();

    /// <summary>The node is gone with the pod: its processes end unseen, and the pod is told to end, which nobody confirms.</summary>
    public async Task LoseAsync(string space, string pod)
    {
        var (item, worker) = Find(space, pod);
        await worker.LoseAsync();
        // At once: whoever sees a part of it may have the pod deleted before the rest is said.
        _store.TryChange(Resource.Pods, item, copy =>
        {
            var status = copy.Ensure("status");
            Condition(status, "DisruptionTarget", true, _store.Time.GetUtcNow().Seconds(), "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint");
            (status["reason"], status["message"]) = ("NodeLost", "Node stand-in which was running pod is unresponsive");
            Condition(status, "Ready", false, _store.Time.GetUtcNow().Seconds(), "NodeStatusUnknown");
            copy.Ensure("metadata")["deletionTimestamp"] = _store.Time.GetUtcNow().Seconds();
            copy.Ensure("metadata")["deletionGracePeriodSeconds"] = 30;
            return copy;
        });
    }

    /// <summary>The kernel kills a container for want of memory.</summary>
    public Task RunOutOfMemoryAsync(string space, string pod, string container) => Find(space, pod).Worker.KillAsync(container, "OOMKilled");

    /// <summary>Rotates a container's log, so that only its last lines can be read.</summary>
    public void RotateLog(string space, string pod, string container, int keptLines) => Find(space, pod).Worker.Log(container)!.Rotate(keptLines);

    /// <summary>Removes a pod at once and without a word, as a garbage collector does.</summary>
    public void Vanish(string space, string pod) => _store.Remove(Resource.Pods, _store.Get(Resource.Pods, space, pod));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await Task.WhenAll(_workers.Values.Select(async worker => await worker.DisposeAsync()));
        _workers.Clear();
    }

    internal string? WhyMissing(string image) => _missing.GetValueOrDefault(image);

    internal StandInImage ImageOf(string image) => Images.GetValueOrDefault(image) ?? new StandInImage();

    internal ContainerLog? Log(string uid, string container) => _workers.GetValueOrDefault(uid)?.Log(container);

    internal static void Condition(JsonObject status, string type, bool isTrue, string now, string reason, string? message = null)
    {
        var conditions = status["conditions"] as JsonArray ?? [];
        status["conditions"] = conditions;
        var word = isTrue ? "True" : "False";
        var former = conditions.OfType<JsonObject>().FirstOrDefault(condition => condition.Text("type") == type);
        var condition = new JsonObject { ["type"] = type, ["status"] = word, ["lastTransitionTime"] = former.Text("status") == word ? former.Text("lastTransitionTime") : now };
        if (!isTrue || type == "DisruptionTarget") condition["reason"] = reason;
        if (message is not null) condition["message"] = message;
        if (former is not null) conditions.Remove(former);
        conditions.Add(condition);
    }

    internal void Event(JsonObject item, string type, string reason, string message)
    {
        var now = _store.Time.GetUtcNow().Seconds();
        var involved = new JsonObject { ["kind"] = item.Text("kind"), ["namespace"] = item.Space(), ["name"] = item.Name(), ["uid"] = item.Uid(), ["apiVersion"] = item.Text("apiVersion") };
        var name = $"{item.Name()}.{(uint)StringComparer.Ordinal.GetHashCode(reason + message):x8}";
        _store.Locked(() =>
        {
            if (_store.Find(Resource.Namespaces, null, item.Space()!) is not { } space || space.IsDeleting()) return false;
            if (_store.Find(Resource.Events, item.Space(), name) is { } former)
                return _store.TryChange(Resource.Events, former, copy => (copy["count"] = (copy.Number("count") ?? 1) + 1) is null ? null : copy);
            _store.Add(Resource.Events, new JsonObject
            {
                ["apiVersion"] = "v1",
                ["kind"] = "Event",
                ["type"] = type,
                ["reason"] = reason,
                ["message"] = message,
                ["count"] = 1,
                ["metadata"] = new JsonObject { ["name"] = name, ["namespace"] = item.Space(), ["uid"] = Guid.NewGuid().ToString(), ["creationTimestamp"] = now },
                ["involvedObject"] = involved,
                ["firstTimestamp"] = now,
                ["lastTimestamp"] = now,
                ["source"] = new JsonObject { ["component"] = "stand-in" },
            }, isKept: true);
            return true;
        });
    }

    /// <summary>Does what a change of a pod asks for.</summary>
    internal void See(StoredEvent happened)
    {
        var pod = happened.Item;
        if (happened.After is null)
        {
            if (_workers.TryGetValue(pod.Uid(), out var gone)) _ = gone.StopAsync(TimeSpan.Zero);
        }
        else if (pod.IsDeleting())
        {
            if (happened.Before?.IsDeleting() is not true) _ = EndAsync(pod);
        }
        else if (pod.Text("spec", "nodeName") == Name && !_workers.ContainsKey(pod.Uid()))
        {
            var folder = Directory.CreateDirectory(Path.Combine(_folder, pod.Uid())).FullName;
            var number = Interlocked.Increment(ref _addresses);
            var worker = new PodWorker(this, _store, pod, folder, $"127.77.{number / 250}.{(number % 250) + 1}");
            _workers[pod.Uid()] = worker;
            worker.Start();
        }
    }

    /// <summary>Puts pods that fit onto the node.</summary>
    internal void Schedule()
    {
        foreach (var pod in _store.List(Resource.Pods, null).Items.Where(pod => pod.Text("spec", "nodeName") is null && !pod.IsDeleting()))
        {
            var fits = !IsFull && Selects(pod);
            var now = _store.Time.GetUtcNow().Seconds();
            const string Why = "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.";
            _store.TryChange(Resource.Pods, pod, copy =>
            {
                if (fits) copy.Ensure("spec")["nodeName"] = Name;
                Condition(copy.Ensure("status"), "PodScheduled", fits, now, "Unschedulable", fits ? null : Why);
                return copy;
            });
        }
    }

    private bool Selects(JsonObject pod)
    {
        var labels = _store.Get(Resource.Nodes, null, Name).At("metadata", "labels");
        return (pod.At("spec", "nodeSelector") as JsonObject ?? []).All(wanted => labels.Text(wanted.Key) == wanted.Value?.ToString());
    }

    private async Task EndAsync(JsonObject pod)
    {
        if (_workers.TryGetValue(pod.Uid(), out var worker)) await worker.StopAsync(TimeSpan.FromSeconds(pod.Number("metadata", "deletionGracePeriodSeconds") ?? 30));
        if (_store.Find(Resource.Pods, pod.Space(), pod.Name()!) is not { } current || current.Uid() != pod.Uid()) return;
        if (current.Text("status", "reason") == "NodeLost") return;
        if (!ObjectStore.HasFinalizers(current)) _store.Remove(Resource.Pods, current);
        else _store.TryChange(Resource.Pods, current, copy => (copy.Ensure("metadata")["deletionGracePeriodSeconds"] = 0) is null ? null : copy);
    }

    private (JsonObject Item, PodWorker Worker) Find(string space, string pod)
    {
        var item = _store.Get(Resource.Pods, space, pod);
        return (item, _workers[item.Uid()]);
    }
}
