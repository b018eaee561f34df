using System.Globalization;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Git;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Effects;

/// <summary>
/// The VCS role: fetches a patch set with its branch, merges the two as the code review would, reads the pipeline from the result, and publishes the source. The only
/// part that has git credentials.
/// </summary>
/// <param name="mirrors">The mirrors.</param>
/// <param name="review">Tells how a project merges.</param>
/// <param name="store">Where sources are published.</param>
/// <param name="artifacts">What is published already.</param>
/// <param name="identity">Who is named in merge commits.</param>
/// <param name="upkeep">Told which mirrors were used.</param>
public sealed class SourceEffects(Mirror mirrors, ICodeReview review, IArtifactStore store, Artifacts artifacts, MergeIdentity identity, MirrorKeeper upkeep)
{
    /// <summary>How long a merge may take. Texts can be made on which comparing lines takes hours.</summary>
    public static readonly TimeSpan MaxMergeTime = TimeSpan.FromMinutes(1);

    /// <summary>How many files in conflict are remembered.</summary>
    public const int MaxConflicts = 200;

    /// <summary>How often something that is not there, or cannot be read, is looked for before it is the change's fault and not the mirror's.</summary>
    public const int MaxLooks = 3;

    private const int MaxNameShown = 200;

    /// <summary>The bound on merging.</summary>
    public TimeSpan MergeTime { get; init; } = MaxMergeTime;

    /// <summary>Carries out an effect of the pool <see cref="Pools.Vcs"/>.</summary>
    public async Task<EffectResult> HandleAsync(EffectClaim claim, Task stop, CancellationToken cancellationToken)
    {
        var wanted = (Effect.PrepareSource)claim.Effect;
        try
        {
            return EffectResult.Of(await PrepareAsync(wanted, cancellationToken));
        }
        catch (GitFetchException error) when (error.Kind is GitFetchErrorKind.NotFound && claim.Attempts >= MaxLooks)
        {
            return EffectResult.Of(new Event.SourceRefused(
                wanted.Run, $"the branch {PlainText.Line(wanted.Branch, MaxNameShown)} or the patch set is not there, or may not be read by the CI account. Create the branch or move the change, then comment \"recheck\"."));
        }
        catch (GitFetchException error)
        {
            throw new SourceException(error.Message, error.Kind is GitFetchErrorKind.Denied ? FailureClass.Permanent : FailureClass.Transient, error);
        }
        catch (ArgumentException error)
        {
            throw new SourceException($"Git cannot fetch it: {error.Message}", FailureClass.Permanent, error);
        }
        catch (GitObjectException error) when (claim.Attempts < MaxLooks)
        {
            // The mirror may be to blame, which another fetch may mend.
            throw new SourceException(error.Message, FailureClass.Transient, error);
        }
        catch (Exception error) when (error is SnapshotTooLargeException or BlobTooLargeException or GitObjectException)
        {
            return EffectResult.Of(new Event.SourceRefused(wanted.Run, error.Message));
        }
    }

    private async Task<Event> PrepareAsync(Effect.PrepareSource wanted, CancellationToken cancellationToken)
    {
        var project = wanted.Change.Project;
        var branch = $"refs/heads/{wanted.Branch}";
        var settings = review.ReadMergeSettingsAsync(project, cancellationToken);
        var tips = await mirrors.FetchAsync(project, [branch, wanted.PatchSet.Ref], cancellationToken);
        upkeep.Used(project);
        if (tips[wanted.PatchSet.Ref] != wanted.PatchSet.Revision)
            return new Event.SourceRefused(wanted.Run, $"{wanted.PatchSet.Ref} is not {wanted.PatchSet.Revision} any more.");

        using var repository = mirrors.Open(project);
        switch (Merged(repository, (tips[branch], wanted.PatchSet.Revision), identity.Apply(await settings), cancellationToken))
        {
            case null:
                return new Event.SourceRefused(
                    wanted.Run, string.Create(CultureInfo.InvariantCulture, $"merging it with its branch took longer than {MergeTime.TotalSeconds:0} s. Rebase the change, or split very long files that both sides changed."));
            case MergeResult.Conflict { Paths.IsEmpty: false } conflict:
                return new Event.SourceConflicted(wanted.Run, conflict.Paths.Take(MaxConflicts).Select(path => path.Quoted).ToValueArray());
            case MergeResult.Conflict conflict:
                return new Event.SourceRefused(wanted.Run, conflict.Reason);
            case MergeResult.NotFastForward refused:
                return new Event.SourceRefused(wanted.Run, refused.Reason);
            case MergeResult.AlreadyMerged merged:
                return await ReadAsync(wanted, repository, new Merge(merged.Commit, merged.Tree, tips[branch]), cancellationToken);
            case MergeResult.Merged merged:
                return await ReadAsync(wanted, repository, new Merge(merged.Commit, merged.Tree, tips[branch]), cancellationToken);
            default:
                throw new InvalidOperationException("A merge came to something unknown.");
        }
    }

    private MergeResult? Merged(BareRepository repository, (string Ours, string Theirs) pair, Git.MergeSettings settings, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(MergeTime);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return SpeculativeMerge.Run(repository, pair.Ours, pair.Theirs, settings, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<Event> ReadAsync(Effect.PrepareSource wanted, BareRepository repository, Merge merge, CancellationToken cancellationToken)
    {
        byte[]? file;
        try
        {
            file = SourceFiles.ReadFile(repository, merge.Commit, PipelineFile.Path, YamlLimits.FileBytes);
        }
        catch (SnapshotTooLargeException)
        {
            var mistake = new ConfigMistake(PipelineFile.Path, 1, 1, $"The file is larger than {YamlLimits.FileBytes / 1024} KiB.", "Move long scripts into files of the repository and call them.");
            return Prepared(wanted, merge, "", [], null, [mistake]);
        }
        // A repository that asks for nothing is not even published.
        if (file is null) return Prepared(wanted, merge, "", [], null, []);
        switch (PipelineFile.Read(PipelineFile.Path, file))
        {
            case PipelineReading.Invalid invalid:
                return Prepared(wanted, merge, "", [], null, invalid.Mistakes);
            case PipelineReading.Valid valid:
                var history = valid.Pipeline.Stages.Any(stage => stage.HasHistory);
                var (digest, submodules) = await PublishAsync(wanted.Change.Project, repository, merge, history, cancellationToken);
                return Prepared(wanted, merge, digest, submodules, valid.Pipeline, []);
            default:
                throw new InvalidOperationException("A pipeline file came to something unknown.");
        }
    }

    private static Event.SourcePrepared Prepared(
        Effect.PrepareSource wanted, Merge merge, string digest, ValueArray<Core.Runs.Submodule> submodules, Pipeline? pipeline, ValueArray<ConfigMistake> mistakes) =>
        new(wanted.Run, new Source(merge.Commit, merge.Tree, merge.Base, digest, submodules), pipeline, mistakes);

    private async Task<(string Digest, ValueArray<Core.Runs.Submodule> Submodules)> PublishAsync(
        string project, BareRepository repository, Merge merge, bool history, CancellationToken cancellationToken)
    {
        // With history the commit is part of the source: another commit with the same tree is another snapshot.
        var key = history ? merge.Commit : merge.Tree;
        if (await artifacts.FindSnapshotAsync(project, key, history, cancellationToken) is { } known)
            return (known.Digest, known.Submodules);

        var (blob, submodules) = await PublishedSource.PutAsync(store, repository, (merge.Commit, history), cancellationToken);
        await artifacts.AddSnapshotAsync(project, key, history, new StoredSnapshot(blob.Digest, blob.Size, submodules), cancellationToken);
        return (blob.Digest, submodules);
    }

    private sealed record Merge(string Commit, string Tree, string Base);
}

/// <summary>Who is named in the merge commits that are made for testing.</summary>
/// <param name="Name">The name.</param>
/// <param name="Email">The address.</param>
public sealed record MergeIdentity(string Name, string Email)
{
    /// <summary>The merge as a project wants it.</summary>
    public Git.MergeSettings Apply(Ports.MergeSettings project) => new()
    {
        UseContentMerge = project.UseContentMerge,
        IdentityName = Name,
        IdentityEmail = Email,
        SubmitType = project.SubmitType switch
        {
            "FAST_FORWARD_ONLY" => SubmitType.FastForwardOnly,
            "MERGE_ALWAYS" => SubmitType.MergeAlways,
            "REBASE_IF_NECESSARY" => SubmitType.RebaseIfNecessary,
            "REBASE_ALWAYS" => SubmitType.RebaseAlways,
            "CHERRY_PICK" => SubmitType.CherryPick,
            _ => SubmitType.MergeIfNecessary,
        },
    };
}
