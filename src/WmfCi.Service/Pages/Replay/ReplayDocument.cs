using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Service.Pages.Replay;

/// <summary>All that is needed to run a run's stages again elsewhere as they ran here, but for the bytes. It is what <c>/replays/N</c> answers.</summary>
/// <param name="Run">Whose stages these are; another run than was asked for where that one took over this one's result.</param>
/// <param name="About">What the steps are told about the change.</param>
/// <param name="Source">What was tested; its snapshot is at <c>/replays/N/source</c>.</param>
/// <param name="Pipeline">The stages as they were planned: expanded, with every default filled in.</param>
/// <param name="Stages">What became of those that began.</param>
public sealed record ReplayDocument(RunId Run, RunFacts About, Source Source, Pipeline Pipeline, ValueArray<ReplayStage> Stages);

/// <summary>What became of a stage.</summary>
/// <param name="Stage">Its id.</param>
/// <param name="Status">Where it stands.</param>
/// <param name="Attempt">Its newest attempt, from 1.</param>
/// <param name="Files">The artifacts that it left for the stages that need it; empty where none does, or where it did not succeed.</param>
public sealed record ReplayStage(string Stage, StageStatus Status, int Attempt, ValueArray<ReplayFile> Files);

/// <summary>An artifact of a stage; its bytes are where the stage's page links to them.</summary>
/// <param name="Path">Relative to the workspace, with slashes.</param>
/// <param name="Digest">Its SHA-256.</param>
/// <param name="Size">In bytes.</param>
public sealed record ReplayFile(string Path, string Digest, long Size);
