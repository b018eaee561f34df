using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Git;
using WmfCi.Ports;
using WmfCi.Service.Pages.Replay;

namespace WmfCi.Service.Local;

/// <summary>Plans a run of the server again: its pipeline, its source, its facts, and the artifacts of the stages that are not run again.</summary>
internal static class ReplayPlan
{
    /// <summary>How much is fetched of a run's artifacts, in bytes.</summary>
    public const long MaxArtifactBytes = 16L << 30;

    private const string Setting = "wmfci.server";

    /// <summary>Fetches what is needed; what is here already is not fetched again.</summary>
    /// <exception cref="LocalException">It cannot be had, and why.</exception>
    public static async Task<LocalPlan> MakeAsync(LocalRequest request, long number, (LocalCache Cache, LocalPlace Place) here, LocalOutput output, CancellationToken cancellationToken)
    {
        using var client = new ReplayClient(await ServerAsync(request, here.Place, cancellationToken), here.Cache);
        if (client.IsOpen) await here.Place.Error.WriteLineAsync($"wmfci: {client.Server} is not reached by https: what it says could be another's words.");
        var document = await client.ReadAsync(number, cancellationToken);
        var done = document.Stages.Where(stage => stage.Status == StageStatus.Succeeded).ToDictionary(stage => stage.Stage, StringComparer.Ordinal);
        var chosen = request.Stages.Count > 0 ? StageChoice.Named(document.Pipeline, request.Stages) : Failed(document);
        var pipeline = StageChoice.WithNeeds(document.Pipeline, chosen, stage => done.ContainsKey(stage.Id));
        var given = pipeline.Stages.Where(stage => done.ContainsKey(stage.Id) && !chosen.Contains(stage)).Select(stage => done[stage.Id]).ToList();
        output.Line($"{document.About.Change.Project}, {document.About.Branch}: run {document.Run} of change {document.About.Change.Number}, patch set {document.About.PatchSet}{(document.Run.Value == number ? "" : $", whose result run {number} took over")}");
        await client.FetchSourceAsync(number, document.Source.Snapshot, output, cancellationToken);
        await FetchAsync(client, document.Run, given, output, cancellationToken);
        return new LocalPlan
        {
            Pipeline = pipeline,
            Source = document.Source,
            About = document.About,
            Told = document.Run,
            Given = given.ToDictionary(stage => stage.Stage, stage => stage.Files.Select(file => new CollectedFile(file.Path, new Blob(file.Digest, file.Size), IsReport: false)).ToValueArray(), StringComparer.Ordinal),
            Attempts = document.Stages.ToDictionary(stage => stage.Stage, stage => stage.Attempt, StringComparer.Ordinal),
        };
    }

    private static List<Core.Pipelines.Stage> Failed(ReplayDocument document)
    {
        var failed = document.Stages.Where(stage => stage.Status == StageStatus.Failed).Select(stage => stage.Stage).ToHashSet(StringComparer.Ordinal);
        var stages = document.Pipeline.Stages.Where(stage => failed.Contains(stage.Id)).ToList();
        return stages.Count > 0 ? stages : [.. document.Pipeline.Stages];
    }

    private static async Task FetchAsync(ReplayClient client, RunId run, List<ReplayStage> given, LocalOutput output, CancellationToken cancellationToken)
    {
        var bytes = given.SelectMany(stage => stage.Files).Sum(file => (decimal)file.Size);
        if (bytes > MaxArtifactBytes) throw new LocalException($"The artifacts of the earlier stages have {bytes} bytes; at most {MaxArtifactBytes} are fetched. Name those stages too, so that they are run here.");
        foreach (var stage in given) await client.FetchFilesAsync(new AttemptId(run, stage.Stage, stage.Attempt), stage.Files, output, cancellationToken);
    }

    private static async Task<Uri> ServerAsync(LocalRequest request, LocalPlace place, CancellationToken cancellationToken)
    {
        var text = request.Server ?? place.Server ?? await WorkTree.SettingAsync(request.Folder, Setting, cancellationToken)
            ?? throw new LocalException($"Which server has the run? Name it with --server https://ci.example.org, or for good: git config --global {Setting} https://ci.example.org");
        return Uri.TryCreate(text, UriKind.Absolute, out var server) && (server.Scheme == Uri.UriSchemeHttps || server.Scheme == Uri.UriSchemeHttp) && server is { UserInfo: "", Query: "", Fragment: "" }
            ? server
            : throw new LocalException($"“{PlainText.Line(text, 200)}” is no address of a server; write one like https://ci.example.org");
    }
}
