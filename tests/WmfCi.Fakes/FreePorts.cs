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
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public static int Take(IPAddress address)
    {
        for (var tried = 0; tried < Count; tried++)
        {
            var port = First + (Interlocked.Increment(ref s_given) % Count);
            if (IsFree(address, port)) return port;
        }
        throw new InvalidOperationException($"At {address} none of the ports from {First} to {First + Count - 1} is free.");
    }

    /// <summary>
    /// Waits until nothing listens at a port any more. A listener that was closed may still do so: a process that is being started has copies of this one's sockets until it
    /// executes its program.
    /// </summary>
    public static async Task UntilFreeAsync(IPAddress address, int port, CancellationToken cancellationToken)
    {
        while (!IsFree(address, port)) await Task.Delay(TimeSpan.FromMilliseconds(10), cancellationToken);
    }

    // It does not listen itself: a copy of it would be in the way of whoever the port is for.
    private static bool IsFree(IPAddress address, int port)
    {
        using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Bind(new IPEndPoint(address, port));
            return true;
        }
        catch (SocketException taken) when (taken.SocketErrorCode == SocketError.AddressAlreadyInUse)
        {
            return false;
        }
    }
}
