using WmfCi.Config;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Yaml;
using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Git;
using WmfCi.Ports;
using WmfCi.Service.Effects;

namespace WmfCi.Service.Local;

/// <summary>Plans what a working tree asks for, uncommitted changes included.</summary>
internal static class WorkTreePlan
{
    /// <summary>Records the working tree, reads its pipeline and stores its source.</summary>
    /// <exception cref="LocalException">It cannot be run, and why.</exception>
    public static async Task<LocalPlan> MakeAsync(LocalRequest request, IArtifactStore store, LocalOutput output, CancellationToken cancellationToken)
    {
        try
        {
            using var tree = await WorkTree.RecordAsync(request.Folder, cancellationToken);
            var pipeline = Read(tree, request.Folder, output);
            var chosen = request.Stages.Count == 0 ? [.. pipeline.Stages] : StageChoice.Named(pipeline, request.Stages);
            pipeline = StageChoice.WithNeeds(pipeline, chosen, _ => false);
            var (blob, submodules) = await PublishedSource.PutAsync(store, tree.Repository, (tree.Commit, pipeline.Stages.Any(stage => stage.HasHistory)), cancellationToken);
            output.Line($"{tree.Project}, {tree.Branch}: {(tree.Commit == tree.Head ? $"commit {Shortened(tree.Commit)}" : $"working tree {Shortened(tree.Tree)}")}");
            foreach (var submodule in submodules) output.Line($"The submodule {submodule.Path} is an empty folder, as on the server.");
            return new LocalPlan
            {
                Pipeline = pipeline,
                Source = new Source(tree.Commit, tree.Tree, tree.Head ?? "", blob.Digest, submodules),
                About = new RunFacts(new ChangeId(tree.Project, 0), tree.Branch, 0, tree.Head ?? tree.Commit),
            };
        }
        catch (Exception error) when (error is WorkTreeException or GitObjectException or SnapshotTooLargeException or BlobTooLargeException)
        {
            throw new LocalException(error.Message, error);
        }
    }

    private static Core.Pipelines.Pipeline Read(WorkTree tree, string folder, LocalOutput output)
    {
        var shown = Path.GetRelativePath(Environment.CurrentDirectory, Path.Combine(tree.Root, PipelineFile.Path));
        var file = SourceFiles.ReadFile(tree.Repository, tree.Commit, PipelineFile.Path, YamlLimits.FileBytes)
            ?? throw new LocalException(File.Exists(Path.Combine(tree.Root, PipelineFile.Path))
                ? $"{shown} is ignored by git, so it would not be in a commit; see: git check-ignore -v {PipelineFile.Path}"
                : $"There is no {shown}, so CI does nothing with {Path.GetFullPath(folder)}. docs/pipeline.md says what to write into it.");
        if (PipelineFile.Read(PipelineFile.Path, file) is PipelineReading.Valid valid) return valid.Pipeline;
        foreach (var line in ValidationReport.OfPipeline(shown, file).Lines) output.Line(line);
        throw new LocalException($"{shown} has mistakes; nothing was run.");
    }

    private static string Shortened(string id) => id.Length > 12 ? id[..12] : id;
}
