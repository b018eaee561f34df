using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>Listens on loopback and serves every connection on its own.</summary>
internal sealed class SshServer : IAsyncDisposable
{
    private const int MaxConnections = 64;
    private readonly TcpListener listener;
    private readonly SshKey hostKey;
    private readonly Dictionary<string, (Account Account, SshKey Key)> people = new(StringComparer.Ordinal);
    private readonly SshCommands commands;
    private readonly CancellationTokenSource stopping = new();
    private readonly Lock gate = new();
    private readonly Dictionary<Socket, Task> connections = [];
    private Task accepting = Task.CompletedTask;

    public SshServer(Site site, int port, string keysFolder)
    {
        Directory.CreateDirectory(keysFolder);
        hostKey = SshKey.LoadOrCreate(Path.Combine(site.Folder, "ssh_host_key"));
        foreach (var account in site.Accounts.All)
            people[account.UserName] = (account, SshKey.LoadOrCreate(Path.Combine(keysFolder, account.UserName)));
        commands = new SshCommands(site);
        listener = new TcpListener(IPAddress.Loopback, port);
    }

    public int Port { get; private set; }

    /// <summary>The line that pins this server's host key.</summary>
    public string KnownHostsLine => $"[127.0.0.1]:{Port} {hostKey.PublicLine}\n";

    public void Start()
    {
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = AcceptAsync(stopping.Token);
    }

    /// <summary>Cuts every connection as a failing network would, without a word.</summary>
    public void CutConnections()
    {
        lock (gate)
        {
            foreach (var socket in connections.Keys) socket.Close(0);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await stopping.CancelAsync();
        listener.Stop();
        CutConnections();
        Task[] left;
        lock (gate) left = [.. connections.Values, accepting];
        await Task.WhenAll(left);
        foreach (var (_, key) in people.Values) key.Dispose();
        hostKey.Dispose();
        listener.Dispose();
        stopping.Dispose();
    }

    private async Task AcceptAsync(CancellationToken ct)
    {
        try
        {
            while (true)
            {
                var socket = await listener.AcceptSocketAsync(ct);
                socket.NoDelay = true;
                lock (gate)
                {
                    if (connections.Count >= MaxConnections) socket.Dispose();
                    else connections[socket] = ServeAsync(socket, ct);
                }
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The listener was stopped.
        }
    }

    private async Task ServeAsync(Socket socket, CancellationToken ct)
    {
        await Task.Yield();
        try
        {
            await using var stream = new NetworkStream(socket, ownsSocket: true);
            using var transport = new SshTransport(stream, hostKey);
            await new SshSession(transport, name => people.TryGetValue(name, out var person) ? person : null, commands).RunAsync(ct);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException or SshProtocolException
            or CryptographicException)
        {
            // Whatever a peer does wrong ends its own connection and nothing else.
        }
        finally
        {
            lock (gate) connections.Remove(socket);
        }
    }
}
