using Microsoft.Extensions.DependencyInjection;
using WmfCi.Kubernetes;
using WmfCi.LocalRunner;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Intake;
using WmfCi.Service.Pages;
using WmfCi.Storage;

namespace WmfCi.Service;

/// <summary>What the pages are told about the site, and what must be well for this process to be ready.</summary>
internal static class PageWiring
{
    public static PageOptions PageOptions(this IServiceProvider services, Serving serving) => new()
    {
        Url = serving.Site.Url.ToString().TrimEnd('/'),
        CodeReviewUrl = serving.Site.Gerrit.Url.ToString().TrimEnd('/'),
        Capacity = _ => ValueTask.FromResult(CapacityHere(services)),
        HealthChecks = [.. HealthChecks(services, serving.Roles)],
    };

    private static Capacity? CapacityHere(IServiceProvider services) =>
        services.GetServices<EffectWorkers>().FirstOrDefault(workers => workers.Pool.Name == Pools.Runner) is { } runner ? new Capacity(runner.Busy, runner.Pool.Slots) : null;

    private static IEnumerable<HealthCheck> HealthChecks(IServiceProvider services, Roles roles)
    {
        if (roles.HasFlag(Roles.Controller))
        {
            yield return new HealthCheck("code review", _ => Task.FromResult(services.GetRequiredService<PolicyKeeper>().Problem));
            yield return new HealthCheck("event stream", _ => Task.FromResult(services.GetRequiredService<StreamListener>().Problem));
        }
        if (roles.HasFlag(Roles.Runner) && services.GetRequiredService<IJobRunner>() is LocalJobRunner local)
            yield return new HealthCheck("runner", async cancellationToken => (await local.CheckAsync(cancellationToken)).HostProblem);
        if (roles.HasFlag(Roles.Runner) && services.GetRequiredService<IJobRunner>() is KubernetesJobRunner kubernetes)
            yield return new HealthCheck("cluster", _ => Task.FromResult(kubernetes.Problem));
    }
}
