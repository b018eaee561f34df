using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Service.Effects;
using WmfCi.Storage;

namespace WmfCi.Service.Loop;

/// <summary>Hears the database's notifications and rings the bells of this replica.</summary>
/// <param name="wakeups">The notifications.</param>
/// <param name="bells">What is rung.</param>
/// <param name="stops">Told which effect is to be stopped.</param>
/// <param name="logs">Told which log grew.</param>
/// <param name="surroundings">Clock and log.</param>
public sealed partial class WakeupListener(Wakeups wakeups, Bells bells, EffectStops stops, LogHints logs, Surroundings surroundings) : BackgroundService
{
    private readonly ILogger<WakeupListener> _logger = surroundings.Loggers.CreateLogger<WakeupListener>();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await wakeups.ListenAsync(Heard, () =>
                {
                    failures = 0;
                    bells.RingAll();
                }, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException or InvalidOperationException)
            {
                // Without notifications everything still happens, at the pace at which the loops look by themselves.
                failures++;
                Deaf(error.Message, failures);
                await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), surroundings.Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private void Heard(string channel, string payload)
    {
        switch (channel)
        {
            case Wakeups.Stops:
                stops.Request(payload);
                break;
            case Wakeups.Logs:
                logs.Heard(payload);
                break;
            default:
                bells.Heard(channel, payload);
                break;
        }
    }

    [LoggerMessage(LogLevel.Warning, "Notifications of the database are not heard ({Reason}), failure {Failures} in a row")]
    private partial void Deaf(string reason, int failures);
}

/// <summary>Who wants to know that a log grew.</summary>
/// <param name="Heard">Called with the attempt.</param>
public sealed record LogHints(Action<string> Heard);
