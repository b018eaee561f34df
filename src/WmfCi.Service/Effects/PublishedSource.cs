using System.IO.Pipelines;
using WmfCi.Core;
using WmfCi.Git;
using WmfCi.Ports;

namespace WmfCi.Service.Effects;

/// <summary>A source in the store.</summary>
/// <param name="Blob">What the store has of it.</param>
/// <param name="Submodules">The repositories within it, recorded and not fetched.</param>
internal sealed record PublishedSource(Blob Blob, ValueArray<Core.Runs.Submodule> Submodules)
{
    /// <summary>How many submodules a source may name; all of them are remembered with every run.</summary>
    public const int MaxSubmodules = 1000;

    /// <summary>The largest snapshot that is published, compressed.</summary>
    public const long MaxBytes = 8L << 30;

    /// <summary>Writes the snapshot of a commit into the store while it is made.</summary>
    /// <exception cref="SnapshotTooLargeException">It has more than may be published.</exception>
    /// <exception cref="GitObjectException">Something of it is missing.</exception>
    /// <exception cref="BlobTooLargeException">It is larger than <see cref="MaxBytes"/>.</exception>
    public static async Task<PublishedSource> PutAsync(IArtifactStore store, BareRepository repository, (string Id, bool HasHistory) commit, CancellationToken cancellationToken)
    {
        var pipe = new Pipe();
        var storing = StoreAsync(store, pipe.Reader, cancellationToken);
        SnapshotSummary summary;
        try
        {
            summary = await SourceSnapshot.Write(repository, commit.Id, pipe.Writer.AsStream(leaveOpen: true), SnapshotOptions.Default with { IncludeHistory = commit.HasHistory }, cancellationToken);
            await pipe.Writer.CompleteAsync();
        }
        catch (Exception error)
        {
            await pipe.Writer.CompleteAsync(error);
            await ((Task)storing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }
        var blob = await storing;
        if (summary.Submodules.Length > MaxSubmodules) throw new SnapshotTooLargeException($"The source names {summary.Submodules.Length} submodules; {MaxSubmodules} are allowed.");
        return new PublishedSource(blob, summary.Submodules.Select(one => new Core.Runs.Submodule(one.Path.Text, one.Commit, one.Url ?? "")).ToValueArray());
    }

    // A store that fails while the source is written must end the writing, which would else wait for it for ever.
    private static async Task<Blob> StoreAsync(IArtifactStore store, PipeReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await store.PutAsync(reader.AsStream(leaveOpen: true), MaxBytes, cancellationToken);
        }
        catch (Exception error)
        {
            await reader.CompleteAsync(error);
            throw;
        }
    }
}
