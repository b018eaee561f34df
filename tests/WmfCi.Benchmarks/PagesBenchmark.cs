using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.Benchmarks;

/// <summary>Pages of a service that has 100,000 runs behind it.</summary>
internal static class PagesBenchmark
{
    private const int Stored = 100_000;
    private const int DefaultCount = 100;
    private static readonly string[] Names = ["commit", "acceptance", "docs", "performance"];

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        await using var gerrit = await choices.MeetGerritAsync(cancellationToken);
        await using var served = await ServedProcess.PrepareAsync(cancellationToken);
        await served.StartAsync(gerrit, "nothing", choices, cancellationToken);
        await served.QueryAsync<int>(
            $$"""
            insert into runs (id, project, number, patch_set, created, finished, result, hidden, doc)
            select i, 'project/' || i % 200, i / 3, 1, now() - (200000 - i) * interval '1 minute', now(), case when i > 99980 then null when i % 3 = 0 then 'Failure' else 'Success' end, i % 50 = 0,
                jsonb_set(jsonb_set(jsonb_set($1::jsonb #- case when i > 99980 then '{result}'::text[] else '{none}' end, '{id,value}', to_jsonb(i)), '{change,project}', to_jsonb('project/' || i % 200)), '{change,number}', to_jsonb(i / 3))::json
            from generate_series(1, {{Stored}}) as i
            """, cancellationToken, JsonSerializer.Serialize(Sample(), CoreJson.Options));
        await served.QueryAsync<int>("analyze runs", cancellationToken);
        var rows = new List<Figures>();
        foreach (var (name, path) in ((string, string)[])[("overview", ""), ("overview, far back", "?before=50000"), ("run", "runs/77777"), ("project", "projects/project/177"), ("change", "changes/25925/project/177")])
        {
            var taken = new List<double>();
            var bytes = 0;
            for (var time = -choices.WarmUp; time < (choices.Count ?? DefaultCount); time++)
            {
                var began = Stopwatch.GetTimestamp();
                bytes = (await served.Http.GetByteArrayAsync(new Uri(path, UriKind.Relative), cancellationToken)).Length;
                if (time >= 0) taken.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            rows.Add(new Figures(string.Create(CultureInfo.InvariantCulture, $"{name} ({bytes / 1024} KiB)"), taken, Goal: "< 100 ms"));
        }
        Figures.Print("pages, with 100,000 stored runs", rows);
    }

    private static Run Sample()
    {
        var began = DateTimeOffset.UtcNow.AddMinutes(-7);
        var alice = new Account("1000001", "alice", "Alice Liddell", "alice@example.org");
        var outcome = new StageOutcome { Kind = OutcomeKind.Succeeded, Tests = new TestSummary(412, 0, 6, []), ArtifactCount = 2 };
        return new Run
        {
            Id = new RunId(1),
            Change = new ChangeId("project/1", 1),
            Branch = "master",
            PatchSet = new PatchSet(1, new string('9', 40), "refs/changes/01/1/1", PatchSetKind.Rework, alice, began.AddSeconds(-2)),
            Subject = "Cache the parsed templates between requests",
            Cause = new RunCause(RunCauseKind.PatchSet, null),
            Created = began,
            Source = new Source(new string('5', 40), new string('7', 40), new string('e', 40), new string('d', 64), []),
            Pipeline = new Pipeline([.. Names.Select(name => new Stage { Name = name, Image = "host", Timeout = TimeSpan.FromMinutes(10), Needs = [], Steps = [new Step("make test", "make test")] })]),
            Stages = [.. Names.Select(name => new StageRun(name, [new Attempt(1, began, began.AddSeconds(1), began.AddSeconds(60), outcome)], null))],
            Result = RunResult.Success,
            Finished = began.AddSeconds(192),
        };
    }
}
