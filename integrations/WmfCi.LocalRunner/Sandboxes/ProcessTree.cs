using System.Globalization;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>The processes under a sandbox's first one, as <c>/proc</c> shows them from outside.</summary>
internal static class ProcessTree
{
    private const int TerminateBit = 1 << (HeldProcess.Terminate - 1);

    /// <summary>
    /// Asks everything under a sandbox's first process to end. The step's shell itself is asked only when it handles the signal or has no child: with it the
    /// sandbox would end at once, and nobody else could tidy up; and as its command fails, <c>sh -e</c> ends by itself.
    /// </summary>
    public static void Terminate(int first, int shell)
    {
        var parents = Parents();
        foreach (var process in Under(first, parents).Append(shell).Distinct())
        {
            if (process == shell && parents.ContainsValue(shell) && !HandlesTermination(shell)) continue;
            using var held = HeldProcess.TryHold(process);
            // Held first, looked at after: the number still belongs to the sandbox.
            if (held is not null && (process == first || Under(first, Parents()).Contains(process))) held.Signal(HeldProcess.Terminate);
        }
    }

    /// <summary>The child of a sandbox's first process that is the step's shell.</summary>
    /// <returns>The first process itself where it has no child.</returns>
    public static int ShellUnder(int first)
    {
        var children = Parents().Where(pair => pair.Value == first).Select(pair => pair.Key).ToList();
        return children.Count == 0 ? first : children.Min();
    }

    /// <summary>The memory that the processes under a sandbox's first one hold for themselves, in bytes; files in memory that are on disk do not count.</summary>
    public static long MemoryOf(int first) => Under(first, Parents()).Sum(process => Field(process, "RssAnon:") + Field(process, "RssShmem:")) * 1024;

    private static HashSet<int> Under(int first, Dictionary<int, int> parents)
    {
        var children = parents.ToLookup(pair => pair.Value, pair => pair.Key);
        var found = new HashSet<int>();
        var next = new Stack<int>(children[first]);
        while (next.TryPop(out var process))
        {
            if (!found.Add(process)) continue;
            foreach (var child in children[process]) next.Push(child);
        }

        return found;
    }

    private static Dictionary<int, int> Parents()
    {
        var parents = new Dictionary<int, int>();
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var process)) continue;
            // "PID (NAME) STATE PARENT …", where the name may hold anything, brackets too.
            var stat = Read($"{folder}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > 1 && int.TryParse(fields[1], NumberStyles.None, CultureInfo.InvariantCulture, out var parent)) parents[process] = parent;
        }

        return parents;
    }

    private static bool HandlesTermination(int process)
    {
        var caught = Line(process, "SigCgt:");
        return ulong.TryParse(caught, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var signals) && (signals & TerminateBit) != 0;
    }

    private static long Field(int process, string name) =>
        long.TryParse(Line(process, name).Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static string Line(int process, string name)
    {
        foreach (var line in Read($"/proc/{process}/status").Split('\n'))
        {
            if (line.StartsWith(name, StringComparison.Ordinal)) return line[name.Length..].Trim();
        }

        return "";
    }

    private static string Read(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
