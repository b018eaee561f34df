using System.Globalization;
using System.Runtime.InteropServices;

namespace WmfCi.Pod.Steps;

/// <summary>What the kernel counted in the container's control group, of either version; zero where it cannot be seen.</summary>
/// <param name="MemoryKills">Processes killed for want of memory.</param>
/// <param name="RefusedProcesses">Processes refused because the control group had as many as it may.</param>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct KernelCounters(long MemoryKills, long RefusedProcesses)
{
    private const string Groups = "/sys/fs/cgroup/";

    public static KernelCounters Read() => new(
        Counter(Groups + "memory.events", "oom_kill") ?? Counter(Groups + "memory/memory.oom_control", "oom_kill") ?? 0,
        Counter(Groups + "pids.events", "max") ?? Counter(Groups + "pids/pids.events", "max") ?? 0);

    /// <summary>One counter of a file with lines of a name and a number.</summary>
    private static long? Counter(string path, string name)
    {
        try
        {
            foreach (var line in File.ReadLines(path))
            {
                if (line.StartsWith(name + " ", StringComparison.Ordinal) && long.TryParse(line.AsSpan(name.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var count)) return count;
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
        }

        return null;
    }
}
