using Microsoft.AspNetCore.Http;
using Microsoft.Net.Http.Headers;
using WmfCi.Core;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Pages.Replay;

/// <summary>What <c>wmfci local --run N</c> fetches. A run that may not be known is answered just like one that never was.</summary>
/// <param name="runs">All runs.</param>
/// <param name="artifacts">What attempts left.</param>
/// <param name="store">Its bytes, and the sources'.</param>
public sealed class ReplayPages(RunTable runs, Artifacts artifacts, IArtifactStore store)
{
    /// <summary>How many artifacts a document lists. A run that left more for its own stages cannot be replayed elsewhere.</summary>
    public const int MaxFiles = 100_000;

    // The bytes of an address never change, but whether they may be known does: no cache that people share keeps them.
    private const string Unchanging = "private, max-age=31536000, immutable";

    /// <summary>What a run did, for a machine.</summary>
    public async Task<IResult> DocumentAsync(long run, CancellationToken cancellationToken)
    {
        if (await FindAsync(run, cancellationToken) is not { } found) return PageGuard.NotFound();
        if (found is not { Source: { Snapshot.Length: > 0 } source, Pipeline: { } pipeline }) return Nothing($"Run {run} has no stages to replay: {Words.Of(found).Word.ToLowerInvariant()}.");
        var (stages, files) = (new List<ReplayStage>(), 0);
        foreach (var stage in found.Stages)
        {
            if (stage.Latest is not { } latest) continue;
            var isNeeded = stage.Status == StageStatus.Succeeded && pipeline.Stages.Any(other => pipeline.NeededBy(other).Any(needed => needed.Id == stage.Stage));
            var left = isNeeded ? await artifacts.OfAttemptAsync(new AttemptId(found.Id, stage.Stage, latest.Number), cancellationToken) : [];
            stages.Add(new ReplayStage(stage.Stage, stage.Status, latest.Number, left.Where(file => !file.IsReport).Select(file => new ReplayFile(file.Path, file.Digest, file.Size)).ToValueArray()));
            if ((files += left.Count) > MaxFiles) return Nothing($"Run {run} left more than {MaxFiles} artifacts for its own stages; so many are not replayed.");
        }
        var about = new RunFacts(found.Change, found.Branch, found.PatchSet.Number, found.PatchSet.Revision);
        return Results.Json(new ReplayDocument(found.Id, about, source, pipeline, stages.ToValueArray()), CoreJson.Options);
    }

    /// <summary>The source of a run, a zstd-compressed tar.</summary>
    public async Task<IResult> SourceAsync(long run, HttpResponse response, CancellationToken cancellationToken)
    {
        if (await FindAsync(run, cancellationToken) is not { Source.Snapshot: { Length: > 0 } digest } || await store.OpenAsync(digest, cancellationToken) is not { } stream) return PageGuard.NotFound();
        response.Headers.CacheControl = Unchanging;
        return new FileAnswer(Results.Stream(stream, "application/zstd", $"run-{run}.tar.zst", entityTag: new EntityTagHeaderValue($"\"{digest}\"")));
    }

    // The stages of a run that took over another's result ran there.
    private async Task<Run?> FindAsync(long run, CancellationToken cancellationToken) => await RunPages.FindAsync(runs, run, cancellationToken) switch
    {
        { CarriedFrom: { } earlier } => await RunPages.FindAsync(runs, earlier.Value, cancellationToken),
        var found => found,
    };

    private static IResult Nothing(string why) => Results.Text(why + "\n", "text/plain; charset=utf-8", statusCode: StatusCodes.Status409Conflict);
}
