using System.Globalization;
using WmfCi.Core.Pipelines;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>
/// The services of a stage: containers that share one network with the stage's steps, and nothing else with anybody. All are on its loopback, each under its name, so two of
/// them cannot listen on the same port; a network with addresses of their own would need rights on this machine that ordinary users do not have.
/// </summary>
internal sealed class PodmanServices(LocalRunnerOptions options, Podman podman, AttemptFolder folder, Stage stage)
{
    /// <summary>How long all services together may take until they are ready.</summary>
    public static readonly TimeSpan ReadyTimeout = TimeSpan.FromMinutes(5);

    private const int MaxLogLines = 2000;
    private const string Listening = "0A";

    // Nothing tells of a port that opens or of a command that would succeed now.
    private static readonly TimeSpan AskedEvery = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan CallBound = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan OrphanMargin = TimeSpan.FromMinutes(1);
    private static readonly string[] Root = ["", "0", "root"];

    /// <summary>What the containers are called, in the order in which they begin.</summary>
    public IEnumerable<string> Names => stage.Services.Select((_, index) => Name(index));

    /// <summary>The network of a stage's steps as podman takes it; null for that of the machine.</summary>
    public static string? NetworkOf(AttemptFolder folder, Stage stage) =>
        !stage.Services.IsEmpty ? $"container:{NameOf(folder, 0)}" : stage.HasNetwork ? null : "none";

    /// <summary>Begins them all and waits until they are ready.</summary>
    /// <returns>Null when they are; otherwise why not, and whether the configuration is to blame.</returns>
    public async Task<(string Why, bool IsMisconfigured)?> StartAsync(TimeProvider time, CancellationToken cancellationToken)
    {
        folder.NameServices(stage.Services.Select(service => service.Name));
        for (var index = 0; index < stage.Services.Count; index++)
        {
            if (await StartAsync(index, cancellationToken) is { } trouble) return trouble;
        }

        var begun = time.GetTimestamp();
        using var timer = new PeriodicTimer(AskedEvery, time);
        for (var index = 0; index < stage.Services.Count;)
        {
            var service = stage.Services[index];
            if (await podman.StateOfAsync(Name(index)) is not { IsRunning: true } state) return ($"The service {service.Name} ended before it was ready. What it printed is in the log.", true);
            if (await IsReadyAsync(index, state, cancellationToken)) index++;
            else if (time.GetElapsedTime(begun) > ReadyTimeout) return ($"The service {service.Name} was not ready within {ReadyTimeout.TotalMinutes:0} min. What it printed is in the log.", true);
            else await timer.WaitForNextTickAsync(cancellationToken);
        }

        return null;
    }

    /// <summary>What each service printed, its end only where it printed much.</summary>
    public async Task TellAsync(AttemptLog log)
    {
        for (var index = 0; index < stage.Services.Count; index++)
        {
            await log.AsideAsync($"service {stage.Services[index].Name}", default);
            await podman.CopyLogAsync(Name(index), MaxLogLines, bytes => log.OutputAsync(bytes, default));
        }
    }

    private static string NameOf(AttemptFolder folder, int index) => string.Create(CultureInfo.InvariantCulture, $"{Podman.NamePrefix}{folder.Key}-service-{index}");

    private string Name(int index) => NameOf(folder, index);

    private async Task<(string Why, bool IsMisconfigured)?> StartAsync(int index, CancellationToken cancellationToken)
    {
        var service = stage.Services[index];
        if (service.User is null)
        {
            var (status, user) = await podman.CallAsync(["image", "inspect", "--format={{.Config.User}}", service.Image], CallBound, cancellationToken);
            if (status == 0 && Array.Exists(Root, user.Split(':')[0].Trim().Equals))
                return ($"The image {service.Image} of the service {service.Name} begins as root. Write the number of the user that it may be under `user`.", true);
        }

        var (exit, said) = await podman.CallAsync(Arguments(index, service), CallBound, cancellationToken);
        return exit == 0 ? null : ($"The service {service.Name} could not be started: {said}", false);
    }

    private IEnumerable<string> Arguments(int index, StageService service)
    {
        yield return "run";
        yield return "--detach";
        foreach (var (option, value) in Podman.RuntimeOptions()) yield return $"--{option}={value}";
        yield return $"--name={Name(index)}";
        yield return "--pull=never";
        yield return "--log-driver=k8s-file";
        yield return $"--log-opt=max-size={options.LogBytes}";
        yield return "--http-proxy=false";
        yield return "--systemd=false";
        yield return $"--timeout={(long)Math.Ceiling((stage.Timeout + options.StopGrace + OrphanMargin).TotalSeconds)}";
        if (index > 0) yield return $"--network=container:{Name(0)}";
        else if (!stage.HasNetwork) yield return "--network=none";
        yield return "--cap-drop=all";
        yield return "--security-opt=no-new-privileges";
        if (service.User is { } user) yield return string.Create(CultureInfo.InvariantCulture, $"--user={user}:{user}");
        yield return $"--ulimit=nofile={Podman.OpenFiles}:{Podman.OpenFiles}";
        yield return $"--ulimit=nproc={podman.ProcessLimit}:{podman.ProcessLimit}";
        yield return "--ulimit=core=0:0";
        yield return $"--ulimit=fsize={options.DiskBytes}:{options.DiskBytes}";
        if (podman.CanLimitMemory)
        {
            yield return $"--memory={options.MemoryBytes}";
            yield return $"--memory-swap={options.MemoryBytes}";
            yield return $"--pids-limit={options.MaxProcesses}";
        }

        yield return $"--shm-size={options.SharedMemoryBytes}";
        yield return $"--volume={folder.Root}/etc/hosts:/etc/hosts:ro";
        foreach (var variable in service.Environment) yield return $"--env={variable.Name}={variable.Value}";
        yield return service.Image;
    }

    private async Task<bool> IsReadyAsync(int index, ContainerState state, CancellationToken cancellationToken)
    {
        var service = stage.Services[index];
        if (service.ReadyCommand is { } command) return (await podman.CallAsync(["exec", Name(index), "/bin/sh", "-c", command], CallBound, cancellationToken)).Exit == 0;
        return service.ReadyPort is not { } port || Listens(state.Process, port);
    }

    // Nothing in the image need be able to ask; the kernel says who listens in that network.
    private static bool Listens(int process, int port)
    {
        var ending = ":" + port.ToString("X4", CultureInfo.InvariantCulture);
        foreach (var table in new[] { "tcp", "tcp6" })
        {
            try
            {
                if (File.ReadLines($"/proc/{process}/net/{table}").Skip(1).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                    .Any(row => row.Length > 3 && row[3] == Listening && row[1].EndsWith(ending, StringComparison.Ordinal))) return true;
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // It ended this moment, or the kernel has no IPv6.
            }
        }

        return false;
    }
}
