using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using CliWrap;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>What a container is or was.</summary>
internal sealed record ContainerState(bool WasStarted, bool RanOutOfMemory, int ExitCode)
{
    /// <summary>The number of its first process on this machine; 0 when it has none.</summary>
    public int Process { get; init; }

    /// <summary>Whether it runs.</summary>
    public bool IsRunning { get; init; }
}

/// <summary>What is asked of <c>podman</c> beside running a step.</summary>
internal sealed partial class Podman(LocalRunnerOptions options)
{
    /// <summary>What the names of containers begin with.</summary>
    public const string NamePrefix = "wmfci-";

    private const int MaxMessageLength = 500;
    private static readonly TimeSpan CallBound = TimeSpan.FromSeconds(60);
    private static readonly bool IsVersionOne = ControlGroupPlace.IsVersionOne();

    // What a registry says when the name is wrong, as against what a network says when it is broken.
    private static readonly string[] WrongName =
        ["manifest unknown", "name unknown", "not found", "denied", "unauthorized", "invalid reference", "short-name", "no such image", "does not exist", "repository name"];

    /// <summary>The variables of ours that podman itself needs to find its files.</summary>
    public static string[] KeptVariables { get; } = ["PATH", "HOME", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "TMPDIR", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF", "REGISTRY_AUTH_FILE"];

    /// <summary>Whether podman can bound memory and processes here: an ordinary user's podman cannot on control groups of version 1.</summary>
    public bool CanLimitMemory { get; } = Environment.IsPrivilegedProcess || !IsVersionOne;

    /// <summary>Arguments before the verb. On version 1 there is no systemd to ask for control groups.</summary>
    public IReadOnlyList<string> GlobalArguments { get; } = IsVersionOne ? ["--cgroup-manager=cgroupfs"] : [];

    /// <summary>
    /// The limit of processes by user, on top of the container's own: users share it over all their containers, so it is no tighter than must be. Said
    /// explicitly, and no higher than this process's own, because a runtime without CAP_SYS_RESOURCE fails when it is to raise a limit.
    /// </summary>
    public long ProcessLimit { get; } = Math.Min(Math.Max(options.MaxProcesses, 32768), OwnLimit("Max processes"));

    /// <summary>How many files a process may have open, likewise.</summary>
    public static long OpenFiles { get; } = Math.Min(65536, OwnLimit("Max open files"));

    /// <summary>Only runc knows control groups of version 1 on every kernel.</summary>
    public static IEnumerable<(string Option, string Value)> RuntimeOptions() => IsVersionOne ? [("runtime", "runc")] : [];

    /// <summary>Who the steps are: as root a user of this machine that is nobody's; else user 1000 inside, ourselves outside.</summary>
    public static IEnumerable<string> UserOptions(int stepUser) => Environment.IsPrivilegedProcess
        ? [string.Create(CultureInfo.InvariantCulture, $"--user={stepUser}:{stepUser}")]
        : [$"--userns=keep-id:uid={Sandbox.User},gid={Sandbox.User}", $"--user={Sandbox.User}:{Sandbox.User}"];

    private static long OwnLimit(string name)
    {
        // "Max open files            1024                 524288               files": name, soft, hard, unit.
        var line = Array.Find(File.ReadAllLines("/proc/self/limits"), line => line.StartsWith(name, StringComparison.Ordinal));
        var values = line?[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries) ?? [];
        return values.Length > 1 && long.TryParse(values[1], NumberStyles.None, CultureInfo.InvariantCulture, out var hard) ? hard : long.MaxValue;
    }

    /// <summary>Whether a text can be the name of an image, with a registry, a tag or a digest.</summary>
    public static bool IsImageName(string text) => text.Length <= 512 && ImageName().IsMatch(text);

    /// <summary>Makes sure that an image is here.</summary>
    /// <returns>Null when it is; otherwise why not, and whether the configuration is to blame.</returns>
    public async Task<(string Why, bool IsMisconfigured)?> EnsureImageAsync(string image, Func<string, Task> note, CancellationToken cancellationToken)
    {
        if (!IsImageName(image)) return ($"“{Shown(image)}” is no name of an image. Write one like docker-registry.wikimedia.org/bookworm:latest, or host.", true);
        var (exit, said) = await CallAsync(["image", "exists", image], CallBound, cancellationToken);
        if (exit == 0) return null;
        if (exit != 1) return ($"podman does not answer: {said}", false);
        if (image.StartsWith("localhost/", StringComparison.Ordinal))
            return ($"The image {image} is not on this worker, and images of localhost are not fetched. Check its name, or build it on the worker.", true);
        await note($"Fetching the image {image}.");
        (exit, said) = await CallAsync(["pull", "--quiet", image], options.ImagePullTimeout, cancellationToken);
        if (exit == 0) return null;
        return Array.Exists(WrongName, said.ToLowerInvariant().Contains)
            ? ($"There is no image {image} that this worker may fetch: check its name and tag, and that its registry is public. The registry says: {said}", true)
            : ($"The image {image} could not be fetched: {said}", false);
    }

    /// <summary>What a container is or was.</summary>
    /// <returns>Null when there is none.</returns>
    public async Task<ContainerState?> StateOfAsync(string name)
    {
        var (exit, said) = await CallAsync(["inspect", "--type=container", "--format={{.State.StartedAt.IsZero}} {{.State.OOMKilled}} {{.State.ExitCode}} {{.State.Pid}} {{.State.Running}}", name], CallBound, default);
        var words = said.Trim().Split(' ');
        return exit == 0 && words.Length == 5
            ? new ContainerState(words[0] == "false", words[1] == "true", int.Parse(words[2], CultureInfo.InvariantCulture)) { Process = int.Parse(words[3], CultureInfo.InvariantCulture), IsRunning = words[4] == "true" }
            : null;
    }

    /// <summary>Ends and removes a container; harmless when there is none.</summary>
    public async Task RemoveAsync(string name) => await CallAsync(["rm", "--force", "--volumes", "--time=0", "--ignore", name], CallBound, default);

    /// <summary>Ends and removes the containers of an attempt whose service is no more.</summary>
    /// <param name="key">The attempt's.</param>
    public async Task RemoveAllAsync(string key)
    {
        var (exit, said) = await CallAsync(["ps", "--all", "--noheading", "--format={{.Names}}", $"--filter=name=^{NamePrefix}{key}-"], CallBound, default);
        if (exit != 0) return;
        var names = said.Split(['\n', ' '], StringSplitOptions.RemoveEmptyEntries);
        // Those that share another's network must go before it, in whatever order they are listed.
        foreach (var name in names.Concat(names)) await RemoveAsync(name);
    }

    /// <summary>What podman says to a harmless question.</summary>
    /// <returns>Empty when it works.</returns>
    public async Task<string> CheckAsync(CancellationToken cancellationToken)
    {
        var (exit, said) = await CallAsync(["info", "--format={{.Host.OCIRuntime.Name}}"], CallBound, cancellationToken);
        return exit == 0 ? "" : said.Length > 0 ? said : "it ended without a word";
    }

    /// <summary>Hands on the last lines that a container printed.</summary>
    public async Task CopyLogAsync(string name, int maxLines, Func<ReadOnlyMemory<byte>, Task> output)
    {
        using var turn = new SemaphoreSlim(1, 1);
        var pipe = PipeTarget.Create((stream, cancellationToken) => CopyAsync(stream, InTurnAsync, cancellationToken));
        using var limit = new CancellationTokenSource(CallBound);
        await Command([.. GlobalArguments, "logs", $"--tail={maxLines}", name]).WithStandardOutputPipe(pipe).WithStandardErrorPipe(pipe).ExecuteAsync(limit.Token);

        async Task InTurnAsync(ReadOnlyMemory<byte> bytes)
        {
            await turn.WaitAsync();
            await output(bytes);
            turn.Release();
        }
    }

    private static async Task CopyAsync(Stream from, Func<ReadOnlyMemory<byte>, Task> output, CancellationToken cancellationToken)
    {
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await from.ReadAsync(buffer, cancellationToken)) > 0) await output(buffer.AsMemory(0, read));
    }

    private Command Command(IEnumerable<string> arguments)
    {
        var kept = Environment.GetEnvironmentVariables();
        return Cli.Wrap(options.PodmanProgram).WithArguments(arguments).WithValidation(CommandResultValidation.None).WithEnvironmentVariables(variables =>
        {
            foreach (string name in kept.Keys)
            {
                if (!KeptVariables.Contains(name)) variables.Set(name, null);
            }
        });
    }

    /// <summary>Asks podman something.</summary>
    /// <returns>Its exit status, −1 where there was none, and the beginning of what it said.</returns>
    public async Task<(int Exit, string Said)> CallAsync(IEnumerable<string> arguments, TimeSpan bound, CancellationToken cancellationToken)
    {
        var said = new StringBuilder();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(bound);
        try
        {
            var result = await Command([.. GlobalArguments, .. arguments])
                .WithStandardOutputPipe(PipeTarget.ToDelegate(Hear)).WithStandardErrorPipe(PipeTarget.ToDelegate(Hear)).ExecuteAsync(limit.Token);
            return (result.ExitCode, said.ToString().Trim());
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return (-1, $"no answer within {bound}");
        }
        catch (System.ComponentModel.Win32Exception error)
        {
            return (-1, $"{options.PodmanProgram}: {error.Message}");
        }

        void Hear(string line)
        {
            lock (said)
            {
                if (said.Length < MaxMessageLength) said.Append(Shown(line)).Append('\n');
            }
        }
    }

    private static string Shown(string text) => string.Concat(text.Take(MaxMessageLength).Select(c => char.IsControl(c) ? ' ' : c));

    [GeneratedRegex(@"^[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex ImageName();
}
