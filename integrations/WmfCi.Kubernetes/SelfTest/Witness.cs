using System.Net;
using System.Net.Sockets;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Listens beside the exchange, on another port of the same address, where no step may come: what arrives here got past the network policies.</summary>
internal sealed class Witness : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);
    private readonly TcpListener _connections;
    private readonly Socket _datagrams;
    private readonly CancellationTokenSource _end = new();
    private readonly Task _listening;
    private int _arrived;

    /// <param name="address">Where it listens.</param>
    /// <exception cref="SocketException">The address is none of this machine's.</exception>
    public Witness(IPAddress address)
    {
        _connections = new TcpListener(address, 0);
        _connections.Start();
        Port = ((IPEndPoint)_connections.LocalEndpoint).Port;
        _datagrams = new Socket(address.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        _datagrams.Bind(new IPEndPoint(address, Port));
        _listening = Task.WhenAll(AcceptAsync(), ReceiveAsync());
    }

    /// <summary>The port, of TCP and of UDP.</summary>
    public int Port { get; }

    /// <summary>How many connections and datagrams arrived.</summary>
    public int Arrived => Volatile.Read(ref _arrived);

    /// <summary>Whether it hears at all: connects to itself, which does not count.</summary>
    public async Task<bool> HearsAsync(IPAddress address, CancellationToken cancellationToken)
    {
        using var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Patience);
        var before = Arrived;
        try
        {
            await socket.ConnectAsync(new IPEndPoint(address, Port), limit.Token);
            // It accepts, counts and closes: the end of the stream comes when it has counted.
            await socket.ReceiveAsync(new byte[1], limit.Token);
        }
        catch (Exception error) when (error is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
        return Interlocked.Exchange(ref _arrived, before) > before;
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _listening.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _connections.Dispose();
        _datagrams.Dispose();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (true)
        {
            using var arrived = await _connections.AcceptSocketAsync(_end.Token);
            Interlocked.Increment(ref _arrived);
        }
    }

    private async Task ReceiveAsync()
    {
        var nothing = new byte[1];
        while (true)
        {
            try
            {
                await _datagrams.ReceiveAsync(nothing, _end.Token);
            }
            catch (SocketException error) when (error.SocketErrorCode == SocketError.MessageSize)
            {
                // It arrived, and its content does not matter.
            }
            Interlocked.Increment(ref _arrived);
        }
    }
}
