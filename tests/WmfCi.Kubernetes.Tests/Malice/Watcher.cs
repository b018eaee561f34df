using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>
/// Machines that a hostile stage aims at, stood up here: addresses on an interface that leads nowhere. Every packet that arrives at them, or at this machine's side of the
/// pods' network, is seen, be it the first of a connection only; what a policy drops does not arrive.
/// </summary>
internal sealed class Watcher : IAsyncDisposable
{
    /// <summary>The address at which clouds tell machines their secrets; a name server's that the testbed's pods ask; somebody's in the world.</summary>
    public const string Metadata = "169.254.169.254", Names = "10.255.255.53", World = "203.0.113.53";

    private const string Interface = "wmfci-bait";
    private const int Buffer = 16 << 20, PacketBytes = 65_536;
    private const int SocketLevel = 1, ReceiveBufferForced = 33;
    private readonly List<Socket> _sockets = [];
    private readonly List<Task> _loops = [];
    private readonly CancellationTokenSource _ended = new();
    private readonly ConcurrentDictionary<(string From, string What), int> _seen = new();

    private Watcher()
    {
    }

    /// <summary>Stands them up.</summary>
    /// <param name="host">This machine's address on the pods' network.</param>
    /// <param name="port">A port of it where something listens.</param>
    public static async Task<Watcher> OpenAsync(string host, int port)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root may make an interface and see packets");
        await IpAsync("link", "del", Interface);
        // A bridge without ports: not every kernel has dummy interfaces, and whoever has pods has bridges.
        (await IpAsync("link", "add", Interface, "type", "bridge")).ShouldBe(0, "the machine has no bridges");
        foreach (var address in (string[])[Metadata, Names, World]) await IpAsync("address", "add", address + "/32", "dev", Interface);
        await IpAsync("link", "set", Interface, "up");
        var watcher = new Watcher();
        foreach (var address in (string[])[Metadata, Names, World, host])
            foreach (var protocol in (ProtocolType[])[ProtocolType.Tcp, ProtocolType.Udp, ProtocolType.Icmp]) watcher.Watch(IPAddress.Parse(address), protocol);
        watcher.Listen(Metadata, 80);
        watcher.Listen(World, 80);
        watcher.Listen(host, port);
        return watcher;
    }

    /// <summary>What arrived from an address: protocol, address and port, sorted, each once.</summary>
    public string[] SeenFrom(string address) => [.. _seen.Keys.Where(packet => packet.From == address).Select(packet => packet.What).Order(StringComparer.Ordinal)];

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        foreach (var socket in _sockets) socket.Dispose();
        foreach (var loop in _loops) await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await IpAsync("link", "del", Interface);
        _ended.Dispose();
    }

    private static async Task<int> IpAsync(params string[] words)
    {
        using var process = Process.Start(new ProcessStartInfo("ip", words) { RedirectStandardError = true, UseShellExecute = false })!;
        await process.StandardError.ReadToEndAsync(CancellationToken.None);
        await process.WaitForExitAsync(CancellationToken.None);
        return process.ExitCode;
    }

    private void Watch(IPAddress address, ProtocolType protocol)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Raw, protocol);
        // Beyond the system's bound: what all other pods send to this machine is seen here too, and must not push out what is looked for.
        socket.SetRawSocketOption(SocketLevel, ReceiveBufferForced, BitConverter.GetBytes(Buffer));
        _sockets.Add(socket);
        socket.Bind(new IPEndPoint(address, 0));
        _loops.Add(Task.Run(async () =>
        {
            var packet = new byte[PacketBytes];
            while (true)
            {
                var length = await socket.ReceiveAsync(packet, SocketFlags.None, _ended.Token);
                if (Read(packet.AsSpan(0, length), protocol) is { } seen) _seen.TryAdd(seen, 0);
            }
        }));
    }

    private static (string From, string What)? Read(ReadOnlySpan<byte> packet, ProtocolType protocol)
    {
        const int source = 12, target = 16, portOffset = 2;
        var header = (packet[0] & 0x0f) * 4;
        var what = protocol == ProtocolType.Icmp ? "" : $":{BinaryPrimitives.ReadUInt16BigEndian(packet[(header + portOffset)..])}";
        return (new IPAddress(packet.Slice(source, 4)).ToString(), $"{protocol} {new IPAddress(packet.Slice(target, 4))}{what}");
    }

    private void Listen(string address, int port)
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _sockets.Add(listener);
        listener.Bind(new IPEndPoint(IPAddress.Parse(address), port));
        listener.Listen();
        _loops.Add(Task.Run(async () =>
        {
            while (true) (await listener.AcceptAsync(_ended.Token)).Dispose();
        }));
    }
}
