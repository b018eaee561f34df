using System.Net;
using System.Net.Sockets;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Where pods find the self-test.</summary>
/// <param name="Exchange">The exchange of the self-test.</param>
/// <param name="Host">The address of this machine for pods.</param>
/// <param name="Note">What differs from the site's; empty where nothing does.</param>
internal sealed record Meeting(ExchangeOptions Exchange, IPAddress Host, string Note)
{
    private static readonly IPNetwork[] PrivateNetworks = [.. new[] { "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "fc00::/7", "fe80::/10" }.Select(IPNetwork.Parse)];

    /// <summary>Where this machine listens.</summary>
    public IPAddress Listens => ListenAddress(Exchange.Listen);

    /// <summary>Where pods find the exchange.</summary>
    public Uri Url => Exchange.Url ?? Exchange.Listen;

    /// <summary>Whether stages with a network may not reach it, because its address is private.</summary>
    public bool IsPrivate => Array.Exists(PrivateNetworks, network => network.Contains(Host));

    /// <summary>Chooses: the site's own address where it is free, so that firewalls are tried too; beside a running service another port.</summary>
    /// <param name="options">What is tested.</param>
    /// <param name="server">The API server.</param>
    /// <exception cref="SocketException">The address is none of this machine's.</exception>
    public static Meeting Choose(SelfTestOptions options, Uri server)
    {
        var site = options.Runner.Exchange;
        var url = site.Url ?? site.Listen;
        if (options.Address is null && IPAddress.TryParse(url.Host, out var host))
        {
            var listen = ListenAddress(site.Listen);
            if (IsFree(listen, site.Listen.Port)) return new Meeting(site with { Url = url }, host, "");
            var port = FreePort(listen);
            var own = site with { Listen = WithPort(site.Listen, port), Url = WithPort(url, port) };
            return new Meeting(own, host, site.Listen.Port == 0 ? "" : $"Something, the service perhaps, listens at {site.Listen} already, so port {port} was used instead: firewalls must let pods come to it for this test.");
        }
        var address = options.Address ?? OwnAddress(server);
        var free = new UriBuilder("http", address.ToString(), FreePort(address)).Uri;
        return new Meeting(new ExchangeOptions(free, free), address, $"Pods were told {free} instead of {url}: that they find the service by that name, and its certificate, was not tried.");
    }

    private static Uri WithPort(Uri url, int port) => new UriBuilder(url) { Port = port }.Uri;

    private static IPAddress ListenAddress(Uri listen) => IPAddress.TryParse(listen.Host, out var address) ? address : IPAddress.Any;

    private static bool IsFree(IPAddress address, int port)
    {
        try
        {
            return Bind(address, port) == port;
        }
        catch (SocketException error) when (error.SocketErrorCode is SocketError.AddressAlreadyInUse or SocketError.AccessDenied)
        {
            return false;
        }
    }

    private static int FreePort(IPAddress address) => Bind(address, 0);

    // Without listening: a process that is being started at this moment has a copy of the socket for a while, which would be in the way of the exchange.
    private static int Bind(IPAddress address, int port)
    {
        using var probe = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        probe.Bind(new IPEndPoint(address, port));
        return ((IPEndPoint)probe.LocalEndPoint!).Port;
    }

    // The address that looks towards the API server; nothing is sent.
    private static IPAddress OwnAddress(Uri server)
    {
        using var socket = new Socket(SocketType.Dgram, ProtocolType.Udp);
        socket.Connect(server.Host, server.Port);
        return ((IPEndPoint)socket.LocalEndPoint!).Address is { IsIPv4MappedToIPv6: true } mapped ? mapped.MapToIPv4() : ((IPEndPoint)socket.LocalEndPoint).Address;
    }
}
