using System.Globalization;
using System.Text.Json.Nodes;
using WmfCi.Core.Changes;
using WmfCi.Scenarios.World;

namespace WmfCi.Benchmarks;

/// <summary>Push after push, each waited for: when did its first command run, when was its vote to be seen, and what came between.</summary>
internal static class LatencyBenchmark
{
    private const int DefaultCount = 30;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(10);

    /// <summary>How long anything may take that is waited for.</summary>
    public static readonly TimeSpan Bound = TimeSpan.FromSeconds(60);

    // What the command itself saw, in its log: nothing else knows when it ran.
    private const string Pipeline = """
        image: host
        commit: date +%s.%N
        """;

    // Times of transactions are those of their beginning.
    private const string StepsSql = """
        select unnest(array[
            (select min(received_at) from events where lane = $1 and body->>'is' = 'change-poked'),
            (select min(created_at) from effects where lane = $1 and body->>'do' = 'read-change'),
            (select min(received_at) from events where lane = $1 and body->>'is' = 'change-seen'),
            (select min(created_at) from effects where lane = $1 and body->>'do' = 'prepare-source'),
            (select min(received_at) from events where lane = $1 and body->>'is' = 'source-prepared'),
            (select min(created_at) from effects where lane = $1 and body->>'do' = 'run-stage'),
            (select min(received_at) from events where lane = $1 and body->>'is' = 'stage-started'),
            (select min(received_at) from events where lane = $1 and body->>'is' = 'stage-finished'),
            (select max(created_at) from effects where lane = $1 and body->>'do' = 'post-review'),
            (select max(finished_at) from effects where lane = $1 and body->>'do' = 'post-review')])
        """;

    private static readonly string[] Steps =
    [
        "push returned → stream event stored", "→ decided to read the change", "→ change read", "→ decided to prepare its source", "→ source prepared (fetch, merge, publish)",
        "→ decided to run the stage", "→ step about to start (workspace)", "→ stage ended", "→ decided to post", "→ review posted",
    ];

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        await using var gerrit = await choices.MeetGerritAsync(cancellationToken);
        await using var served = await ServedProcess.PrepareAsync(cancellationToken);
        var project = await gerrit.CreateProjectAsync(cancellationToken);
        await served.StartAsync(gerrit, project, choices, cancellationToken);
        using var alice = await Clone.MakeAsync(gerrit, project, "alice", cancellationToken);
        await alice.Write(".pipeline/config.yaml", Pipeline).PushToBranchAsync("Begin", cancellationToken);
        using var eye = gerrit.ClientOf("admin");
        var measured = new List<Measured>();
        for (var push = 0; push < choices.WarmUp + (choices.Count ?? DefaultCount); push++)
        {
            // From the commit before the pipeline, so that there is something to merge.
            await alice.ResetAsync("origin/main", cancellationToken);
            var change = await alice.Write("file", Guid.NewGuid().ToString()).PushAsync($"Change {push}", cancellationToken);
            var pushed = DateTimeOffset.UtcNow;
            var voted = await UntilVotedAsync(eye, change, cancellationToken);
            var one = await ReadAsync(served, new ChangeId(project, change.Number), pushed, cancellationToken) with { Vote = voted - pushed };
            if (choices.Verbose) await Console.Error.WriteLineAsync($"push {push}: command {one.Command.TotalMilliseconds:0} ms, vote {one.Vote.TotalMilliseconds:0} ms");
            if (push >= choices.WarmUp) measured.Add(one);
        }
        Print(measured, choices);
    }

    private static void Print(List<Measured> measured, Choices choices)
    {
        var peer = choices.StandIn ? "the stand-in" : "the real Gerrit";
        Figures.Print(
            $"latency, on {peer}",
            new Figures("push returned → first command of the stage runs", [.. measured.Select(one => one.Command.TotalMilliseconds)], Goal: "median ≤ 700 ms, p95 ≤ 1000 ms"),
            new Figures("push returned → vote visible", [.. measured.Select(one => one.Vote.TotalMilliseconds)], Goal: "≤ 1000 ms"));
        var shares = Steps.Select((name, step) => new Figures(name, [.. measured.Select(one => (one.Steps[step] - (step == 0 ? one.Pushed : one.Steps[step - 1])).TotalMilliseconds)])).ToList();
        shares.Insert(7, new Figures("(of the next) → first command runs", [.. measured.Select(one => (one.Pushed + one.Command - one.Steps[6]).TotalMilliseconds)]));
        Figures.Print($"the share of every step, on {peer}", shares);
    }

    /// <summary>When a change's vote was to be seen.</summary>
    public static async Task<DateTimeOffset> UntilVotedAsync(HttpClient eye, ChangePage change, CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(Bound);
        var address = new Uri($"changes/{change.Project}~{change.Number}/detail", UriKind.Relative);
        while (true)
        {
            var page = await eye.GetStringAsync(address, bound.Token);
            var seen = DateTimeOffset.UtcNow;
            if (JsonNode.Parse(page[(page.IndexOf('\n') + 1)..])!["labels"]?["Verified"]?["all"] is JsonArray all && all.Any(vote => (int?)vote!["value"] == 1)) return seen;
            await Task.Delay(LookEvery, bound.Token);
        }
    }

    /// <summary>The vote may be seen before the service has noted that it was taken.</summary>
    public static async Task UntilQuietAsync(ServedProcess served, ChangeId change, CancellationToken cancellationToken)
    {
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(Bound);
        const string waiting = "select count(*) from effects where lane = $1 and state = 0";
        while ((await served.QueryAsync<long>(waiting, bound.Token, change.Lane))[0] > 0) await Task.Delay(LookEvery, bound.Token);
    }

    private static async Task<Measured> ReadAsync(ServedProcess served, ChangeId change, DateTimeOffset pushed, CancellationToken cancellationToken)
    {
        await UntilQuietAsync(served, change, cancellationToken);
        if ((await served.QueryAsync<long>("select count(*) from effects where lane = $1 and body->>'do' = 'post-review'", cancellationToken, change.Lane))[0] < 2)
            throw new InvalidOperationException("Somebody else voted as wmfci: another service listens to this Gerrit. Stop it, or measure on a Gerrit of your own.");
        var steps = await served.QueryAsync<DateTime>(StepsSql, cancellationToken, change.Lane);
        var run = (await served.QueryAsync<long>("select max(id) from runs where project = $1 and number = $2", cancellationToken, change.Project, change.Number))[0];
        var log = await served.Http.GetStringAsync(new Uri($"runs/{run}/commit/1/log", UriKind.Relative), cancellationToken);
        var seconds = decimal.Parse(log.Split('\n').First(line => line.Length > 0 && char.IsAsciiDigit(line[0])), CultureInfo.InvariantCulture);
        var command = DateTimeOffset.UnixEpoch.AddTicks((long)(seconds * TimeSpan.TicksPerSecond));
        return new Measured(pushed, command - pushed, [.. steps.Select(step => new DateTimeOffset(step))]);
    }

    private sealed record Measured(DateTimeOffset Pushed, TimeSpan Command, IReadOnlyList<DateTimeOffset> Steps)
    {
        public TimeSpan Vote { get; init; }
    }
}
