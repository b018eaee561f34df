using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Config.Sites;
using WmfCi.Gerrit;
using WmfCi.Git;
using WmfCi.ObjectStore;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Intake;
using WmfCi.Service.Loop;
using WmfCi.Service.Pages;
using WmfCi.Service.Pages.Terminal;
using WmfCi.Storage;

namespace WmfCi.Service;

/// <summary>What one process serves.</summary>
/// <param name="Site">The site's configuration.</param>
/// <param name="Roles">Its roles.</param>
/// <param name="Holder">Its name among the replicas; another one after each start, so that a lease of its former life is not taken for its own.</param>
public sealed record Serving(Site Site, Roles Roles, string Holder)
{
    /// <summary>A name for this process.</summary>
    public static string NewHolder() => $"{Environment.MachineName}/{Environment.ProcessId}/{Guid.NewGuid().ToString("N")[..8]}";
}

/// <summary>Puts the parts together. Whoever wants another part (a test, another code review) registers it before calling <see cref="AddWmfCi"/>.</summary>
public static class Wiring
{
    /// <summary>How many reviews are read and written at once.</summary>
    public const int ReviewSlots = 8;

    /// <summary>How many sources are prepared at once.</summary>
    public const int VcsSlots = 4;

    /// <summary>Registers everything that a process with these roles needs.</summary>
    public static IServiceCollection AddWmfCi(this IServiceCollection services, Serving serving)
    {
        services.AddSingleton(serving).AddSingleton(serving.Site);
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton(Boundary.None);
        services.TryAddSingleton(LeaseTimes.Default);
        services.AddSingleton(provider => new Surroundings(
            provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<Boundary>(), provider.GetRequiredService<ILoggerFactory>()));
        services.AddStorage(serving.Site).AddPorts(serving.Site);
        services.AddSingleton<Bells>().AddSingleton<EffectStops>().AddSingleton<CurrentPolicy>();
        services.AddSingleton(provider => new LogHints(provider.GetRequiredService<LogFollowers>().Heard));
        services.AddHostedService<WakeupListener>();
        services.AddPages(provider => provider.PageOptions(serving));
        if (serving.Roles.HasFlag(Roles.Controller)) services.AddController(serving);
        if (serving.Roles.HasFlag(Roles.Vcs)) services.AddVcs(serving);
        if (serving.Roles.HasFlag(Roles.Runner)) services.AddRunner(serving);
        return services;
    }

    private static IServiceCollection AddStorage(this IServiceCollection services, Site site)
    {
        services.AddSingleton(_ => NpgsqlDataSource.Create(site.ConnectionString()));
        return services.AddSingleton<Inbox>().AddSingleton<Lanes>().AddSingleton<Outbox>().AddSingleton<Leases>().AddSingleton<Facts>().AddSingleton<Logs>()
            .AddSingleton<Artifacts>().AddSingleton<RunTable>().AddSingleton<Upkeep>().AddSingleton<Wakeups>();
    }

    private static void AddPorts(this IServiceCollection services, Site site)
    {
        services.TryAddSingleton<ICodeReview>(provider => new GerritCodeReview(site.GerritOptions(), provider.GetRequiredService<TimeProvider>()));
        services.TryAddSingleton<IArtifactStore>(provider => new FolderStore(Path.Combine(site.State, "store"), provider.GetRequiredService<TimeProvider>()));
        services.AddRunnerPort(site);
    }

    private static void AddController(this IServiceCollection services, Serving serving)
    {
        var site = serving.Site;
        services.AddSingleton(new IntakeOptions(serving.Holder, site.Polling.Every, site.Polling.Overlap, site.Projects.Serves) { HasStream = site.Gerrit.Ssh is not null });
        services.AddSingleton<CatchUp>().AddSingleton<ReviewEffects>();
        services.AddHostedSingleton<PolicyKeeper>().AddHostedSingleton<StreamListener>();
        services.AddHostedService<LaneLoop>().AddHostedService<Upkeeper>();
        services.AddPool(serving, Pools.Review, ReviewSlots, provider => provider.GetRequiredService<ReviewEffects>().HandleAsync);
    }

    private static void AddVcs(this IServiceCollection services, Serving serving)
    {
        services.AddSingleton(provider => new Mirror(serving.Site.MirrorOptions(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(new MergeIdentity("WmfCi", $"{serving.Site.Gerrit.User}@{serving.Site.Url.Host}"));
        services.AddSingleton<SourceEffects>().AddHostedSingleton<MirrorKeeper>();
        services.AddPool(serving, Pools.Vcs, VcsSlots, provider => provider.GetRequiredService<SourceEffects>().HandleAsync);
    }

    private static void AddRunner(this IServiceCollection services, Serving serving)
    {
        services.AddSingleton(provider => new StageTables(
            provider.GetRequiredService<Inbox>(), provider.GetRequiredService<Logs>(), provider.GetRequiredService<Artifacts>(), Path.Combine(serving.Site.State, "logs")));
        services.AddSingleton<StageEffects>();
        services.AddPool(serving, Pools.Runner, serving.Site.Runner.Slots, provider => provider.GetRequiredService<StageEffects>().HandleAsync, provider => provider.PrepareRunnerAsync);
    }

    private static void AddPool(this IServiceCollection services, Serving serving, string name, int slots, Func<IServiceProvider, EffectHandler> handler, Func<IServiceProvider, Func<CancellationToken, Task>>? prepare = null)
    {
        services.AddSingleton(provider => new EffectWorkers(
            new EffectPool(name, slots, serving.Holder, handler(provider)) { Prepare = prepare?.Invoke(provider) }, provider.GetRequiredService<Outbox>(), provider.GetRequiredService<Bells>(),
            provider.GetRequiredService<EffectStops>(), provider.GetRequiredService<Surroundings>()));
        // Several workers of one type: each is hosted by its place among them.
        services.AddSingleton<IHostedService>(provider => provider.GetServices<EffectWorkers>().First(workers => workers.Pool.Name == name));
    }

    private static IServiceCollection AddHostedSingleton<T>(this IServiceCollection services)
        where T : class, IHostedService =>
        services.AddSingleton<T>().AddSingleton<IHostedService>(provider => provider.GetRequiredService<T>());
}
