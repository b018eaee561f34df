using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WmfCi.Fakes.Kubernetes;

/// <summary>Stands between clients and the server, so that connections can be cut, or go dead without anyone being told.</summary>
internal sealed class Relay(int to) : IAsyncDisposable
{
    private readonly ConcurrentDictionary<Connection, byte> _connections = new();
    private readonly CancellationTokenSource _stopping = new();
    // Whoever is bound keeps others from a port, listening or not; without it somebody else could have it while nothing listens here.
    private readonly Socket _place = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    private TcpListener? _listener;
    private Task _accepting = Task.CompletedTask;

    public int Port => ((IPEndPoint)_place.LocalEndPoint!).Port;

    public int Connections => _connections.Count;

    public void Open()
    {
        if (!_place.IsBound) _place.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _accepting = AcceptAsync(_listener);
    }

    /// <summary>Nothing listens any more, and all connections are cut.</summary>
    public async Task CloseAsync()
    {
        // Not by closing it alone: a process that is being started has copies of this one's sockets until it executes its program, and its copy would listen on.
        _listener?.Server.Shutdown(SocketShutdown.Receive);
        _listener?.Dispose();
        _listener = null;
        await _accepting;
        Cut();
    }

    public void Cut()
    {
        foreach (var connection in _connections.Keys) connection.Dispose();
    }

    /// <summary>Connections that are open stay so, and nothing comes through them any more.</summary>
    public void Freeze()
    {
        foreach (var connection in _connections.Keys) connection.IsFrozen = true;
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await CloseAsync();
        _place.Dispose();
        _stopping.Dispose();
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true) _ = ServeAsync(await listener.AcceptTcpClientAsync(_stopping.Token));
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // It was closed.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var connection = new Connection(client, new TcpClient());
        _connections[connection] = 0;
        try
        {
            await connection.RunAsync(to, _stopping.Token);
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // One of the two is gone; then the other goes too.
        }
        _connections.TryRemove(connection, out _);
    }

    private sealed class Connection(TcpClient client, TcpClient server) : IDisposable
    {
        public bool IsFrozen { get; set; }

        public async Task RunAsync(int port, CancellationToken cancellationToken)
        {
            await server.ConnectAsync(IPAddress.Loopback, port, cancellationToken);
            await await Task.WhenAny(CopyAsync(client.GetStream(), server.GetStream(), cancellationToken), CopyAsync(server.GetStream(), client.GetStream(), cancellationToken));
        }

        public void Dispose()
        {
            client.Dispose();
            server.Dispose();
        }

        private async Task CopyAsync(NetworkStream from, NetworkStream into, CancellationToken cancellationToken)
        {
            var buffer = new byte[64 * 1024];
            while (await from.ReadAsync(buffer, cancellationToken) is > 0 and var length)
            {
                if (!IsFrozen) await into.WriteAsync(buffer.AsMemory(0, length), cancellationToken);
            }
            // The other side of a frozen connection does not learn of the end either.
            if (IsFrozen) await Task.Delay(Timeout.Infinite, cancellationToken);
        }
    }
}
