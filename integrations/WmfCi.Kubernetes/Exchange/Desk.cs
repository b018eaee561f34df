using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Exchange;

/// <summary>
/// Hands orders and sources to pods and takes what they leave. Every request is checked against the marks of its Job, read from the cluster: there is nothing in this process that a
/// restart could lose, or that another replica would not know.
/// </summary>
/// <param name="jobs">Reads and marks Jobs.</param>
/// <param name="known">A Job as it was seen last, or null: enough to let somebody in, never to send somebody away.</param>
/// <param name="store">Where everything is.</param>
internal sealed class Desk(JobRecords jobs, Func<string, V1Job?> known, IArtifactStore store)
{
    private const int MarkAttempts = 10, MaxOrderBytes = 64 << 20, MaxOrdersKept = 256, MaxNote = 4096, DigestLength = 64;
    private readonly ConcurrentDictionary<string, StageOrders> _orders = new(StringComparer.Ordinal);
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web);

    /// <summary>Stores the orders of an attempt.</summary>
    /// <returns>Their digest.</returns>
    public async Task<string> PutOrdersAsync(StageOrders orders, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(orders, Json));
        return (await store.PutAsync(bytes, MaxOrderBytes, cancellationToken)).Digest;
    }

    /// <summary>Gives the attempt to the pod that asks first.</summary>
    /// <exception cref="RefusedException">Another pod has it, or the token is worth nothing.</exception>
    public async Task<FetchOrder> ClaimAsync(Visit visit, CancellationToken cancellationToken)
    {
        var job = await MarkAsync(visit, Visitor.Fetch, Marks.Pod, visit.Pod, cancellationToken);
        return (await OrdersAsync(job, cancellationToken)).Fetch;
    }

    /// <summary>Opens something that the attempt needs.</summary>
    /// <exception cref="RefusedException">It needs no such thing.</exception>
    public async Task<Stream> OpenAsync(Visit visit, string digest, CancellationToken cancellationToken)
    {
        var job = await AdmitAsync(visit, Visitor.Fetch, cancellationToken);
        var order = (await OrdersAsync(job, cancellationToken)).Fetch;
        if (order.Snapshot != digest && !Array.Exists(order.Inputs, input => input.Digest == digest)) throw new RefusedException(Refusal.NotYours);
        return await store.OpenAsync(digest, cancellationToken) ?? throw new RefusedException(Refusal.Missing);
    }

    /// <summary>The workspace is laid out: the token is worth nothing from here.</summary>
    public Task FetchedAsync(Visit visit, CancellationToken cancellationToken) =>
        MarkAsync(visit, Visitor.Fetch, Marks.Fetched, "true", cancellationToken);

    /// <summary>What the collector is to keep.</summary>
    public async Task<CollectOrder> CollectAsync(Visit visit, CancellationToken cancellationToken) =>
        (await OrdersAsync(await AdmitAsync(visit, Visitor.Collect, cancellationToken), cancellationToken)).Collect;

    /// <summary>Takes a file.</summary>
    /// <exception cref="RefusedException">Its bytes are not those of the digest.</exception>
    /// <exception cref="BlobTooLargeException">It is larger than a file may be.</exception>
    public async Task<Blob> PutAsync(Visit visit, (string Digest, Stream Content) file, CancellationToken cancellationToken)
    {
        var job = await AdmitAsync(visit, Visitor.Collect, cancellationToken);
        var order = (await OrdersAsync(job, cancellationToken)).Collect;
        var blob = await store.PutAsync(file.Content, Math.Max(order.Bounds.MaxFileBytes, order.LogBytes), cancellationToken);
        return blob.Digest == file.Digest ? blob : throw new RefusedException(Refusal.NotYours);
    }

    /// <summary>Takes the list of what was left: the token is worth nothing from here.</summary>
    /// <exception cref="RefusedException">It names what is not in the store, or more than may be kept.</exception>
    public async Task CollectedAsync(Visit visit, PodManifest manifest, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(manifest, WireJson.Default.PodManifest));
        var job = await JobAsync(visit, cancellationToken);
        // The answer may have been lost, and the mark that closes the desk to the pod be its own.
        if (job.GetAnnotation(Marks.Manifest) == Convert.ToHexStringLower(SHA256.HashData(bytes.ToArray())) && visit.Owns(job) && visit.Is(Visitor.Collect, job)) return;
        visit.CheckOwner(Visitor.Collect, job);
        var order = (await OrdersAsync(job, cancellationToken)).Collect;
        if (!IsWithin(manifest, order)) throw new RefusedException(Refusal.NotYours);
        foreach (var blob in manifest.Files.Select(file => file.Blob).Concat(manifest.Logs.Select(log => log.Blob)).Distinct())
        {
            await using var content = await store.OpenAsync(blob.Digest, cancellationToken) ?? throw new RefusedException(Refusal.NotYours);
            if (content.Length != blob.Size) throw new RefusedException(Refusal.NotYours);
        }
        var stored = await store.PutAsync(bytes, MaxOrderBytes, cancellationToken);
        await MarkAsync(visit, Visitor.Collect, Marks.Manifest, stored.Digest, cancellationToken);
    }

    /// <summary>What a pod left, as its Job says.</summary>
    /// <returns>Null where it left no list.</returns>
    public async Task<PodManifest?> ManifestAsync(V1Job job, CancellationToken cancellationToken)
    {
        if (job.GetAnnotation(Marks.Manifest) is not { } digest) return null;
        await using var content = await store.OpenAsync(digest, cancellationToken) ?? throw new IOException($"The store does not have the manifest {digest}.");
        return await JsonSerializer.DeserializeAsync(content, WireJson.Default.PodManifest, cancellationToken);
    }

    // The collector is ours, and nothing that it says is taken on trust for that: paths go to people and to later stages.
    private static bool IsWithin(PodManifest manifest, CollectOrder order) =>
        manifest.Files.Length <= order.Bounds.MaxFiles
        && manifest.Notes.Length <= order.Bounds.MaxNotes + order.Steps + order.Artifacts.Length + order.Reports.Length + 1
        && Array.TrueForAll(manifest.Notes, note => note is { Length: <= MaxNote })
        && Array.TrueForAll(manifest.Files, file => file is { Blob: { Size: >= 0 } blob } && blob.Size <= order.Bounds.MaxFileBytes && IsPath(file.Path, order.Bounds))
        && manifest.Files.Select(file => file.Path).Distinct(StringComparer.Ordinal).Count() == manifest.Files.Length
        && manifest.Files.Sum(file => (decimal)file.Blob.Size) <= order.Bounds.MaxTotalBytes
        && Array.TrueForAll(manifest.Logs, log => log is { Step: >= 1, Blob: { Size: >= 0 } blob } && log.Step <= order.Steps && blob.Size <= order.LogBytes)
        && manifest.Logs.Select(log => log.Step).Distinct().Count() == manifest.Logs.Length
        && manifest.Files.Select(file => file.Blob).Concat(manifest.Logs.Select(log => log.Blob)).All(blob => IsDigest(blob.Digest));

    private static bool IsPath(string? path, Workspaces.CollectionBounds bounds) =>
        path is { Length: > 0 } && !path.Any(char.IsControl) && Encoding.UTF8.GetByteCount(path) <= bounds.MaxPathBytes && path.Split('/').All(part => part is not ("" or "." or ".."));

    /// <summary>Whether it is a name in the store.</summary>
    public static bool IsDigest(string? digest) => digest is { Length: DigestLength } && digest.All(char.IsAsciiHexDigitLower);

    private async Task<StageOrders> OrdersAsync(V1Job job, CancellationToken cancellationToken)
    {
        var digest = job.GetAnnotation(Marks.Order) ?? throw new RefusedException(Refusal.Unknown);
        if (_orders.TryGetValue(digest, out var kept)) return kept;
        await using var content = await store.OpenAsync(digest, cancellationToken) ?? throw new IOException($"The store does not have the orders {digest}.");
        var orders = await JsonSerializer.DeserializeAsync<StageOrders>(content, Json, cancellationToken) ?? throw new IOException($"The orders {digest} are empty.");
        if (_orders.Count >= MaxOrdersKept) _orders.Clear();
        return _orders[digest] = orders;
    }

    private async Task<V1Job> JobAsync(Visit visit, CancellationToken cancellationToken) => await jobs.FindAsync(visit.Name, cancellationToken) ?? throw new RefusedException(Refusal.Unknown);

    private async Task<V1Job> AdmitAsync(Visit visit, Visitor visitor, CancellationToken cancellationToken)
    {
        if (known(visit.Name) is { } seen && visit.Is(visitor, seen) && visit.Owns(seen) && Visit.IsOpen(visitor, seen)) return seen;
        var job = await JobAsync(visit, cancellationToken);
        visit.CheckOwner(visitor, job);
        return job;
    }

    private async Task<V1Job> MarkAsync(Visit visit, Visitor visitor, string mark, string value, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MarkAttempts; attempt++)
        {
            var job = await JobAsync(visit, cancellationToken);
            // An answer may have been lost: what is done already is done. Only the orders are not given again to whom has them and has said so.
            if (job.GetAnnotation(mark) == value && visit.Owns(job) && visit.Is(visitor, job) && (mark != Marks.Pod || Visit.IsOpen(visitor, job))) return job;
            if (mark == Marks.Pod) visit.Check(visitor, job);
            else visit.CheckOwner(visitor, job);
            if (await jobs.MarkAsync(job, mark, value, cancellationToken) is { } marked) return marked;
        }
        throw new IOException($"The Job {visit.Name} changes all the time.");
    }
}
