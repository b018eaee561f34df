using System.Globalization;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Hosting;
using Microsoft.Net.Http.Headers;
using WmfCi.Core.Policies;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Service.Pages.Terminal;
using WmfCi.Service.Pages.Views;
using WmfCi.Storage;

namespace WmfCi.Service.Pages;

/// <summary>The pages of attempts: what happened, the log, the artifacts.</summary>
/// <param name="runs">All runs.</param>
/// <param name="artifacts">What attempts left.</param>
/// <param name="store">Its bytes.</param>
/// <param name="logs">Growing logs.</param>
public sealed class StagePages(RunTable runs, Artifacts artifacts, IArtifactStore store, Logs logs)
{
    /// <summary>The page of an attempt.</summary>
    /// <param name="at">Which.</param>
    /// <param name="from">The first line to show; null for the end of the log.</param>
    /// <param name="reader">Reads the log.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IResult> StageAsync(AttemptRoute at, string? from, LogReader reader, CancellationToken cancellationToken)
    {
        if (await RunPages.FindAsync(runs, at.Run, cancellationToken) is not { } run || at.FindStage(run) is not { } stage) return PageGuard.NotFound();
        // The stages of a run that took over another's result have their logs and artifacts there.
        if (run.CarriedFrom is { } earlier) return Results.Redirect(Links.Path(earlier, stage.Stage));
        if (!TryLine(from, out var line)) return PageGuard.NotFound();
        var attempt = at.Attempt is { } number ? stage.Attempts.FirstOrDefault(one => one.Number == number) : stage.Latest;
        if (attempt is null) return at.Attempt is null ? Page.Of<StagePage>(new StageModel(run, stage, null, [], null, null)) : PageGuard.NotFound();
        var id = new AttemptId(run.Id, stage.Stage, attempt.Number);
        var files = await artifacts.OfAttemptAsync(id, cancellationToken);
        var log = await reader.ReadAsync(id, line, cancellationToken);
        return Page.Of<StagePage>(new StageModel(run, stage, attempt, files, log, attempt.Outcome?.Tests));
    }

    /// <summary>The log as it was printed.</summary>
    public async Task<IResult> RawAsync(AttemptRoute at, CancellationToken cancellationToken)
    {
        if (await FindAsync(at, cancellationToken) is not { } id || await logs.FindAsync(id, cancellationToken) is not { } state) return PageGuard.NotFound();
        if (state.Digest is not { } digest) return new FileAnswer(Results.Stream(output => CopyGrowingAsync(id, output, cancellationToken), "text/plain; charset=utf-8"));
        return await store.OpenAsync(digest, cancellationToken) is { } stream
            ? new FileAnswer(Results.Stream(stream, "text/plain; charset=utf-8", entityTag: Tag(digest), enableRangeProcessing: true))
            : PageGuard.NotFound();
    }

    /// <summary>What the log gains.</summary>
    public async Task<IResult> EventsAsync(AttemptRoute at, HttpContext http, LogFollowServices follow)
    {
        var leaving = CancellationTokenSource.CreateLinkedTokenSource(http.RequestAborted, follow.Lifetime.ApplicationStopping);
        http.Response.RegisterForDispose(leaving);
        if (await FindAsync(at, leaving.Token) is not { } id) return PageGuard.NotFound();
        // A browser that comes back says where it was; the first time the page says it.
        var place = http.Request.Headers["Last-Event-ID"].ToString() is { Length: > 0 } last ? last : http.Request.Query["from"].ToString();
        if (!LogPlace.TryParse(place, out var from)) from = default;
        if (follow.Followers.Join(id.ToString()) is not { } follower) return PageGuard.Busy();
        http.Response.RegisterForDispose(follower);
        http.Response.Headers["X-Accel-Buffering"] = "no";
        return TypedResults.ServerSentEvents(QuietlyAsync(follow.Follow.EventsAsync(id, from, follower, leaving.Token), leaving.Token));
    }

    /// <summary>A file that an attempt left. It is looked up by its whole path among what was recorded; no path from outside reaches a file system.</summary>
    public async Task<IResult> ArtifactAsync(AttemptRoute at, string path, CancellationToken cancellationToken)
    {
        if (await FindAsync(at, cancellationToken) is not { } id) return PageGuard.NotFound();
        var file = (await artifacts.OfAttemptAsync(id, cancellationToken)).FirstOrDefault(one => one.Path == path);
        if (file is null || await store.OpenAsync(file.Digest, cancellationToken) is not { } stream) return PageGuard.NotFound();
        var isShown = ShownType(file.Path) is not null;
        return new FileAnswer(
            Results.Stream(stream, ShownType(file.Path) ?? "application/octet-stream", isShown ? null : FileName(file.Path), entityTag: Tag(file.Digest), enableRangeProcessing: true));
    }

    private async Task<AttemptId?> FindAsync(AttemptRoute at, CancellationToken cancellationToken) =>
        await RunPages.FindAsync(runs, at.Run, cancellationToken) is { } run && at.FindStage(run) is { } stage && stage.Attempts.Any(one => one.Number == at.Attempt)
            ? new AttemptId(run.Id, stage.Stage, at.Attempt!.Value)
            : null;

    private async Task CopyGrowingAsync(AttemptId id, Stream output, CancellationToken cancellationToken)
    {
        for (long next = 0; ;)
        {
            var pieces = await logs.ReadAsync(id, next, LogReader.PiecesAtOnce, cancellationToken);
            foreach (var piece in pieces)
            {
                await output.WriteAsync(piece.Bytes, cancellationToken);
                next = piece.Start + Math.Max(1, piece.Bytes.Length);
            }
            if (pieces.Count < LogReader.PiecesAtOnce) return;
        }
    }

    // A service that stops, or a reader who leaves, ends the events; neither is a failure.
    private static async IAsyncEnumerable<SseItem<string>> QuietlyAsync(IAsyncEnumerable<SseItem<string>> events, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var each = events.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await each.MoveNextAsync()) yield break;
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                yield break;
            }
            yield return each.Current;
        }
    }

    private static bool TryLine(string? text, out long? line)
    {
        line = null;
        if (text is null) return true;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number < 1) return false;
        line = number;
        return true;
    }

    // Two kinds may open in the browser, in a sandbox and never guessed at: text and pictures that hold no code. Everything else is saved.
    private static string? ShownType(string path) => Path.GetExtension(path).ToLowerInvariant() switch
    {
        ".txt" or ".log" => "text/plain; charset=utf-8",
        ".png" => "image/png",
        _ => null,
    };

    private static string FileName(string path) => path[(path.LastIndexOf('/') + 1)..] is { Length: > 0 } name ? name : "file";

    private static EntityTagHeaderValue Tag(string digest) => new($"\"{digest}\"");
}

/// <summary>An attempt as an address names it.</summary>
/// <param name="Run">The run's number.</param>
/// <param name="Stage">The stage as the server's path has it: an escaped slash in it stays escaped.</param>
/// <param name="Attempt">The attempt's number; null for the newest.</param>
public sealed record AttemptRoute(long Run, string Stage, int? Attempt)
{
    /// <summary>The stage that is meant.</summary>
    public StageRun? FindStage(Run run) =>
        run.Stages.FirstOrDefault(one => one.Stage == Stage) ?? run.Stages.FirstOrDefault(one => one.Stage.Replace("/", "%2F", StringComparison.Ordinal) == Stage);
}

/// <summary>What following a log needs.</summary>
/// <param name="Follow">Reads it.</param>
/// <param name="Followers">Wakes whoever follows.</param>
/// <param name="Lifetime">Ends it when the service stops.</param>
public sealed record LogFollowServices(LogFollow Follow, LogFollowers Followers, IHostApplicationLifetime Lifetime);

/// <summary>Bytes that an untrusted stage made: whatever a browser shows of them, it shows in a sandbox.</summary>
internal sealed class FileAnswer(IResult file) : IResult
{
    public Task ExecuteAsync(HttpContext httpContext)
    {
        httpContext.Response.Headers.ContentSecurityPolicy = PageGuard.FilePolicy;
        return file.ExecuteAsync(httpContext);
    }
}
