using Npgsql;
using WmfCi.Storage;

namespace WmfCi.Benchmarks.Stages;

/// <summary>Hears when a growing log gained something, as every replica of the service does.</summary>
internal sealed class LogEar : IAsyncDisposable
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _listening;
    private readonly Action<string, DateTimeOffset> _grew;

    private LogEar(NpgsqlDataSource source, Action<string, DateTimeOffset> grew)
    {
        _grew = grew;
        _listening = new Wakeups(source).ListenAsync(Heard, () => { }, _stopping.Token);
    }

    /// <param name="source">The service's database.</param>
    /// <param name="grew">Told which attempt's log grew, and when; it must be quick.</param>
    public static LogEar Open(NpgsqlDataSource source, Action<string, DateTimeOffset> grew) => new(source, grew);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _stopping.Dispose();
    }

    private void Heard(string channel, string payload)
    {
        if (channel == Wakeups.Logs) _grew(payload, DateTimeOffset.UtcNow);
    }
}
