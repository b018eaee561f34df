using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Service.Effects;
using WmfCi.Storage;

namespace WmfCi.Service;

/// <summary>Removes what is old, and keeps the gauges.</summary>
/// <param name="upkeep">What there is to do.</param>
/// <param name="surroundings">Clock and log.</param>
public sealed partial class Upkeeper(Upkeep upkeep, Surroundings surroundings) : BackgroundService
{
    /// <summary>How often it looks.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(30);

    private readonly ILogger<Upkeeper> _logger = surroundings.Loggers.CreateLogger<Upkeeper>();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, surroundings.Time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                while (await upkeep.TidyAsync(stoppingToken) >= Upkeep.MaxRemovedAtOnce)
                {
                }
                var backlog = await upkeep.BacklogAsync(stoppingToken);
                ServiceMetrics.Backlog.WithLabels("events").Set(backlog.Events);
                ServiceMetrics.Backlog.WithLabels("effects").Set(backlog.Effects);
                ServiceMetrics.Backlog.WithLabels("set-aside").Set(backlog.Quarantined);
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException)
            {
                // It can wait for the next round.
                Later(error.Message);
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "Tidying waits: {Reason}")]
    private partial void Later(string reason);
}
