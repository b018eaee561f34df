using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Prometheus;
using WmfCi.Service.Pages.Assets;
using WmfCi.Service.Pages.Replay;
using WmfCi.Service.Pages.Terminal;

namespace WmfCi.Service.Pages;

/// <summary>Puts the pages into a host.</summary>
public static class PageSetup
{
    private static readonly string[] s_reading = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>
    /// Adds what the pages need. The host adds the rest: <c>RunTable</c>, <c>Logs</c>, <c>Artifacts</c>, <c>Upkeep</c> and <c>IArtifactStore</c>.
    /// Whoever listens to the database's notifications calls <see cref="LogFollowers.Heard"/> of the one that is added here.
    /// </summary>
    /// <param name="services">The host's services.</param>
    /// <param name="options">Tells about the site.</param>
    public static IServiceCollection AddPages(this IServiceCollection services, Func<IServiceProvider, PageOptions> options)
    {
        services.AddRazorComponents();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(options);
        services.AddSingleton<LogFollowers>();
        services.AddSingleton<LogFollow>();
        services.AddSingleton<LogFollowServices>();
        services.AddSingleton<LogReader>();
        services.AddSingleton<RunPages>();
        services.AddSingleton<StagePages>();
        services.AddSingleton<ReplayPages>();
        services.AddSingleton<HealthPages>();
        services.AddSingleton<PageGuard>();
        return services;
    }

    /// <summary>Maps all pages, and the answer to every address that nobody else answers.</summary>
    public static IEndpointRouteBuilder MapPages(this IEndpointRouteBuilder endpoints)
    {
        var guard = endpoints.ServiceProvider.GetRequiredService<PageGuard>();
        var pages = endpoints.MapGroup("").AddEndpointFilter(guard);
        MapRuns(pages);
        MapStages(pages);
        MapReplays(pages);
        pages.MapMethods("/health/live", s_reading, HealthPages.Live);
        pages.MapMethods("/health/ready", s_reading, (HealthPages health, CancellationToken cancel) => health.ReadyAsync(cancel));
        pages.MapMethods("/assets/{name}", s_reading, (string name) => PageAssets.Find(name) ?? PageGuard.NotFound());
        endpoints.MapMetrics("/metrics");
        pages.MapFallback("{**path}", PageGuard.NotFound);
        return endpoints;
    }

    private static void MapRuns(RouteGroupBuilder pages)
    {
        pages.MapMethods("/", s_reading, (string? before, RunPages runs, CancellationToken cancel) => runs.OverviewAsync(before, cancel));
        pages.MapMethods("/runs/{run:long}", s_reading, (long run, RunPages runs, CancellationToken cancel) => runs.RunAsync(run, cancel));
        pages.MapMethods("/changes/{number:int}/{**project}", s_reading, (int number, string? project, RunPages runs, CancellationToken cancel) => runs.ChangeAsync(number, project ?? "", cancel));
        pages.MapMethods("/projects/{**project}", s_reading, (string? project, string? before, RunPages runs, CancellationToken cancel) => runs.ProjectAsync(project ?? "", before, cancel));
        pages.MapMethods("/quarantine", s_reading, (RunPages runs, CancellationToken cancel) => runs.QuarantineAsync(cancel));
    }

    // Not below /runs/N: there every word is the name of a stage.
    private static void MapReplays(RouteGroupBuilder pages)
    {
        pages.MapMethods("/replays/{run:long}", s_reading, (long run, ReplayPages replays, CancellationToken cancel) => replays.DocumentAsync(run, cancel));
        pages.MapMethods("/replays/{run:long}/source", s_reading, (long run, ReplayPages replays, HttpContext http, CancellationToken cancel) => replays.SourceAsync(run, http.Response, cancel));
    }

    private static void MapStages(RouteGroupBuilder pages)
    {
        pages.MapMethods("/runs/{run:long}/{stage}", s_reading, (long run, string stage, string? from, StagePages stages, LogReader reader, CancellationToken cancel) =>
            stages.StageAsync(new AttemptRoute(run, stage, null), from, reader, cancel));
        pages.MapMethods("/runs/{run:long}/{stage}/{attempt:int}", s_reading, (long run, string stage, int attempt, string? from, StagePages stages, LogReader reader, CancellationToken cancel) =>
            stages.StageAsync(new AttemptRoute(run, stage, attempt), from, reader, cancel));
        pages.MapMethods("/runs/{run:long}/{stage}/{attempt:int}/log", s_reading, (long run, string stage, int attempt, StagePages stages, CancellationToken cancel) =>
            stages.RawAsync(new AttemptRoute(run, stage, attempt), cancel));
        pages.MapGet("/runs/{run:long}/{stage}/{attempt:int}/log/events", (long run, string stage, int attempt, StagePages stages, HttpContext http, LogFollowServices follow) =>
            stages.EventsAsync(new AttemptRoute(run, stage, attempt), http, follow));
        pages.MapMethods("/runs/{run:long}/{stage}/{attempt:int}/artifacts/{**path}", s_reading, (long run, string stage, int attempt, string? path, StagePages stages, CancellationToken cancel) =>
            stages.ArtifactAsync(new AttemptRoute(run, stage, attempt), path ?? "", cancel));
    }
}
