using System.Net;
using System.Text.Json;
using WmfCi.Config.Pipelines;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.ObjectStore;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Pages;
using WmfCi.Service.Pages.Replay;

namespace WmfCi.Service.Local;

/// <summary>
/// Fetches a run from its server. Everything is kept under the digest of what really came, and used only where that is the digest that was named; nothing that the
/// server says becomes a path on this machine.
/// </summary>
internal sealed class ReplayClient : IDisposable
{
    /// <summary>The largest document that is read.</summary>
    public const long MaxDocumentBytes = 64L << 20;

    /// <summary>How long fetching one thing may take.</summary>
    public static readonly TimeSpan MaxTime = TimeSpan.FromMinutes(30);

    private static readonly TimeSpan ConnectTime = TimeSpan.FromSeconds(15);
    private static readonly JsonSerializerOptions Json = new(CoreJson.Options) { RespectNullableAnnotations = true };
    private readonly HttpClient _http;
    private readonly LocalCache _cache;

    /// <summary>A client; it asks for nothing yet.</summary>
    public ReplayClient(Uri server, LocalCache cache)
    {
        Server = server.AbsoluteUri.TrimEnd('/');
        IsOpen = server.Scheme != Uri.UriSchemeHttps && !server.IsLoopback;
        _cache = cache;
        // Certificates are checked, as is the default; an answer is never followed from https to http.
        _http = new HttpClient(new SocketsHttpHandler { ConnectTimeout = ConnectTime, MaxAutomaticRedirections = 3 }) { Timeout = Timeout.InfiniteTimeSpan };
    }

    /// <summary>The server's address, without a slash at the end.</summary>
    public string Server { get; }

    /// <summary>Whether somebody between could read and change what comes.</summary>
    public bool IsOpen { get; }

    /// <summary>Reads what a run did.</summary>
    /// <exception cref="LocalException">There is no such run, or it says nothing that could be replayed.</exception>
    public async Task<ReplayDocument> ReadAsync(long run, CancellationToken cancellationToken)
    {
        var what = $"run {run}";
        var blob = await FetchAsync($"/replays/{run}", what, MaxDocumentBytes, cancellationToken);
        try
        {
            await using var content = await _cache.OpenAsync(blob.Digest, cancellationToken) ?? throw new IOException($"{what} is gone from the cache.");
            var document = await JsonSerializer.DeserializeAsync<ReplayDocument>(content, Json, cancellationToken);
            return document is not null && Problem(document) is not { } problem ? document : throw new JsonException(document is null ? "it is null" : Problem(document));
        }
        catch (JsonException error)
        {
            throw new LocalException($"{Server} says of {what} what this wmfci does not understand; are both of the same version? {PlainText.Line(error.Message, 200)}", error);
        }
    }

    /// <summary>Fetches the source of a run.</summary>
    public async Task FetchSourceAsync(long run, string digest, LocalOutput output, CancellationToken cancellationToken)
    {
        if (_cache.Has(digest)) return;
        output.Line($"Fetching the source from {Server}.");
        await FetchAsync($"/replays/{run}/source", "its source", (digest, PublishedSource.MaxBytes), cancellationToken);
    }

    /// <summary>Fetches what a stage left for those that need it.</summary>
    public async Task FetchFilesAsync(AttemptId attempt, ValueArray<ReplayFile> files, LocalOutput output, CancellationToken cancellationToken)
    {
        var missing = files.Where(file => !_cache.Has(file.Digest, file.Size)).ToList();
        if (missing.Count > 0) output.Line($"Fetching {missing.Count} artifacts of {attempt.Stage} from {Server}.");
        foreach (var file in missing) await FetchAsync(PagePaths.Artifact(attempt, file.Path), $"the artifact {file.Path} of {attempt.Stage}", (file.Digest, file.Size), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    // What the rules and the runner take for granted about a pipeline that was read from a file.
    private static string? Problem(ReplayDocument document)
    {
        var ids = new HashSet<string>(StringComparer.Ordinal);
        if (document.Pipeline.Stages.Count is 0 or > PipelineLimits.Cells) return $"a pipeline has 1 to {PipelineLimits.Cells} stages";
        foreach (var stage in document.Pipeline.Stages)
        {
            if (stage is null || !ids.Add(stage.Id)) return "a stage is there twice";
            if (stage.Timeout < PipelineLimits.ShortestTimeout || stage.Timeout > PipelineLimits.LongestTimeout) return "a timeout is out of bounds";
            if (stage.Image.StartsWith('-')) return "an image's name begins with a dash";
            if (stage.Steps.Any(step => step is null) || stage.Environment.Any(one => one is null) || stage.Services.Any(one => one is null)) return "a part of a stage is null";
        }
        if (!FolderStore.IsDigest(document.Source.Snapshot)) return "the source has no digest";
        if (document.Stages.Any(stage => stage is null || !ids.Remove(stage.Stage))) return "a result is there twice, or belongs to no stage";
        return document.Stages.SelectMany(stage => stage.Files).Any(file => file is null || file.Size < 0 || !FolderStore.IsDigest(file.Digest)) ? "an artifact has no digest or no size" : null;
    }

    private async Task FetchAsync(string path, string what, (string Digest, long MaxBytes) wanted, CancellationToken cancellationToken)
    {
        var blob = await FetchAsync(path, what, wanted.MaxBytes, cancellationToken);
        if (blob.Digest != wanted.Digest) throw new LocalException($"{Server} gave other bytes for {PlainText.Line(what, 200)} than those that the run used: SHA-256 {blob.Digest} instead of {wanted.Digest}.");
    }

    private async Task<Blob> FetchAsync(string path, string what, long maxBytes, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(MaxTime);
        what = PlainText.Line(what, 200);
        try
        {
            using var answer = await _http.GetAsync(new Uri(Server + path), HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (answer.StatusCode != HttpStatusCode.OK) throw new LocalException(await RefusalAsync(answer, what, limit.Token));
            await using var content = await answer.Content.ReadAsStreamAsync(limit.Token);
            return await _cache.PutAsync(content, maxBytes, limit.Token);
        }
        catch (HttpRequestException error)
        {
            throw new LocalException($"{Server} cannot be reached for {what}: {error.InnerException?.Message ?? error.Message}", error);
        }
        catch (BlobTooLargeException error)
        {
            throw new LocalException($"{Server} gave more than {maxBytes} bytes for {what}.", error);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new LocalException($"{Server} did not give {what} within {MaxTime.TotalMinutes:0} minutes.", error);
        }
    }

    private async Task<string> RefusalAsync(HttpResponseMessage answer, string what, CancellationToken cancellationToken)
    {
        const int maxShown = 300;
        if (answer.StatusCode == HttpStatusCode.NotFound) return $"{Server} has no {what}, or it may not be known.";
        if (answer.StatusCode != HttpStatusCode.Conflict) return $"{Server} answered {(int)answer.StatusCode} when asked for {what}.";
        var buffer = new byte[maxShown];
        await using var content = await answer.Content.ReadAsStreamAsync(cancellationToken);
        var read = await content.ReadAtLeastAsync(buffer, maxShown, throwOnEndOfStream: false, cancellationToken);
        return PlainText.Line(System.Text.Encoding.UTF8.GetString(buffer, 0, read).Trim(), maxShown);
    }
}
