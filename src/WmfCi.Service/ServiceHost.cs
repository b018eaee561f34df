using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Service.Loop;
using WmfCi.Service.Pages;
using WmfCi.Storage;

namespace WmfCi.Service;

/// <summary>A running service: what <c>wmfci serve</c> starts, and what tests start in their own process.</summary>
public sealed class ServiceHost : IAsyncDisposable
{
    /// <summary>How long it waits at start for a database that is not there yet, before it gives up and lets its supervisor start it again.</summary>
    public static readonly TimeSpan DatabasePatience = TimeSpan.FromMinutes(1);

    /// <summary>How long stopping may take before what still goes on is left to the claims that run out.</summary>
    public static readonly TimeSpan ShutdownPatience = TimeSpan.FromSeconds(20);

    private readonly WebApplication _app;

    private ServiceHost(WebApplication app) => _app = app;

    /// <summary>Its parts.</summary>
    public IServiceProvider Services => _app.Services;

    /// <summary>Where its pages are; null without the web role.</summary>
    public Uri? Address { get; private init; }

    /// <summary>Brings the database up to date and starts.</summary>
    /// <param name="serving">What it serves.</param>
    /// <param name="replace">Registers parts that take the place of the usual ones.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="MigrationException">The database does not fit this program.</exception>
    /// <exception cref="IOException">The address is taken, or the database did not answer in time.</exception>
    public static async Task<ServiceHost> StartAsync(Serving serving, Action<IServiceCollection> replace, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(serving.Site.State);
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UseSetting("urls", serving.Site.Listen.ToString());
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat, console.UseUtcTimestamp) = (true, "yyyy-MM-dd'T'HH:mm:ss.fff'Z' ", true));
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning).AddFilter("System.Net.Http", LogLevel.Warning).AddFilter("Npgsql", LogLevel.Warning);
        // A fault that ends one of the loops ends the process: a supervisor starts it again, which a half-dead one would not be.
        builder.Services.Configure<HostOptions>(options =>
        {
            options.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.StopHost;
            options.ShutdownTimeout = ShutdownPatience;
            options.ServicesStopConcurrently = true;
        });
        replace(builder.Services);
        builder.Services.AddWmfCi(serving);
        var app = builder.Build();
        try
        {
            app.MapPages();
            await MigrateAsync(app.Services, cancellationToken);
            await app.StartAsync(cancellationToken);
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()?.Addresses.FirstOrDefault();
        return new ServiceHost(app) { Address = address is null ? null : new Uri(address) };
    }

    /// <summary>Waits until it is told to stop.</summary>
    /// <returns>False when it stopped because one of its loops failed: its supervisor is to start it again.</returns>
    public async Task<bool> WaitAsync(CancellationToken cancellationToken)
    {
        await _app.WaitForShutdownAsync(cancellationToken);
        return !_app.Services.GetServices<IHostedService>().OfType<BackgroundService>().Any(service => service.ExecuteTask?.IsFaulted == true);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
    }

    private static async Task MigrateAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var (source, time) = (services.GetRequiredService<NpgsqlDataSource>(), services.GetRequiredService<TimeProvider>());
        var begun = time.GetTimestamp();
        for (var failures = 1; ; failures++)
        {
            try
            {
                await Migrator.ApplyAsync(source, cancellationToken);
                return;
            }
            catch (NpgsqlException error) when (error.IsTransient || error.InnerException is IOException or System.Net.Sockets.SocketException)
            {
                if (time.GetElapsedTime(begun) > DatabasePatience) throw new IOException($"The database did not answer within {DatabasePatience.TotalSeconds:0} s: {error.Message}", error);
                await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), time, cancellationToken);
            }
        }
    }
}
