using System.Text;
using WmfCi.Core.Runs;
using WmfCi.Scenarios.World;

namespace WmfCi.Benchmarks.Stages;

/// <summary>Many stages at once on a cluster, of a few changes: a project, the service, and who watches.</summary>
internal sealed class Crowd : IAsyncDisposable
{
    // Bounds of one matrix's axis and of one pipeline.
    private const int AxisValues = 32, PipelineCells = 100;
    private readonly GerritPeer _gerrit;
    private readonly ClusterSite _site;
    private readonly string _project;

    private Crowd(GerritPeer gerrit, ClusterSite site, ServedProcess served, string project)
    {
        (_gerrit, _site, Served, _project) = (gerrit, site, served, project);
        Diary = new ClusterDiary(site.Cluster);
    }

    public ServedProcess Served { get; }

    public ClusterDiary Diary { get; }

    public static async Task<Crowd> OpenAsync(Choices choices, int slots, CancellationToken cancellationToken)
    {
        var gerrit = await choices.MeetGerritAsync(cancellationToken);
        var site = await ClusterSite.OpenAsync(slots, cancellationToken);
        var served = await ServedProcess.PrepareAsync(cancellationToken);
        served.Runner = site.Describe();
        var project = await gerrit.CreateProjectAsync(cancellationToken);
        await served.StartAsync(gerrit, project, choices, cancellationToken);
        return new Crowd(gerrit, site, served, project);
    }

    /// <summary>Has so many stages run, all with the same script.</summary>
    public async Task BeginAsync(int count, string script, CancellationToken cancellationToken)
    {
        using var alice = await Clone.MakeAsync(_gerrit, _project, "alice", cancellationToken);
        for (var left = count; left > 0; left -= PipelineCells)
        {
            await alice.ResetAsync("origin/main", cancellationToken);
            await alice.Write(".pipeline/config.yaml", PipelineOf(Math.Min(left, PipelineCells), script)).PushAsync($"{left} stages", cancellationToken);
        }
    }

    /// <summary>The attempts that run or ran, by the service's own table.</summary>
    public async Task<IReadOnlyList<AttemptId>> AttemptsAsync(CancellationToken cancellationToken) =>
        [.. (await Served.QueryAsync<string>("select distinct body->'attempt'->'run'->>'value' || '/' || (body->'attempt'->>'stage') from effects where body->>'do' = 'run-stage'", cancellationToken))
            .Select(text => new AttemptId(new RunId(long.Parse(text[..text.IndexOf('/')])), text[(text.IndexOf('/') + 1)..], 1))];

    /// <summary>How many stages' ends are recorded.</summary>
    public async Task<long> FinishedAsync(CancellationToken cancellationToken) =>
        (await Served.QueryAsync<long>("select count(*) from events where body->>'is' = 'stage-finished'", cancellationToken))[0];

    public async ValueTask DisposeAsync()
    {
        await Diary.DisposeAsync();
        await Served.DisposeAsync();
        await _site.DisposeAsync();
        await _gerrit.DisposeAsync();
    }

    private static string PipelineOf(int count, string script)
    {
        var step = $"[{{run: \"{script.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal)}\"}}]";
        var text = new StringBuilder($"image: {ClusterSite.Image}\ntimeout: 30m\ncommit: {step}\n");
        if (count > 1) text.Append("stages:\n");
        for (var (left, stage) = (count - 1, 1); left > 0; left -= AxisValues, stage++)
            text.Append($"  many-{stage}:\n    needs: []\n    steps: {step}\n    matrix:\n      n: [{string.Join(", ", Enumerable.Range(1, Math.Min(left, AxisValues)))}]\n");
        return text.ToString();
    }
}
