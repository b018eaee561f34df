using System.ComponentModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using WmfCi.Config.Sites;
using WmfCi.Kubernetes;
using WmfCi.LocalRunner;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service;

/// <summary>Which runner a site has, and what it needs before the first stage.</summary>
internal static partial class RunnerWiring
{
    /// <summary>Registers the runner that the site configuration names.</summary>
    public static void AddRunnerPort(this IServiceCollection services, Site site)
    {
        if (site.Runner.Kubernetes is { } kubernetes)
        {
            services.TryAddSingleton<IJobRunner>(provider => new KubernetesJobRunner(
                site.KubernetesOptions(kubernetes),
                Cluster.Open(kubernetes.ClusterOptions(), provider.GetRequiredService<TimeProvider>()),
                provider.GetRequiredService<IArtifactStore>(),
                provider.GetRequiredService<ILogger<KubernetesJobRunner>>()));
            return;
        }
        services.TryAddSingleton<IJobRunner>(provider =>
            new LocalJobRunner(site.RunnerOptions(), provider.GetRequiredService<IArtifactStore>(), provider.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Makes the runner ready: removes what dead processes left on this machine, or finds what runs in the cluster.</summary>
    public static async Task PrepareRunnerAsync(this IServiceProvider services, CancellationToken cancellationToken)
    {
        switch (services.GetRequiredService<IJobRunner>())
        {
            case LocalJobRunner local:
                await SweepAsync(local, services.GetRequiredService<ILogger<LocalJobRunner>>(), cancellationToken);
                break;
            case KubernetesJobRunner kubernetes:
                await kubernetes.StartAsync(services.GetRequiredService<Outbox>().ReadWantedAttemptsAsync, cancellationToken);
                break;
        }
    }

    private static async Task SweepAsync(LocalJobRunner local, ILogger logger, CancellationToken cancellationToken)
    {
        try
        {
            Swept(logger, await local.SweepAsync(cancellationToken));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException or Win32Exception)
        {
            // Stages run all the same: what was left is in nobody's way but the disk's.
            NotSwept(logger, error);
        }
    }

    [LoggerMessage(LogLevel.Information, "{Attempts} attempts of dead processes were swept away")]
    private static partial void Swept(ILogger logger, int attempts);

    [LoggerMessage(LogLevel.Error, "What dead processes left could not be swept away")]
    private static partial void NotSwept(ILogger logger, Exception error);
}
