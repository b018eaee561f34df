using System.Threading.Channels;
using Npgsql;

namespace WmfCi.Storage.Tests;

/// <summary>Hears what the database tells.</summary>
internal sealed class Listener : IAsyncDisposable
{
    private readonly Channel<(string Channel, string Payload)> heard = Channel.CreateUnbounded<(string, string)>();
    private readonly CancellationTokenSource stop = new();
    private Task listening = Task.CompletedTask;

    public static async Task<Listener> StartAsync(NpgsqlDataSource source, CancellationToken cancellationToken)
    {
        var listener = new Listener();
        var ready = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        listener.listening = new Wakeups(source).ListenAsync((channel, payload) => listener.heard.Writer.TryWrite((channel, payload)), ready.SetResult, listener.stop.Token);
        await (await Task.WhenAny(ready.Task, listener.listening)).WaitAsync(cancellationToken);
        return listener;
    }

    /// <summary>Completes when the connection breaks.</summary>
    public Task Ended => listening;

    /// <summary>Waits for a notification, passing over others.</summary>
    public async Task HeardAsync(string channel, string payload, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromMinutes(3));
        while (await heard.Reader.ReadAsync(limit.Token) != (channel, payload))
        {
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        try
        {
            await listening;
        }
        catch (Exception failure) when (failure is OperationCanceledException or NpgsqlException)
        {
            // It was told to, or the test broke its connection.
        }
        stop.Dispose();
    }
}
