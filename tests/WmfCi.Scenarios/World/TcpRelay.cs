using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace WmfCi.Scenarios.World;

/// <summary>A cable that can be cut: passes connections on to a peer, until it is told not to.</summary>
public sealed class TcpRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, byte> _open = new();
    private readonly CancellationTokenSource _end = new();
    private readonly (string Host, int Port) _peer;
    private readonly Task _accepting;
    private volatile bool _isCut;

    public TcpRelay(string host, int port)
    {
        _peer = (host, port);
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
        foreach (var client in _open.Keys) client.Close();
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
        using var far = new TcpClient();
        _open[near] = _open[far] = 0;
        try
        {
            await far.ConnectAsync(_peer.Host, _peer.Port, _end.Token);
            await Task.WhenAny(near.GetStream().CopyToAsync(far.GetStream(), _end.Token), far.GetStream().CopyToAsync(near.GetStream(), _end.Token));
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
