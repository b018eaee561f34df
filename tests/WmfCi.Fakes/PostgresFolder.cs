using System.Diagnostics;
using System.Globalization;

namespace WmfCi.Fakes;

/// <summary>
/// Where a private cluster lives. The name says whose it is (process namespace, process, when that process started), so that the leftovers of killed
/// processes are told from what is in use, without a file that might not have been written yet.
/// </summary>
internal sealed record PostgresFolder(string Path)
{
    private const string Prefix = "wmfci-pg";
    private const int MaxRoot = 40; // A socket's path may have 107 bytes: this, the folder's name, and the server's name for it.
    private static int count;

    public string Data => System.IO.Path.Combine(Path, "data");

    public string Log => System.IO.Path.Combine(Path, "server.log");

    public static async Task<PostgresFolder> CreateAsync(CancellationToken cancellationToken)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"{Prefix}-{Namespace()}-{Environment.ProcessId}-{StartOf(Environment.ProcessId)}-{Interlocked.Increment(ref count)}");
        var folder = new PostgresFolder(System.IO.Path.Combine(Root(), name));
        await PostgresPrograms.MakeFolderAsync(folder.Path, cancellationToken);
        return folder;
    }

    /// <summary>Stops and removes the clusters whose processes are gone.</summary>
    public static async Task SweepAsync(PostgresPrograms programs, CancellationToken cancellationToken)
    {
        foreach (var path in Directory.EnumerateDirectories(Root(), Prefix + "-*"))
        {
            if (System.IO.Path.GetFileName(path)[(Prefix.Length + 1)..].Split('-') is not [var space, var pid, var start, _]
                || space != Namespace() || !int.TryParse(pid, NumberStyles.None, CultureInfo.InvariantCulture, out var owner) || StartOf(owner) == start) continue;
            var left = new PostgresFolder(path);
            try
            {
                if (File.Exists(System.IO.Path.Combine(left.Data, "postmaster.pid")))
                    await programs.RunAsync("pg_ctl", ["stop", "-w", "-s", "-D", left.Data, "-m", "immediate"], cancellationToken);
            }
            catch (InvalidOperationException)
            {
                // Its server is gone already, or its watchdog has just stopped it.
            }
            try
            {
                Directory.Delete(path, recursive: true);
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
            {
                // Its watchdog removes it at this moment, or it is another account's.
            }
        }
    }

    // The temporary folder, unless its name is too long for a socket, or the server's account cannot reach it.
    private static string Root()
    {
        var own = System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(System.IO.Path.GetTempPath()));
        return own.Length <= MaxRoot && (!PostgresPrograms.IsRoot || Reachable(own)) ? own : "/tmp";
    }

    private static bool Reachable(string path)
    {
        for (var folder = new DirectoryInfo(path); folder is not null; folder = folder.Parent)
        {
            if (!folder.Exists || !folder.UnixFileMode.HasFlag(UnixFileMode.OtherExecute)) return false;
        }
        return true;
    }

    private static string Namespace() =>
        new([.. (new FileInfo("/proc/self/ns/pid").LinkTarget ?? "").Where(char.IsAsciiDigit)]);

    // The 22nd field of /proc/PID/stat; the second, the name in brackets, may have blanks. Empty when there is no such process.
    private static string StartOf(int pid)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            return stat[(stat.LastIndexOf(')') + 2)..].Split(' ')[19];
        }
        catch (IOException)
        {
            return "";
        }
    }
}

/// <summary>Stops a cluster's server and removes its folder when this process ends, in whatever way.</summary>
internal sealed class ProcessWatchdog
{
    // Ends with the pipe, which the kernel closes for a process that is killed. A terminal's or a supervisor's signal to the whole group must not end it first.
    // Values come as arguments; nothing is put into the script.
    private const string Script = """
        trap '' HUP INT TERM
        exec >/dev/null 2>&1
        folder=$1; shift
        read -r _
        "$@"
        rm -rf -- "$folder"
        """;

    private readonly Process process;
    private readonly EventHandler atExit;

    private ProcessWatchdog(Process process)
    {
        this.process = process;
        atExit = (_, _) => End(TimeSpan.FromSeconds(5));
        AppDomain.CurrentDomain.ProcessExit += atExit;
    }

    public static ProcessWatchdog Start(PostgresPrograms programs, PostgresFolder folder)
    {
        var start = new ProcessStartInfo("/bin/sh") { UseShellExecute = false, RedirectStandardInput = true, WorkingDirectory = "/" };
        string[] arguments = ["-c", Script, "watchdog", folder.Path, .. programs.CommandLine("pg_ctl", "stop", "-w", "-s", "-D", folder.Data, "-m", "immediate")];
        foreach (var argument in arguments) start.ArgumentList.Add(argument);
        return new ProcessWatchdog(Process.Start(start)!);
    }

    public async Task EndAsync(TimeSpan timeout)
    {
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(timeout);
        await process.WaitForExitAsync(limit.Token);
        AppDomain.CurrentDomain.ProcessExit -= atExit;
        process.Dispose();
    }

    private void End(TimeSpan timeout)
    {
        process.StandardInput.Close();
        process.WaitForExit(timeout);
    }
}
