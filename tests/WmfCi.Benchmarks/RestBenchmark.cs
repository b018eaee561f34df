using WmfCi.Benchmarks.Stages;

namespace WmfCi.Benchmarks;

/// <summary>What a service and its database cost while nothing happens.</summary>
internal static class RestBenchmark
{
    // In the first minute the runtime still compiles what it has learned to be called often.
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    public static Task RunAsync(Choices choices, CancellationToken cancellationToken) => MeasureAsync("", choices, cancellationToken);

    /// <summary>The same with a runner that watches a cluster.</summary>
    public static async Task RunOnClusterAsync(Choices choices, CancellationToken cancellationToken)
    {
        await using var site = await ClusterSite.OpenAsync(slots: 30, cancellationToken);
        await MeasureAsync(site.Describe(), choices, cancellationToken);
    }

    private static async Task MeasureAsync(string runner, Choices choices, CancellationToken cancellationToken)
    {
        await using var gerrit = await choices.MeetGerritAsync(cancellationToken);
        await using var served = await ServedProcess.PrepareAsync(cancellationToken);
        served.Runner = runner;
        await served.StartAsync(gerrit, await gerrit.CreateProjectAsync(cancellationToken), choices, cancellationToken);
        await Task.Delay(Settle, cancellationToken);
        var backend = (await served.QueryAsync<int>("select pg_backend_pid()", cancellationToken))[0];
        var postmaster = ProcessTree.ParentOf(backend);
        var (service, database) = (new List<double>(), new List<double>());
        for (var round = 0; round < (choices.Count ?? 1); round++)
        {
            var (serviceBefore, databaseBefore) = (ProcessTree.CpuSeconds(served.Id), ProcessTree.CpuSeconds(postmaster));
            await Task.Delay(Rest, cancellationToken);
            service.Add(Percent(ProcessTree.CpuSeconds(served.Id) - serviceBefore));
            database.Add(Percent(ProcessTree.CpuSeconds(postmaster) - databaseBefore));
        }
        var (own, others) = (ProcessTree.Mebibytes([served.Id]), ProcessTree.Mebibytes(ProcessTree.Of(served.Id).Skip(1)));
        var shared = ProcessTree.Mebibytes(ProcessTree.Of(postmaster));
        Figures.Print(
            "rest, memory (PSS)",
            new Figures("wmfci serve", [own], "MiB"), new Figures("its ssh", [others], "MiB"), new Figures("PostgreSQL, all processes", [shared], "MiB"),
            new Figures("together", [own + others + shared], "MiB", "≤ 250 MiB"));
        Figures.Print(
            $"rest, processor over {Rest.TotalSeconds:0} s",
            new Figures("wmfci serve", service, "% of a core"), new Figures("PostgreSQL", database, "% of a core"),
            new Figures("together", [.. service.Zip(database, (one, other) => one + other)], "% of a core", "≤ 0.5 %"));
        if (choices.Verbose) await Console.Error.WriteLineAsync(await File.ReadAllTextAsync($"/proc/{served.Id}/smaps_rollup", cancellationToken));
    }

    private static double Percent(double seconds) => 100 * seconds / Rest.TotalSeconds;
}
