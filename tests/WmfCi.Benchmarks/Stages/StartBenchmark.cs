using System.Globalization;
using System.Text;
using WmfCi.Core.Changes;
using WmfCi.Core.Runs;
using WmfCi.Scenarios.World;
using WmfCi.Storage;

namespace WmfCi.Benchmarks.Stages;

/// <summary>Push after push, each waited for: when did the container of its first step run on the cluster, when was its first output to be seen, when its vote, and what came between.</summary>
internal static class StartBenchmark
{
    private const int DefaultCount = 30;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(10);

    private static readonly string[] Steps =
    [
        "push returned → decided to run the stage (read, merge, publish)", "→ Job created", "→ pod exists", "→ pod bound to the node", "→ fetch asks for its orders (volumes, network, container)",
        "→ workspace laid out", "→ first command runs", "→ the API server says so", "→ first output in the store",
    ];

    private static readonly string[] Ends = ["last command → the API server says that the step ended", "→ files and logs collected", "→ result recorded", "→ vote visible"];

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        await using var gerrit = await choices.MeetGerritAsync(cancellationToken);
        await using var site = await ClusterSite.OpenAsync(slots: 4, cancellationToken);
        await using var served = await ServedProcess.PrepareAsync(cancellationToken);
        served.Runner = site.Describe();
        var project = await gerrit.CreateProjectAsync(cancellationToken);
        await served.StartAsync(gerrit, project, choices, cancellationToken);
        await using var diary = new ClusterDiary(site.Cluster);
        using var alice = await Clone.MakeAsync(gerrit, project, "alice", cancellationToken);
        await alice.Write(".pipeline/config.yaml", $"image: {ClusterSite.Image}\ncommit: [date +%s.%N, \"sleep 1; date +%s.%N\"]\n").PushToBranchAsync("Begin", cancellationToken);
        using var eye = gerrit.ClientOf("admin");
        var measured = new List<Measured>();
        for (var push = 0; push < choices.WarmUp + (choices.Count ?? DefaultCount); push++)
        {
            // Pushes that keep step with a clock of the node's would all meet it at the same place.
            await Task.Delay(Random.Shared.Next(1000), cancellationToken);
            await alice.ResetAsync("origin/main", cancellationToken);
            var lines = new FirstLine(new Logs(served.Source));
            await using var ear = LogEar.Open(served.Source, lines.Grew);
            var change = await alice.Write("file", Guid.NewGuid().ToString()).PushAsync($"Change {push}", cancellationToken);
            var pushed = DateTimeOffset.UtcNow;
            var voted = await LatencyBenchmark.UntilVotedAsync(eye, change, cancellationToken);
            var one = await ReadAsync(served, diary, new ChangeId(project, change.Number), (pushed, voted, await lines.Seen.WaitAsync(LatencyBenchmark.Bound, cancellationToken)), cancellationToken);
            if (choices.Verbose) await Console.Error.WriteLineAsync($"push {push}: running {one.Running.TotalMilliseconds:0} ms, vote {(voted - pushed).TotalMilliseconds:0} ms; at {string.Join(' ', one.Starts.Concat(one.Ends).Select(at => $"{(at - pushed).TotalMilliseconds:0}"))}");
            if (push >= choices.WarmUp) measured.Add(one);
        }
        Print(measured, choices);
    }

    private static void Print(List<Measured> measured, Choices choices)
    {
        var peer = choices.StandIn ? "the stand-in" : "the real Gerrit";
        Figures.Print(
            $"stages on a cluster, changes on {peer}",
            new Figures("push returned → first step's container runs", [.. measured.Select(one => one.Running.TotalMilliseconds)], Goal: "median < 2000 ms, p95 < 5000 ms"),
            new Figures("first command → its output in the store", [.. measured.Select(one => (one.Starts[^1] - one.Starts[^3]).TotalMilliseconds)]),
            new Figures("last command → vote visible", [.. measured.Select(one => (one.Ends[^1] - one.Ends[0]).TotalMilliseconds)]));
        Figures.Print($"the share of every step, changes on {peer}", [.. Shares(Steps, measured, one => one.Starts), .. Shares(Ends, measured, one => one.Ends)]);
    }

    private static IEnumerable<Figures> Shares(string[] names, List<Measured> measured, Func<Measured, DateTimeOffset[]> times) =>
        names.Select((name, i) => new Figures(name, [.. measured.Select(one => (times(one)[i + 1] - times(one)[i]).TotalMilliseconds)]));

    private static async Task<Measured> ReadAsync(ServedProcess served, ClusterDiary diary, ChangeId change, (DateTimeOffset Pushed, DateTimeOffset Voted, DateTimeOffset Shown) seen, CancellationToken cancellationToken)
    {
        await LatencyBenchmark.UntilQuietAsync(served, change, cancellationToken);
        var run = (await served.QueryAsync<long>("select max(id) from runs where project = $1 and number = $2", cancellationToken, change.Project, change.Number))[0];
        var log = await served.Http.GetStringAsync(new Uri($"runs/{run}/commit/1/log", UriKind.Relative), cancellationToken);
        var commands = log.Split('\n').Where(line => line.Length > 0 && char.IsAsciiDigit(line[0])).Select(TimeOf).ToList();
        var decided = (await served.QueryAsync<DateTime>("select min(created_at) from effects where lane = $1 and body->>'do' = 'run-stage'", cancellationToken, change.Lane))[0].ToUniversalTime();
        var finished = (await served.QueryAsync<DateTime>("select min(received_at) from events where lane = $1 and body->>'is' = 'stage-finished'", cancellationToken, change.Lane))[0].ToUniversalTime();
        var id = new AttemptId(new RunId(run), "commit", 1).ToString();
        var name = diary.Attempts.First(one => one.Id == id).Name;
        DateTimeOffset Seen(string what) => diary.At(name, what) ?? throw new InvalidOperationException($"Nobody saw “{what}” of {name}.");
        DateTimeOffset[] starts = [seen.Pushed, new DateTimeOffset(decided), Seen("job"), Seen("pod"), Seen("bound"), Seen("claimed"), Seen("fetched"), commands[0], Seen("step-1 running"), seen.Shown];
        DateTimeOffset[] ends = [commands[1], Seen("step-2 ended"), Seen("collected"), new DateTimeOffset(finished), seen.Voted];
        return new Measured(starts, ends);
    }

    private static DateTimeOffset TimeOf(string line) => DateTimeOffset.UnixEpoch.AddTicks((long)(decimal.Parse(line, CultureInfo.InvariantCulture) * TimeSpan.TicksPerSecond));

    private sealed record Measured(DateTimeOffset[] Starts, DateTimeOffset[] Ends)
    {
        public TimeSpan Running => Starts[7] - Starts[0];
    }

    /// <summary>When output of a step, rather than of the service, was first in the store.</summary>
    private sealed class FirstLine(Logs logs)
    {
        private readonly TaskCompletionSource<DateTimeOffset> _seen = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<DateTimeOffset> Seen => _seen.Task;

        public void Grew(string attempt, DateTimeOffset at)
        {
            if (!_seen.Task.IsCompleted) _ = LookAsync(attempt, at);
        }

        private async Task LookAsync(string attempt, DateTimeOffset at)
        {
            var parts = attempt.Split('/');
            var id = new AttemptId(new RunId(long.Parse(parts[0], CultureInfo.InvariantCulture)), parts[1], int.Parse(parts[2], CultureInfo.InvariantCulture));
            var chunks = await logs.ReadAsync(id, 0, 10, CancellationToken.None);
            if (Encoding.UTF8.GetString([.. chunks.SelectMany(chunk => chunk.Bytes)]).Split('\n').Any(line => line.Length > 0 && char.IsAsciiDigit(line[0]))) _seen.TrySetResult(at);
        }
    }
}
