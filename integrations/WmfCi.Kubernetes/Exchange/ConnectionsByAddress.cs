using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Connections;

namespace WmfCi.Kubernetes.Exchange;

/// <summary>Bounds the connections from each address.</summary>
/// <param name="most">How many there may be from one.</param>
internal sealed class ConnectionsByAddress(int most)
{
    private readonly ConcurrentDictionary<IPAddress, int> _open = [];

    /// <summary>Serves a connection, or closes it where its address has too many.</summary>
    public async Task AdmitAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (connection.RemoteEndPoint is not IPEndPoint { Address: var address })
        {
            await next(connection);
            return;
        }
        try
        {
            if (_open.AddOrUpdate(address, 1, (_, count) => count + 1) <= most) await next(connection);
            else connection.Abort();
        }
        finally
        {
            // Whoever has none is forgotten: addresses of pods never end.
            if (_open.AddOrUpdate(address, 0, (_, count) => count - 1) <= 0) _open.TryRemove(new KeyValuePair<IPAddress, int>(address, 0));
        }
    }
}
