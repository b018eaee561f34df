using System.Net;
using System.Net.Sockets;

namespace WmfCi.Fakes;

/// <summary>Ports for processes that listen a little later, and perhaps again after their death.</summary>
public static class FreePorts
{
    // None of those that the kernel gives to whoever asks for any, connections that go out included.
    private const int First = 20_000, Count = 8_000;
    private static int s_given = Random.Shared.Next(Count);

    /// <summary>A port of an address of this machine at which nothing listens; each time another one.</summary>
    public static int Take(IPAddress address)
    {
        while (true)
        {
            var port = First + (Interlocked.Increment(ref s_given) % Count);
            try
            {
                using var probe = new TcpListener(address, port);
                probe.Start();
                return port;
            }
            catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one, then.
            }
        }
    }
}
