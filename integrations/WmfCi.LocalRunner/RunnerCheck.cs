using System.ComponentModel;
using CliWrap;
using CliWrap.Buffered;
using WmfCi.LocalRunner.Sandboxes;

namespace WmfCi.LocalRunner;

/// <summary>What this machine can do for stages, as health pages and the sandbox command show it.</summary>
/// <param name="HostProblem">Why stages with <c>image: host</c> cannot run, and what to do; null when they can.</param>
/// <param name="ImageProblem">Why stages with a named image cannot run, and what to do; null when they can.</param>
/// <param name="MemoryIsBoundByKernel">Whether control groups bound the memory of <c>image: host</c> stages; otherwise it is watched.</param>
public sealed record RunnerCheck(string? HostProblem, string? ImageProblem, bool MemoryIsBoundByKernel)
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(30);

    internal static async Task<RunnerCheck> OfAsync(RunnerParts parts, CancellationToken cancellationToken)
    {
        using var group = ControlGroup.TryCreate($"check-{Guid.NewGuid():N}", parts.Options, overhead: 1);
        return new RunnerCheck(await HostAsync(parts.Options, cancellationToken), await ImagesAsync(parts, cancellationToken), group is not null);
    }

    private static async Task<string?> HostAsync(LocalRunnerOptions options, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Bound);
        try
        {
            string[] arguments = [options.BubblewrapProgram, "--unshare-all", "--unshare-user", "--disable-userns", "--ro-bind", "/", "/", "--proc", "/proc", "true"];
            var command = Environment.IsPrivilegedProcess
                ? Cli.Wrap("setpriv").WithArguments(["--reuid", $"{options.StepUser}", "--regid", $"{options.StepUser}", "--clear-groups", .. arguments])
                : Cli.Wrap(arguments[0]).WithArguments(arguments[1..]);
            if (!await IsInstalledAsync(options.BubblewrapProgram, limit.Token)) return $"{options.BubblewrapProgram} is not installed: apt-get install bubblewrap";
            var result = await command.WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(limit.Token);
            return result.ExitCode == 0 ? null
                : $"bubblewrap cannot make a sandbox here ({result.StandardError.Trim()}). It needs user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone=1) and bubblewrap 0.8 or newer.";
        }
        catch (Exception error) when (error is Win32Exception or OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return $"bubblewrap cannot be tried: {error.Message}. Install bubblewrap and util-linux.";
        }
    }

    private static async Task<string?> ImagesAsync(RunnerParts parts, CancellationToken cancellationToken)
    {
        if (!await IsInstalledAsync(parts.Options.PodmanProgram, cancellationToken)) return $"{parts.Options.PodmanProgram} is not installed: apt-get install podman";
        if (ControlGroupPlace.IsVersionOne() && !await IsInstalledAsync("runc", cancellationToken)) return "runc is not installed, which podman needs with control groups of version 1: apt-get install runc";
        var said = await parts.Podman.CheckAsync(cancellationToken);
        return said.Length == 0 ? null : $"podman does not work here: {said}";
    }

    private static async Task<bool> IsInstalledAsync(string program, CancellationToken cancellationToken)
    {
        try
        {
            await Cli.Wrap(program).WithArguments("--version").WithValidation(CommandResultValidation.None).ExecuteAsync(cancellationToken);
            return true;
        }
        catch (Win32Exception)
        {
            return false;
        }
    }
}
