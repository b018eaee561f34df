using System.Globalization;

namespace WmfCi.Benchmarks;

/// <summary>What processes and those that they started cost, as Linux counts it.</summary>
internal static class ProcessTree
{
    private const int TicksPerSecond = 100; // sysconf(_SC_CLK_TCK), which Linux has fixed for programs.

    /// <summary>Proportional memory: what processes share is counted once.</summary>
    public static double Mebibytes(IEnumerable<int> processes) => processes.Sum(process =>
        File.ReadLines(Invariant($"/proc/{process}/smaps_rollup")).Where(line => line.StartsWith("Pss:", StringComparison.Ordinal)).Select(line => double.Parse(line[4..^2], CultureInfo.InvariantCulture)).First() / 1024);

    /// <summary>Processor time of the process, its threads, those that it started, and the children it has waited for.</summary>
    public static double CpuSeconds(int root) => Of(root).Sum(process => Stat(process).Skip(11).Take(4).Sum(ticks => double.Parse(ticks, CultureInfo.InvariantCulture))) / TicksPerSecond;

    /// <summary>The process, and all that it started.</summary>
    public static List<int> Of(int root)
    {
        var children = Directory.EnumerateDirectories("/proc").Select(Path.GetFileName).Select(name => int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
            .Where(id => id > 0).Select(id => (Id: id, Parent: ParentOf(id))).ToLookup(one => one.Parent, one => one.Id);
        var tree = new List<int> { root };
        for (var at = 0; at < tree.Count; at++) tree.AddRange(children[tree[at]]);
        return tree;
    }

    public static int ParentOf(int process) => Stat(process) is [_, var parent, ..] ? int.Parse(parent, CultureInfo.InvariantCulture) : 0;

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
