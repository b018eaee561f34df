using System.Globalization;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>
/// A control group that bounds memory and processes of one attempt. It is made under the group that the service itself runs in: on version 1 by root, on
/// version 2 by whoever the group was delegated to (systemd: <c>Delegate=yes</c>).
/// </summary>
internal sealed class ControlGroup : IDisposable
{
    private const string Prefix = "wmfci-", OwnLeaf = ControlGroupPlace.OwnLeaf;
    private static readonly TimeSpan RemovalBound = TimeSpan.FromSeconds(5);
    private readonly string _memory;
    private readonly string _processes;
    private readonly bool _isUnified;

    private ControlGroup(string memory, string processes, bool isUnified) => (_memory, _processes, _isUnified) = (memory, processes, isUnified);

    /// <summary>The files that a process writes 0 into to enter the group.</summary>
    public IEnumerable<string> EntryFiles => new[] { _memory, _processes }.Distinct().Select(folder => Path.Combine(folder, "cgroup.procs"));

    /// <summary>How many processes the kernel has killed in it for want of memory.</summary>
    public long MemoryKills => Counter(Path.Combine(_memory, _isUnified ? "memory.events" : "memory.oom_control"), "oom_kill");

    /// <summary>How often a new process was refused.</summary>
    public long RefusedProcesses => Counter(Path.Combine(_processes, "pids.events"), "max");

    /// <summary>Makes a group.</summary>
    /// <param name="name">Letters, digits and dashes.</param>
    /// <param name="options">Its limits.</param>
    /// <param name="overhead">How many processes of the sandbox itself come on top.</param>
    /// <returns>Null where this process may not make one.</returns>
    public static ControlGroup? TryCreate(string name, LocalRunnerOptions options, int overhead)
    {
        if (!options.UseControlGroups || ControlGroupPlace.Find() is not { } place) return null;
        var group = new ControlGroup(Path.Combine(place.Memory, Prefix + name), Path.Combine(place.Processes, Prefix + name), place.IsUnified);
        try
        {
            if (place.IsUnified) Delegate(place.Memory);
            Directory.CreateDirectory(group._memory);
            Directory.CreateDirectory(group._processes);
            group.Limit(options.MemoryBytes, options.MaxProcesses + overhead);
            return group;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            group.Dispose();
            return null;
        }
    }

    /// <summary>Ends what a dead service left in its groups, and removes them.</summary>
    public static void RemoveLeftover(string name)
    {
        if (ControlGroupPlace.Find() is not { } place) return;
        using var group = new ControlGroup(Path.Combine(place.Memory, Prefix + name), Path.Combine(place.Processes, Prefix + name), place.IsUnified);
        foreach (var file in group.EntryFiles.Where(File.Exists))
        {
            foreach (var line in File.ReadLines(file))
            {
                if (int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var process) && process > 1)
                    HeldProcess.TryHold(process)?.Signal(HeldProcess.Kill);
            }
        }
    }

    /// <summary>Removes the group; its processes are gone, or about to be.</summary>
    public void Dispose()
    {
        foreach (var folder in new[] { _memory, _processes }.Distinct())
        {
            // The kernel counts an ended process out a moment after its parent heard of it, and tells nobody of that moment.
            SpinWait.SpinUntil(() => TryRemove(folder), RemovalBound);
        }
    }

    private static bool TryRemove(string folder)
    {
        try
        {
            if (Directory.Exists(folder)) Directory.Delete(folder);
            return true;
        }
        catch (IOException)
        {
            return false;
        }
        catch (UnauthorizedAccessException)
        {
            return true;
        }
    }

    /// <summary>Version 2 lets a group have limited children only when it has no process of its own: the service moves to a leaf.</summary>
    private static void Delegate(string own)
    {
        var control = Path.Combine(own, "cgroup.subtree_control");
        var present = File.ReadAllText(control).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        if (present.Contains("memory") && present.Contains("pids")) return;
        var leaf = Path.Combine(own, OwnLeaf);
        Directory.CreateDirectory(leaf);
        foreach (var process in File.ReadAllLines(Path.Combine(own, "cgroup.procs"))) File.WriteAllText(Path.Combine(leaf, "cgroup.procs"), process);
        File.WriteAllText(control, "+memory +pids");
    }

    private static long Counter(string file, string name)
    {
        try
        {
            foreach (var line in File.ReadLines(file))
            {
                var words = line.Split(' ');
                if (words.Length == 2 && words[0] == name) return long.Parse(words[1], CultureInfo.InvariantCulture);
            }
        }
        catch (IOException)
        {
            // A kernel without the counter; the limit holds all the same.
        }

        return 0;
    }

    private void Limit(long memory, int processes)
    {
        var bytes = memory.ToString(CultureInfo.InvariantCulture);
        File.WriteAllText(Path.Combine(_processes, "pids.max"), processes.ToString(CultureInfo.InvariantCulture));
        if (_isUnified)
        {
            File.WriteAllText(Path.Combine(_memory, "memory.max"), bytes);
            WriteIfThere(Path.Combine(_memory, "memory.swap.max"), "0");
            return;
        }

        File.WriteAllText(Path.Combine(_memory, "memory.limit_in_bytes"), bytes);
        WriteIfThere(Path.Combine(_memory, "memory.memsw.limit_in_bytes"), bytes);
    }

    private static void WriteIfThere(string file, string text)
    {
        if (File.Exists(file)) File.WriteAllText(file, text);
    }
}

/// <summary>Where this process may make control groups.</summary>
/// <param name="Memory">The folder for the group that bounds memory.</param>
/// <param name="Processes">The folder for the group that bounds processes.</param>
/// <param name="IsUnified">Whether it is version 2.</param>
internal sealed record ControlGroupPlace(string Memory, string Processes, bool IsUnified)
{
    /// <summary>The group that the service moves itself to, under the one that was delegated to it.</summary>
    public const string OwnLeaf = "wmfci-service";

    /// <summary>Finds the place of this process.</summary>
    /// <returns>Null when there is none that bounds memory and processes.</returns>
    public static ControlGroupPlace? Find()
    {
        var mounts = File.ReadAllText("/proc/self/mountinfo");
        return Find(mounts, File.ReadAllText("/proc/self/cgroup"), Directory.Exists) is { } place
            && (!place.IsUnified || HasControllers(place.Memory)) ? place : null;
    }

    private static bool HasControllers(string folder)
    {
        var present = File.ReadAllText(Path.Combine(folder, "cgroup.controllers")).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
        return present.Contains("memory") && present.Contains("pids");
    }

    /// <summary>Whether this machine has control groups of version 1 for memory.</summary>
    public static bool IsVersionOne() => Find(File.ReadAllText("/proc/self/mountinfo"), File.ReadAllText("/proc/self/cgroup"), Directory.Exists) is { IsUnified: false };

    /// <summary>Finds the place in what <c>/proc</c> says.</summary>
    /// <param name="mounts">The text of <c>/proc/self/mountinfo</c>.</param>
    /// <param name="own">The text of <c>/proc/self/cgroup</c>.</param>
    /// <param name="exists">Whether a folder exists.</param>
    public static ControlGroupPlace? Find(string mounts, string own, Func<string, bool> exists)
    {
        string? memory = null, processes = null, unified = null;
        foreach (var line in mounts.Split('\n'))
        {
            // "ID PARENT DEVICE ROOT MOUNTPOINT OPTIONS … - TYPE SOURCE SUPEROPTIONS"
            var halves = line.Split(" - ");
            if (halves.Length != 2) continue;
            var (place, kind) = (halves[0].Split(' '), halves[1].Split(' '));
            if (place.Length < 5 || kind.Length < 3) continue;
            var controllers = kind[2].Split(',');
            if (kind[0] == "cgroup2") unified ??= Under(place[4], place[3], OwnPath(own, ""), exists);
            else if (kind[0] == "cgroup" && controllers.Contains("memory")) memory ??= Under(place[4], place[3], OwnPath(own, "memory"), exists);
            if (kind[0] == "cgroup" && controllers.Contains("pids")) processes ??= Under(place[4], place[3], OwnPath(own, "pids"), exists);
        }

        if (memory is not null && processes is not null) return new(memory, processes, IsUnified: false);
        if (unified is null || memory is not null) return null;
        if (Path.GetFileName(unified) == OwnLeaf) unified = Path.GetDirectoryName(unified)!;
        return new(unified, unified, IsUnified: true);
    }

    private static string OwnPath(string own, string controller)
    {
        foreach (var line in own.Split('\n'))
        {
            var fields = line.Split(':', 3);
            if (fields.Length == 3 && fields[1].Split(',').Contains(controller)) return fields[2];
        }

        return "/";
    }

    private static string? Under(string mount, string root, string own, Func<string, bool> exists)
    {
        var relative = root != "/" && own.StartsWith(root, StringComparison.Ordinal) ? own[root.Length..] : own;
        var folder = (mount + "/" + relative.Trim('/')).TrimEnd('/');
        return exists(folder) ? folder : exists(mount) ? mount : null;
    }
}
