using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Exchange;

/// <summary>Which of the two trusted containers asks.</summary>
internal enum Visitor
{
    /// <summary>Lays out the workspace.</summary>
    Fetch,

    /// <summary>Stores what was left.</summary>
    Collect,
}

/// <summary>Why a request is refused.</summary>
internal enum Refusal
{
    /// <summary>The token is none of this attempt's, or was used up, or there is no such attempt: nobody is told which.</summary>
    Unknown,

    /// <summary>Another pod has the attempt.</summary>
    Taken,

    /// <summary>What is asked for, or handed in, is not part of the attempt.</summary>
    NotYours,

    /// <summary>The attempt needs it, and the store does not have it.</summary>
    Missing,
}

/// <summary>A request is refused.</summary>
internal sealed class RefusedException(Refusal refusal) : Exception
{
    public Refusal Refusal { get; } = refusal;
}

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
    public async Task<FetchOrder> ClaimAsync(string name, string token, string pod, CancellationToken cancellationToken)
    {
        var job = await MarkAsync(name, token, Visitor.Fetch, pod, Marks.Pod, pod, cancellationToken);
        return (await OrdersAsync(job, cancellationToken)).Fetch;
    }

    /// <summary>Opens something that the attempt needs.</summary>
    /// <exception cref="RefusedException">It needs no such thing.</exception>
    public async Task<Stream> OpenAsync(string name, string token, string pod, string digest, CancellationToken cancellationToken)
    {
        var job = await AdmitAsync(name, token, Visitor.Fetch, pod, cancellationToken);
        var order = (await OrdersAsync(job, cancellationToken)).Fetch;
        if (order.Snapshot != digest && !Array.Exists(order.Inputs, input => input.Digest == digest)) throw new RefusedException(Refusal.NotYours);
        return await store.OpenAsync(digest, cancellationToken) ?? throw new RefusedException(Refusal.Missing);
    }

    /// <summary>The workspace is laid out: the token is worth nothing from here.</summary>
    public Task FetchedAsync(string name, string token, string pod, CancellationToken cancellationToken) =>
        MarkAsync(name, token, Visitor.Fetch, pod, Marks.Fetched, "true", cancellationToken);

    /// <summary>What the collector is to keep.</summary>
    public async Task<CollectOrder> CollectAsync(string name, string token, string pod, CancellationToken cancellationToken) =>
        (await OrdersAsync(await AdmitAsync(name, token, Visitor.Collect, pod, cancellationToken), cancellationToken)).Collect;

    /// <summary>Takes a file.</summary>
    /// <exception cref="RefusedException">Its bytes are not those of the digest.</exception>
    /// <exception cref="BlobTooLargeException">It is larger than a file may be.</exception>
    public async Task<Blob> PutAsync(string name, string token, string pod, (string Digest, Stream Content) file, CancellationToken cancellationToken)
    {
        var job = await AdmitAsync(name, token, Visitor.Collect, pod, cancellationToken);
        var order = (await OrdersAsync(job, cancellationToken)).Collect;
        var blob = await store.PutAsync(file.Content, Math.Max(order.Bounds.MaxFileBytes, order.LogBytes), cancellationToken);
        return blob.Digest == file.Digest ? blob : throw new RefusedException(Refusal.NotYours);
    }

    /// <summary>Takes the list of what was left: the token is worth nothing from here.</summary>
    /// <exception cref="RefusedException">It names what is not in the store, or more than may be kept.</exception>
    public async Task CollectedAsync(string name, string token, string pod, PodManifest manifest, CancellationToken cancellationToken)
    {
        using var bytes = new MemoryStream(JsonSerializer.SerializeToUtf8Bytes(manifest, WireJson.Default.PodManifest));
        var job = await jobs.FindAsync(name, cancellationToken) ?? throw new RefusedException(Refusal.Unknown);
        // The answer may have been lost, and the mark that closes the desk to the pod be its own.
        if (job.GetAnnotation(Marks.Manifest) == Convert.ToHexStringLower(SHA256.HashData(bytes.ToArray())) && job.GetAnnotation(Marks.Pod) == pod && IsToken(job, token, Visitor.Collect)) return;
        Check(job, token, Visitor.Collect, pod);
        if (job.GetAnnotation(Marks.Pod) != pod) throw new RefusedException(Refusal.Taken);
        var order = (await OrdersAsync(job, cancellationToken)).Collect;
        if (!IsWithin(manifest, order)) throw new RefusedException(Refusal.NotYours);
        foreach (var blob in manifest.Files.Select(file => file.Blob).Concat(manifest.Logs.Select(log => log.Blob)).Distinct())
        {
            await using var content = await store.OpenAsync(blob.Digest, cancellationToken) ?? throw new RefusedException(Refusal.NotYours);
            if (content.Length != blob.Size) throw new RefusedException(Refusal.NotYours);
        }
        var stored = await store.PutAsync(bytes, MaxOrderBytes, cancellationToken);
        await MarkAsync(name, token, Visitor.Collect, pod, Marks.Manifest, stored.Digest, cancellationToken);
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

    private async Task<V1Job> AdmitAsync(string name, string token, Visitor visitor, string pod, CancellationToken cancellationToken)
    {
        if (known(name) is { } seen && IsToken(seen, token, visitor) && seen.GetAnnotation(Marks.Pod) == pod && IsOpen(seen, visitor)) return seen;
        var job = await jobs.FindAsync(name, cancellationToken) ?? throw new RefusedException(Refusal.Unknown);
        Check(job, token, visitor, pod);
        return job.GetAnnotation(Marks.Pod) == pod ? job : throw new RefusedException(Refusal.Taken);
    }

    private async Task<V1Job> MarkAsync(string name, string token, Visitor visitor, string pod, string mark, string value, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MarkAttempts; attempt++)
        {
            var job = await jobs.FindAsync(name, cancellationToken) ?? throw new RefusedException(Refusal.Unknown);
            // An answer may have been lost: what is done already is done. Only the orders are not given again to whom has them and has said so.
            if (job.GetAnnotation(mark) == value && job.GetAnnotation(Marks.Pod) == pod && IsToken(job, token, visitor) && (mark != Marks.Pod || IsOpen(job, visitor))) return job;
            Check(job, token, visitor, pod);
            if (mark != Marks.Pod && job.GetAnnotation(Marks.Pod) != pod) throw new RefusedException(Refusal.Taken);
            if (await jobs.MarkAsync(job, mark, value, cancellationToken) is { } marked) return marked;
        }
        throw new IOException($"The Job {name} changes all the time.");
    }

    private static void Check(V1Job job, string token, Visitor visitor, string pod)
    {
        if (!IsToken(job, token, visitor)) throw new RefusedException(Refusal.Unknown);
        if (job.GetAnnotation(Marks.Pod) is { } owner && owner != pod) throw new RefusedException(Refusal.Taken);
        if (!IsOpen(job, visitor)) throw new RefusedException(Refusal.Unknown);
    }

    private static bool IsOpen(V1Job job, Visitor visitor) =>
        job.GetAnnotation(visitor == Visitor.Fetch ? Marks.Fetched : Marks.Manifest) is null && job.GetAnnotation(Marks.Ended) is null && job.DeletionTimestamp() is null;

    private static bool IsToken(V1Job job, string token, Visitor visitor)
    {
        var hash = job.GetAnnotation(visitor == Visitor.Fetch ? Marks.FetchToken : Marks.CollectToken);
        return hash is not null && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(hash), Encoding.ASCII.GetBytes(Marks.HashOf(token)));
    }
}
