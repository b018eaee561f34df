using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using WmfCi.Core.Pipelines;
using WmfCi.Fakes;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Tests.Steps;

/// <summary>
/// A container for <c>wmfci-pod step</c>, as the kubelet would make it: the program is the first process of a process namespace, has an account of its own and no rights.
/// The program is the one that was built with the tests, or the one that WMFCI_POD_PROGRAM names, such as the static one of the image.
/// </summary>
internal sealed class StepBox : IDisposable
{
    private static readonly Lazy<string?> Problem = new(FindProblem);
    private static int s_boxes;
    private readonly TempFolder _folder = new();
    private readonly string _user = (200_000 + (Environment.ProcessId % 10_000 * 100) + Interlocked.Increment(ref s_boxes)).ToString(CultureInfo.InvariantCulture);

    /// <summary>An order with generous bounds.</summary>
    public static StepOrder Plain { get; } = new()
    {
        Steps = [],
        Environment = [new Variable("HOME", "/home/ci")],
        Timeout = TimeSpan.FromMinutes(9),
        StopGrace = TimeSpan.FromMinutes(3),
        MaxProcesses = 500,
        MaxFileBytes = 1 << 30,
        LogBytes = 1 << 30,
    };

    public StepBox()
    {
        Assert.SkipUnless(Problem.Value is null, $"bubblewrap makes no sandbox here: {Problem.Value}");
        foreach (var name in (string[])["work", "control", "home", "tools", "tools/steps"]) Open(name);
        Write("dotnet", Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "../../..")));
    }

    public StepOrder Order { get; init; } = Plain;

    /// <summary>The variables that the image, or the cluster, sets.</summary>
    public Dictionary<string, string> ImageVariables { get; } = new() { ["PATH"] = "/usr/bin:/bin" };

    public bool HasShell { get; init; } = true;

    public string Work => _folder["work"];

    public string Control => _folder["control"];

    public string Log(int step) => _folder[$"log-{step}/output"];

    private static string Program => Environment.GetEnvironmentVariable("WMFCI_POD_PROGRAM") ?? Path.Combine(AppContext.BaseDirectory, "wmfci-pod");

    public void Dispose() => _folder.Dispose();

    /// <summary>Runs scripts as steps, one container after the other.</summary>
    public async Task<List<EndedStep>> RunAllAsync(params string[] scripts)
    {
        Lay(scripts);
        var ended = new List<EndedStep>();
        for (var step = 1; step <= scripts.Length; step++)
        {
            using var running = StartLaid(step);
            ended.Add(await running.EndAsync());
        }

        return ended;
    }

    /// <summary>Runs a script as the only step.</summary>
    public async Task<EndedStep> RunAsync(string script) => (await RunAllAsync(script))[0];

    /// <summary>Starts a script as the only step.</summary>
    public RunningStep Start(string script)
    {
        Lay(script);
        return StartLaid(1);
    }

    private static string? FindProblem()
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo("bwrap", ["--unshare-pid", "--as-pid-1", "--ro-bind", "/", "/", "--proc", "/proc", "true"]) { UseShellExecute = false, RedirectStandardError = true })!;
            var said = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : said;
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            return error.Message;
        }
    }

    private void Lay(params string[] scripts)
    {
        for (var step = 1; step <= scripts.Length; step++)
        {
            Write($"tools/steps/{step}", scripts[step - 1]);
            Write($"termination-{step}", "");
            Open($"log-{step}");
        }

        Write("tools/order.json", JsonSerializer.Serialize(Order with { Steps = [.. scripts.Select(script => new Step("step", script))] }, WireJson.Default.StepOrder));
    }

    private RunningStep StartLaid(int step)
    {
        var start = new ProcessStartInfo("bwrap", Arguments(step)) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        start.Environment["PATH"] = "/usr/bin:/bin";
        foreach (var (name, value) in ImageVariables) start.Environment[name] = value;
        return new RunningStep(Process.Start(start)!, _folder[$"termination-{step}"], Log(step));
    }

    private IEnumerable<string> Arguments(int step)
    {
        var isRoot = Environment.IsPrivilegedProcess;
        string[] common =
        [
            "--unshare-pid", "--unshare-net", "--as-pid-1", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
            "--dir", "/etc", "--dir", "/etc/dotnet", "--dir", "/home", "--dir", "/sys", "--dir", "/sys/fs", "--dir", "/wmfci", "--proc", "/proc", "--dev", "/dev", "--ro-bind-try", "/sys/fs/cgroup", "/sys/fs/cgroup",
            "--ro-bind", Path.GetDirectoryName(Program)!, "/program", "--ro-bind", File.ReadAllText(_folder["dotnet"]), "/dotnet", "--ro-bind", InstallLocation(), "/etc/dotnet/install_location",
            "--bind", Work, "/work", "--bind", _folder[$"log-{step}"], "/wmfci/log", "--bind", Control, "/wmfci/control", "--ro-bind", _folder["tools"], "/wmfci/tools",
            "--bind", _folder["home"], "/home/ci", "--bind", _folder[$"termination-{step}"], "/dev/termination-log",
        ];
        string[] shell = HasShell ? ["--symlink", "usr/bin", "/bin"] : [];
        // Root can take an account that nobody else has; others get one in a user namespace.
        string[] account = isRoot ? [] : ["--unshare-user", "--cap-drop", "ALL"];
        string[] change = isRoot ? ["/usr/bin/setpriv", "--reuid", _user, "--regid", _user, "--clear-groups", "--no-new-privs", "--bounding-set=-all"] : [];
        return [.. common, .. shell, .. account, "--", .. change, "/program/" + Path.GetFileName(Program), "step", step.ToString(CultureInfo.InvariantCulture)];
    }

    private string InstallLocation() => Write("install_location", "/dotnet");

    private string Write(string name, string text)
    {
        var path = _folder.Write(name, text);
        File.SetUnixFileMode(path, (UnixFileMode)0b110_110_110);
        return path;
    }

    private void Open(string name)
    {
        Directory.CreateDirectory(_folder[name]);
        File.SetUnixFileMode(_folder[name], (UnixFileMode)0b111_111_111);
    }
}

/// <summary>A step while it runs.</summary>
internal sealed class RunningStep(Process process, string termination, string log) : IDisposable
{
    private readonly List<LogFrame> _frames = [];
    private readonly MemoryStream _raw = new();
    private readonly Task<string> _errors = process.StandardError.ReadToEndAsync();
    private int _parsed;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        if (!process.HasExited) process.Kill(entireProcessTree: true);
        process.Dispose();
        _raw.Dispose();
    }

    /// <summary>Waits until a text has come over the container's log.</summary>
    public async Task HearAsync(string text)
    {
        while (!Encoding.UTF8.GetString([.. _frames.SelectMany(frame => frame.Bytes.ToArray())]).Contains(text)) (await ReadAsync()).ShouldBeTrue($"the step ended without saying “{text}”");
    }

    /// <summary>Stops listening to the container's log.</summary>
    public void CloseLog() => process.StandardOutput.Close();

    /// <summary>Waits for its end.</summary>
    public async Task<EndedStep> EndAsync(bool isLogOpen = true)
    {
        while (isLogOpen && await ReadAsync())
        {
        }

        await process.WaitForExitAsync(Token);
        var errors = await _errors;
        process.ExitCode.ShouldBe(0, errors);
        var said = await File.ReadAllBytesAsync(termination, Token);
        said.Length.ShouldBeInRange(1, 4096, errors);
        return new EndedStep(JsonSerializer.Deserialize(said, WireJson.Default.StepEnd)!, _frames, File.Exists(log) ? await File.ReadAllBytesAsync(log, Token) : null);
    }

    private async Task<bool> ReadAsync()
    {
        var buffer = new byte[64 * 1024];
        var read = await process.StandardOutput.BaseStream.ReadAsync(buffer, Token);
        await _raw.WriteAsync(buffer.AsMemory(0, read), Token);
        Parse();
        if (read == 0) _parsed.ShouldBe((int)_raw.Length);
        return read > 0;
    }

    private void Parse()
    {
        var raw = _raw.GetBuffer().AsSpan(0, (int)_raw.Length);
        while (raw[_parsed..].IndexOf((byte)'\n') is >= 0 and var end)
        {
            LogFrame.TryRead(raw.Slice(_parsed, end), out var frame).ShouldBeTrue(Encoding.UTF8.GetString(raw.Slice(_parsed, end)));
            end.ShouldBeLessThan(LogFrame.MaxBytes + LogFrame.Overhead);
            _frames.Add(frame);
            _parsed += end + 1;
        }
    }
}

/// <summary>What became of a step.</summary>
/// <param name="End">What it said at its end.</param>
/// <param name="Frames">Its container's log.</param>
/// <param name="Kept">The file of its complete output; null where there is none.</param>
internal sealed record EndedStep(StepEnd End, List<LogFrame> Frames, byte[]? Kept)
{
    /// <summary>What the frames make together; they must fit without gaps.</summary>
    public byte[] Live
    {
        get
        {
            using var all = new MemoryStream();
            foreach (var frame in Frames)
            {
                frame.Offset.ShouldBe(all.Length);
                all.Write(frame.Bytes.Span);
            }

            return all.ToArray();
        }
    }

    public string Text => Encoding.UTF8.GetString(Live);

    /// <summary>What to look at when it is not as it should be.</summary>
    public override string ToString() => $"{End}\n{Text[..Math.Min(Text.Length, 2000)]}";
}
