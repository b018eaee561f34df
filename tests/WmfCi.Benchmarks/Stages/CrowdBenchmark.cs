using System.Globalization;

namespace WmfCi.Benchmarks.Stages;

/// <summary>What the service costs while many stages run that print a line now and then: as many as the cluster takes.</summary>
internal static class CrowdBenchmark
{
    private const int DefaultCount = 200;
    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2), Patience = TimeSpan.FromSeconds(60), Settle = TimeSpan.FromSeconds(20), Watch = TimeSpan.FromSeconds(60);

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        var count = choices.Count ?? DefaultCount;
        await using var crowd = await Crowd.OpenAsync(choices, count, cancellationToken);
        await crowd.BeginAsync(count, "while :; do date; sleep 5; done", cancellationToken);
        var (begun, running, since) = (DateTimeOffset.UtcNow, 0, DateTimeOffset.UtcNow);
        while (running < count && DateTimeOffset.UtcNow - since < Patience)
        {
            await Task.Delay(LookEvery, cancellationToken);
            var now = crowd.Diary.Running("step-1");
            if (now > running) (running, since) = (now, DateTimeOffset.UtcNow);
            if (choices.Verbose) await Console.Error.WriteLineAsync($"{now} run");
        }
        await Task.Delay(Settle, cancellationToken);
        running = crowd.Diary.Running("step-1");
        var postmaster = ProcessTree.ParentOf((await crowd.Served.QueryAsync<int>("select pg_backend_pid()", cancellationToken))[0]);
        var (service, database) = (ProcessTree.CpuSeconds(crowd.Served.Id), ProcessTree.CpuSeconds(postmaster));
        await Task.Delay(Watch, cancellationToken);
        service = ProcessTree.CpuSeconds(crowd.Served.Id) - service;
        database = ProcessTree.CpuSeconds(postmaster) - database;
        Figures.Print(
            string.Create(CultureInfo.InvariantCulture, $"{running} of {count} stages run, a line every 5 s each; they came to that in {(since - begun).TotalSeconds:0} s"),
            new Figures("wmfci serve, processor", [100 * service / Watch.TotalSeconds], "% of a core"),
            new Figures("PostgreSQL, processor", [100 * database / Watch.TotalSeconds], "% of a core"),
            new Figures("wmfci serve, memory (PSS)", [ProcessTree.Mebibytes([crowd.Served.Id])], "MiB"),
            new Figures("PostgreSQL, memory (PSS)", [ProcessTree.Mebibytes(ProcessTree.Of(postmaster))], "MiB"));
    }
}
