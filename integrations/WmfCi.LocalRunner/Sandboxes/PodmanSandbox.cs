using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>A container of a named image, made by <c>podman</c>.</summary>
internal sealed class PodmanSandbox(LocalRunnerOptions options, StepFiles step, Podman podman, TimeSpan atMost) : Sandbox
{
    private const string Entry = "exec 2>&1; exec /bin/sh -e \"$0\"";
    private const int MaxTroubleLength = 600;
    private const int PodmanFailed = 125, Killed = 128 + HeldProcess.Kill;

    // How long after the stage's own time podman ends a container by itself, for the case that this service is no more.
    private static readonly TimeSpan OrphanMargin = TimeSpan.FromMinutes(1);
    private readonly StringBuilder _trouble = new();

    /// <summary>What a container of a step is called.</summary>
    public string Name { get; } = $"{Podman.NamePrefix}{step.Folder.Key}-{step.Number}";

    public override bool NeedsMemoryWatch => !podman.CanLimitMemory;

    private string NumberFile => Path.Combine(step.Folder.Root, $"{step.Number}.pid");

    public override ProcessStartInfo Command()
    {
        var start = Clean(options.PodmanProgram, Podman.KeptVariables);
        foreach (var argument in podman.GlobalArguments) start.ArgumentList.Add(argument);
        foreach (var argument in Arguments()) start.ArgumentList.Add(argument);
        return start;
    }

    public override void Hear(string line)
    {
        if (_trouble.Length < MaxTroubleLength) _trouble.Append(string.Concat(line.Select(c => char.IsControl(c) ? ' ' : c))).Append(' ');
    }

    public override int? FindFirst()
    {
        try
        {
            return int.TryParse(File.ReadAllText(NumberFile), NumberStyles.None, CultureInfo.InvariantCulture, out var first) ? first : null;
        }
        catch (IOException)
        {
            return null;
        }
    }

    public override int FindShell(int first) => first;

    public override async Task KillAsync(Process process)
    {
        await podman.RemoveAsync(Name);
        process.Kill();
    }

    public override async Task<SandboxEnd> EndAsync(Process process)
    {
        var exit = process.ExitCode;
        if (exit == 0) return new SandboxEnd(0);
        var state = await podman.StateOfAsync(Name);
        if (state is not { WasStarted: true } || exit == PodmanFailed && state.ExitCode != PodmanFailed)
            return NeverBegan(_trouble.ToString().Trim());
        // podman notices only some of the kernel's kills; that a step's shell reports SIGKILL, which nobody here sent, is the sign that is always there.
        return new SandboxEnd(exit, "", state.RanOutOfMemory || exit == Killed && podman.CanLimitMemory);
    }

    private SandboxEnd NeverBegan(string trouble) => trouble.Contains("/bin/sh", StringComparison.Ordinal) && trouble.Contains("no such file", StringComparison.OrdinalIgnoreCase)
        ? new SandboxEnd(null, $"The image {step.Stage.Image} has no /bin/sh, which steps are run with. Choose an image that has one.", IsMisconfigured: true)
        : new SandboxEnd(null, $"podman could not run the step: {trouble}");

    private IEnumerable<string> Arguments()
    {
        var (root, memory) = (step.Folder.Root, options.MemoryBytes.ToString(CultureInfo.InvariantCulture));
        yield return "run";
        foreach (var (option, value) in Podman.RuntimeOptions()) yield return $"--{option}={value}";
        yield return $"--name={Name}";
        yield return $"--pidfile={NumberFile}";
        yield return "--pull=never";
        yield return "--log-driver=none";
        yield return "--http-proxy=false";
        yield return "--systemd=false";
        yield return $"--timeout={(long)Math.Ceiling((atMost + options.StopGrace + OrphanMargin).TotalSeconds)}";
        if (PodmanServices.NetworkOf(step.Folder, step.Stage) is { } network) yield return $"--network={network}";
        if (!step.Stage.Services.IsEmpty) yield return $"--volume={root}/etc/hosts:/etc/hosts:ro";
        yield return "--cap-drop=all";
        yield return "--security-opt=no-new-privileges";
        yield return "--read-only";
        yield return "--read-only-tmpfs=false";
        foreach (var option in Podman.UserOptions(options.StepUser)) yield return option;
        yield return $"--ulimit=nofile={Podman.OpenFiles}:{Podman.OpenFiles}";
        yield return $"--ulimit=nproc={podman.ProcessLimit}:{podman.ProcessLimit}";
        yield return "--ulimit=core=0:0";
        yield return $"--ulimit=fsize={options.DiskBytes}:{options.DiskBytes}";
        if (podman.CanLimitMemory)
        {
            yield return $"--memory={memory}";
            yield return $"--memory-swap={memory}";
            yield return $"--pids-limit={options.MaxProcesses}";
        }

        yield return $"--shm-size={options.SharedMemoryBytes}";
        yield return $"--hostname={HostName}";
        yield return $"--workdir={WorkPath}";
        yield return $"--volume={root}/disk/work:{WorkPath}:rw";
        yield return $"--volume={root}/inputs:{InputsPath}:ro";
        yield return $"--volume={root}/{step.Script}:{ScriptPath}:ro";
        yield return $"--volume={root}/{step.Temporary}:/tmp:rw";
        yield return $"--volume={root}/{step.Temporary}:/var/tmp:rw";
        yield return $"--volume={root}/{step.Home}:{HomePath}:rw";
        foreach (var variable in step.Variables) yield return $"--env={variable.Name}={variable.Value}";
        yield return "--entrypoint=/bin/sh";
        yield return step.Stage.Image;
        yield return "-c";
        yield return Entry;
        yield return ScriptPath;
    }
}
