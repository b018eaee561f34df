using Npgsql;

namespace WmfCi.Storage;

/// <summary>
/// Tells waiting loops that there is something to do, by <c>LISTEN</c>/<c>NOTIFY</c>. A notification is a hint that may get lost: every loop looks by itself
/// from time to time, too.
/// </summary>
/// <param name="source">The database.</param>
public sealed class Wakeups(NpgsqlDataSource source)
{
    /// <summary>A lane has an event.</summary>
    public const string Lanes = "wmfci_lanes";

    /// <summary>An effect waits; the payload is its pool.</summary>
    public const string Effects = "wmfci_effects";

    /// <summary>An effect that runs is to be stopped; the payload is its key.</summary>
    public const string Stops = "wmfci_stops";

    /// <summary>A log grew or ended; the payload is the attempt.</summary>
    public const string Logs = "wmfci_logs";

    /// <summary>Passes notifications on until cancelled or the connection breaks; the caller calls again.</summary>
    /// <param name="heard">Called with channel and payload, on the connection's own loop: it must be quick.</param>
    /// <param name="listening">Called once the database listens: what happened before is not told, so look for yourself now.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async Task ListenAsync(Action<string, string> heard, Action listening, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        connection.Notification += (_, notification) => heard(notification.Channel, notification.Payload);
        await using (var listen = new NpgsqlCommand($"listen {Lanes}; listen {Effects}; listen {Stops}; listen {Logs}", connection))
            await listen.ExecuteNonQueryAsync(cancellationToken);
        listening();
        while (true) await connection.WaitAsync(cancellationToken);
    }
}
