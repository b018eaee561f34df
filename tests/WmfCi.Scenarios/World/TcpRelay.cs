using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WmfCi.Scenarios.World;

/// <summary>A cable that can be cut: passes connections on to a peer, until it is told not to.</summary>
public sealed class TcpRelay : IAsyncDisposable
{
    private readonly TcpListener _listener;
    private readonly ConcurrentDictionary<IDisposable, byte> _open = new();
    private readonly CancellationTokenSource _end = new();
    private readonly EndPoint _peer;
    private readonly Task _accepting;
    private volatile bool _isCut;

    public TcpRelay(string host, int port)
        : this(IPAddress.TryParse(host, out var address) ? new IPEndPoint(address, port) : new DnsEndPoint(host, port), IPAddress.Loopback)
    {
    }

    /// <summary>A cable from an address of this machine, to a peer that is perhaps a Unix socket.</summary>
    public TcpRelay(EndPoint peer, IPAddress at)
    {
        (_peer, _listener) = (peer, new TcpListener(at, 0));
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many connections were asked for while it was cut.</summary>
    public int Refused => _refused;

    private int _refused;

    public void Cut()
    {
        _isCut = true;
        foreach (var end in _open.Keys) end.Dispose();
    }

    public void Mend() => _isCut = false;

    public async ValueTask DisposeAsync()
    {
        Cut();
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_end.IsCancellationRequested)
        {
            var near = await _listener.AcceptTcpClientAsync(_end.Token);
            if (_isCut)
            {
                Interlocked.Increment(ref _refused);
                near.Close();
                continue;
            }
            _ = PassAsync(near);
        }
    }

    private async Task PassAsync(TcpClient near)
    {
        using var far = _peer is UnixDomainSocketEndPoint ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) : new Socket(SocketType.Stream, ProtocolType.Tcp);
        _open[near] = _open[far] = 0;
        try
        {
            // It may have been cut before it was known that these are open.
            if (_isCut) return;
            await far.ConnectAsync(_peer, _end.Token);
            await using var stream = new NetworkStream(far);
            await Task.WhenAny(near.GetStream().CopyToAsync(stream, _end.Token), stream.CopyToAsync(near.GetStream(), _end.Token));
        }
        catch (Exception error) when (error is SocketException or IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // The cable was cut, or one end hung up.
        }
        finally
        {
            near.Close();
            _open.TryRemove(near, out _);
            _open.TryRemove(far, out _);
        }
    }
}
