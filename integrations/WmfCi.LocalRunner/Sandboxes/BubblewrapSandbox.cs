using System.Collections.ObjectModel;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>The programs of this machine, read-only, in namespaces of their own, made by <c>bwrap</c>.</summary>
internal sealed class BubblewrapSandbox(LocalRunnerOptions options, StepFiles step, ControlGroup? group) : Sandbox
{
    /// <summary>Processes that are the sandbox's own: bwrap outside and inside.</summary>
    public const int Overhead = 4;

    // Enters the control groups, and gives bwrap our standard error as a channel of its own: it holds it open as long as the sandbox lives and reports on
    // it, while its messages and the step's errors go where the output goes, in the order of printing. All values are arguments, none is part of the text.
    private const string Entry = """
        exec 3>&2 4>&2 2>&1 </dev/null
        echo 1000 >/proc/self/oom_score_adj
        count=$1; shift
        while [ "$count" -gt 0 ]; do echo 0 >"$1" || exit 1; shift; count=$((count-1)); done
        exec "$@"
        """;

    // As root: shows the attempt's folder at a path that the steps' user may pass through (the folders above it are closed), in a mount namespace of its own.
    private const string Show = "mount --bind \"$1\" /mnt && shift && exec \"$@\"";
    private const string Shown = "/mnt";
    private static readonly TimeSpan EndBound = TimeSpan.FromSeconds(20);

    private static readonly string[] HostFiles =
    [
        "/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/nsswitch.conf", "/etc/localtime", "/etc/timezone", "/etc/ssl/certs",
        "/etc/ssl/openssl.cnf", "/etc/ca-certificates", "/etc/ca-certificates.conf", "/etc/os-release", "/etc/debian_version", "/etc/mime.types", "/etc/services",
        "/etc/protocols", "/etc/host.conf", "/etc/gai.conf", "/etc/magic", "/etc/terminfo", "/etc/inputrc", "/etc/locale.alias", "/etc/fonts", "/etc/perl", "/etc/python3",
        "/etc/php", "/etc/java-11-openjdk", "/etc/java-17-openjdk", "/etc/java-21-openjdk", "/etc/xml", "/etc/sgml",
    ];

    private static readonly string[] TopFolders = ["/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
    private readonly Lock _turn = new();
    private bool _isKilled;
    private HeldProcess? _first;
    private int? _firstNumber;
    private int? _exitCode;

    public override bool NeedsMemoryWatch => group is null;

    public override ProcessStartInfo Command()
    {
        var start = Clean("/bin/sh", "PATH");
        var arguments = start.ArgumentList;
        AddAll(arguments, ["-c", Entry, "sh"]);
        string[] entries = [.. group?.EntryFiles ?? []];
        arguments.Add(entries.Length.ToString(CultureInfo.InvariantCulture));
        AddAll(arguments, entries);
        var root = step.Folder.Root;
        if (Environment.IsPrivilegedProcess)
        {
            var user = options.StepUser.ToString(CultureInfo.InvariantCulture);
            AddAll(arguments, ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", Show, "sh", root]);
            AddAll(arguments, ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--no-new-privs", "--bounding-set=-all"]);
            root = Shown;
        }

        arguments.Add(options.BubblewrapProgram);
        AddNamespaces(arguments);
        AddFiles(arguments, root);
        foreach (var variable in step.Variables) AddAll(arguments, ["--setenv", variable.Name, variable.Value]);
        AddAll(arguments, ["--chdir", WorkPath, "--json-status-fd", "3", "--sync-fd", "4", "--"]);
        AddAll(arguments, ["prlimit", "--core=0", $"--nproc={options.MaxProcesses}", $"--fsize={options.DiskBytes}", "/bin/sh", "-e", ScriptPath]);
        return start;
    }

    public override void Hear(string line)
    {
        try
        {
            using var status = JsonDocument.Parse(line);
            if (status.RootElement.TryGetProperty("child-pid", out var first))
            {
                lock (_turn)
                {
                    _firstNumber = first.GetInt32();
                    _first = HeldProcess.TryHold(_firstNumber.Value);
                    if (_isKilled) _first?.Signal(HeldProcess.Kill);
                }
            }

            if (status.RootElement.TryGetProperty("exit-code", out var exit)) _exitCode = exit.GetInt32();
        }
        catch (JsonException)
        {
            // The launching shell's own complaint; the missing exit status tells the rest.
        }
    }

    public override int? FindFirst() => _firstNumber;

    public override int FindShell(int first) => ProcessTree.ShellUnder(first);

    public override Task KillAsync(Process process)
    {
        // The first process of the namespace takes all others with it; bwrap outside ends when it has seen that. Where it is not known yet, it is ended as soon as it
        // is: bwrap outside must live till then, since the first process is bound to it only when the sandbox is set up, and would stay behind.
        lock (_turn)
        {
            _isKilled = true;
            _first?.Signal(HeldProcess.Kill);
        }

        return Task.CompletedTask;
    }

    public override async Task<SandboxEnd> EndAsync(Process process)
    {
        // bwrap outside ends as soon as the step's shell has; what the step left running may live on for a moment, and nothing may change under the collector.
        if (_first is { } first && !await Task.Run(() => first.WaitForEnd(EndBound)))
            return new SandboxEnd(null, "Processes of the step could not be ended.");
        var outOfMemory = group?.MemoryKills > 0;
        if (_exitCode is { } exit) return new SandboxEnd(exit, "", outOfMemory, group?.RefusedProcesses > 0);
        if (outOfMemory) return new SandboxEnd(null, "", RanOutOfMemory: true);
        return new SandboxEnd(null, _firstNumber is null ? "The sandbox could not be set up" : "The sandbox was ended from outside");
    }

    public override void Dispose()
    {
        _first?.Dispose();
        base.Dispose();
    }

    private void AddNamespaces(Collection<string> arguments)
    {
        AddAll(arguments, ["--unshare-all", "--unshare-user", "--disable-userns", "--uid", $"{User}", "--gid", $"{User}", "--hostname", HostName]);
        AddAll(arguments, ["--die-with-parent", "--new-session", "--clearenv", "--cap-drop", "ALL"]);
        if (step.Stage.HasNetwork) arguments.Add("--share-net");
    }

    private void AddFiles(Collection<string> arguments, string root)
    {
        AddAll(arguments, ["--ro-bind", "/usr", "/usr"]);
        foreach (var folder in TopFolders)
        {
            if (new FileInfo(folder).LinkTarget is { } target) AddAll(arguments, ["--symlink", target, folder]);
            else if (Directory.Exists(folder)) AddAll(arguments, ["--ro-bind", folder, folder]);
        }

        foreach (var folder in new[] { "/etc", "/etc/ssl", "/home", "/var", "/run" }) AddAll(arguments, ["--perms", "0755", "--dir", folder]);
        foreach (var file in HostFiles.Where(Path.Exists)) AddAll(arguments, ["--ro-bind-try", file, file]);
        foreach (var name in new[] { "passwd", "group" }) AddAll(arguments, ["--ro-bind", $"{root}/etc/{name}", $"/etc/{name}"]);
        if (step.Stage.HasNetwork) AddAll(arguments, ["--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf", "--ro-bind-try", "/etc/hosts", "/etc/hosts"]);
        else AddAll(arguments, ["--ro-bind", $"{root}/etc/hosts", "/etc/hosts"]);
        foreach (var folder in options.HostFolders) AddAll(arguments, ["--ro-bind", folder, folder]);
        AddAll(arguments, ["--proc", "/proc", "--dev", "/dev"]);
        AddAll(arguments, ["--perms", "1777", "--size", options.SharedMemoryBytes.ToString(CultureInfo.InvariantCulture), "--tmpfs", "/dev/shm"]);
        AddAll(arguments, ["--bind", $"{root}/disk/work", WorkPath, "--ro-bind", $"{root}/inputs", InputsPath, "--ro-bind", $"{root}/{step.Script}", ScriptPath]);
        AddAll(arguments, ["--bind", $"{root}/{step.Temporary}", "/tmp", "--symlink", "../tmp", "/var/tmp", "--bind", $"{root}/{step.Home}", HomePath]);
        AddAll(arguments, ["--remount-ro", "/dev", "--remount-ro", "/"]);
    }

    private static void AddAll(Collection<string> list, ReadOnlySpan<string> items)
    {
        foreach (var item in items) list.Add(item);
    }
}
