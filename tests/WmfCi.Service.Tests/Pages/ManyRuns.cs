using System.Diagnostics;
using System.Text.Json;
using WmfCi.Core;
using WmfCi.Core.Runs;

namespace WmfCi.Service.Tests.Pages;

/// <summary>How long pages take with 100,000 stored runs. Run by name, since a busy machine says nothing: <c>-explicit only -class '*ManyRuns'</c>.</summary>
public sealed class ManyRuns(ITestOutputHelper output)
{
    private const int Stored = 100_000;
    private const int Times = 50;
    private static readonly TimeSpan s_most = TimeSpan.FromMilliseconds(100);

    [Fact(Explicit = true)]
    public async Task Pages_are_made_within_a_tenth_of_a_second()
    {
        await using var host = await PageHost.StartAsync();
        var doc = JsonSerializer.Serialize(Sample.Failed(1), CoreJson.Options).Replace("'", "''", StringComparison.Ordinal);
        await host.ExecuteAsync($$"""
            insert into runs (id, project, number, patch_set, created, finished, result, hidden, doc)
            select i, 'project/' || i % 200, i / 3, 1, now() - (200000 - i) * interval '1 minute', now(), case when i > 99980 then null when i % 3 = 0 then 'Failure' else 'Success' end, i % 50 = 0,
                jsonb_set(jsonb_set(jsonb_set('{{doc}}'::jsonb #- case when i > 99980 then '{result}'::text[] else '{none}' end, '{id,value}', to_jsonb(i)), '{change,project}', to_jsonb('project/' || i % 200)), '{change,number}', to_jsonb(i / 3))::json
            from generate_series(1, {{Stored}}) as i
            """);
        await host.ExecuteAsync("analyze runs");
        var id = new AttemptId(new RunId(77777), "commit", 2);
        await host.CloseLogAsync(id, string.Concat(Enumerable.Range(1, 1_000_000).Select(number => $"\e[3{number % 8}mline {number}\e[0m of a long log with some words in it\n")));
        foreach (var path in new[] { "/", "/?before=50000", "/runs/77777", "/projects/project/177", "/changes/25925/project/177", "/runs/99999", "/runs/77777/commit/2", "/runs/77777/commit/2?from=500000" })
        {
            var taken = new List<double>();
            var bytes = 0;
            for (var time = 0; time < Times; time++)
            {
                var began = Stopwatch.GetTimestamp();
                bytes = (await host.TextAsync(path)).Length;
                taken.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
            }
            taken.Sort();
            output.WriteLine($"{path}: median {taken[Times / 2]:0.0} ms, p95 {taken[Times * 95 / 100]:0.0} ms, worst {taken[^1]:0.0} ms, {bytes / 1024} KiB");
            if (!path.Contains("commit", StringComparison.Ordinal)) TimeSpan.FromMilliseconds(taken[Times / 2]).ShouldBeLessThan(s_most, path);
        }
    }
}
