using System.Globalization;

namespace WmfCi.Benchmarks;

/// <summary>What a service and its database cost while nothing happens.</summary>
internal static class RestBenchmark
{
    private const int TicksPerSecond = 100; // sysconf(_SC_CLK_TCK), which Linux has fixed for programs.
    private static readonly TimeSpan Settle = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(30);

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        await using var gerrit = await choices.MeetGerritAsync(cancellationToken);
        await using var served = await ServedProcess.PrepareAsync(cancellationToken);
        await served.StartAsync(gerrit, await gerrit.CreateProjectAsync(cancellationToken), choices, cancellationToken);
        await Task.Delay(Settle, cancellationToken);
        var backend = (await served.QueryAsync<int>("select pg_backend_pid()", cancellationToken))[0];
        var postmaster = ParentOf(backend);
        var (service, database) = (Cpu(served.Id), Cpu(postmaster));
        await Task.Delay(Rest, cancellationToken);
        service = Cpu(served.Id) - service;
        database = Cpu(postmaster) - database;
        var (own, others) = (Mebibytes([served.Id]), Mebibytes(TreeOf(served.Id).Skip(1)));
        var shared = Mebibytes(TreeOf(postmaster));
        Figures.Print(
            "rest, memory (PSS)",
            new Figures("wmfci serve", [own], "MiB"), new Figures("its ssh", [others], "MiB"), new Figures("PostgreSQL, all processes", [shared], "MiB"),
            new Figures("together", [own + others + shared], "MiB", "≤ 250 MiB"));
        Figures.Print(
            $"rest, processor over {Rest.TotalSeconds:0} s",
            new Figures("wmfci serve", [Percent(service)], "% of a core"), new Figures("PostgreSQL", [Percent(database)], "% of a core"),
            new Figures("together", [Percent(service + database)], "% of a core", "≤ 0.5 %"));
        if (choices.Verbose) await Console.Error.WriteLineAsync(await File.ReadAllTextAsync($"/proc/{served.Id}/smaps_rollup", cancellationToken));
    }

    private static double Percent(double seconds) => 100 * seconds / Rest.TotalSeconds;

    private static double Mebibytes(IEnumerable<int> processes) => processes.Sum(process =>
        File.ReadLines(Invariant($"/proc/{process}/smaps_rollup")).Where(line => line.StartsWith("Pss:", StringComparison.Ordinal)).Select(line => double.Parse(line[4..^2], CultureInfo.InvariantCulture)).First() / 1024);

    // Of the process, its threads, and the children it has waited for.
    private static double Cpu(int root) => TreeOf(root).Sum(process => Stat(process).Skip(11).Take(4).Sum(ticks => double.Parse(ticks, CultureInfo.InvariantCulture))) / TicksPerSecond;

    private static List<int> TreeOf(int root)
    {
        var children = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Select(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id > 0).Select(id => (Id: id, Parent: ParentOf(id))).ToLookup(one => one.Parent, one => one.Id);
        var tree = new List<int> { root };
        for (var at = 0; at < tree.Count; at++) tree.AddRange(children[tree[at]]);
        return tree;
    }

    private static int ParentOf(int process) => Stat(process) is [_, var parent, ..] ? int.Parse(parent, CultureInfo.InvariantCulture) : 0;

    // The fields of /proc/PID/stat after the name in brackets, which may have blanks; empty when the process is gone.
    private static string[] Stat(int process)
    {
        try
        {
            var stat = File.ReadAllText(Invariant($"/proc/{process}/stat"));
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string Invariant(FormattableString text) => FormattableString.Invariant(text);
}
