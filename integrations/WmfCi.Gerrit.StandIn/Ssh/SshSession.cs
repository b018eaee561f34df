using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>One connection: the login by public key (RFC 4252) and the channels (RFC 4254).</summary>
internal sealed class SshSession(SshTransport transport, Func<string, (Account Account, SshKey Key)?> people, SshCommands commands)
{
    private const int MaxLoginAttempts = 20;
    private const int MaxChannels = 16;
    private const string Connection = "ssh-connection";
    private static readonly TimeSpan LoginTime = TimeSpan.FromMinutes(2);
    private readonly Dictionary<uint, SshChannel> channels = [];
    private readonly List<Task> running = [];
    private uint nextChannel;

    public async Task RunAsync(CancellationToken ct)
    {
        Account account;
        using (var patience = CancellationTokenSource.CreateLinkedTokenSource(ct))
        {
            patience.CancelAfter(LoginTime);
            await transport.OpenAsync(patience.Token);
            account = await LogInAsync(patience.Token);
        }
        try
        {
            while (true) await HandleAsync(account, await transport.ReadAsync(ct), ct);
        }
        finally
        {
            foreach (var channel in channels.Values)
            {
                channel.MarkClosed();
                channel.EndInput();
            }
            await Task.WhenAll(running);
            foreach (var channel in channels.Values) channel.Dispose();
        }
    }

    private async Task<Account> LogInAsync(CancellationToken ct)
    {
        for (var attempts = 0; attempts < MaxLoginAttempts;)
        {
            var message = await transport.ReadAsync(ct);
            switch (message[0])
            {
                case SshMessage.ServiceRequest:
                    var service = new SshReader(message[1..]).Text();
                    if (service != "ssh-userauth") throw new SshProtocolException($"no service {service}");
                    await transport.SendAsync(new SshWriter().Byte(SshMessage.ServiceAccept).Text(service).ToArray(), ct);
                    break;
                case SshMessage.AuthRequest:
                    attempts++;
                    var (account, answer) = Judge(message);
                    await transport.SendAsync(answer, ct);
                    if (account is not null) return account;
                    break;
                default:
                    await transport.SendUnimplementedAsync(ct);
                    break;
            }
        }
        throw new SshProtocolException("too many attempts to log in");
    }

    private (Account? Account, byte[] Answer) Judge(byte[] message)
    {
        var failure = new SshWriter().Byte(SshMessage.AuthFailure).Text("publickey").Flag(false).ToArray();
        var reader = new SshReader(message[1..]);
        var user = reader.Text();
        if (reader.Text() != Connection || reader.Text() != "publickey") return (null, failure);
        var signed = reader.Flag();
        var algorithm = reader.Text();
        var blob = reader.Bytes().ToArray();
        if (people(user) is not var (account, key) || algorithm != SshKey.Algorithm || !blob.AsSpan().SequenceEqual(key.PublicBlob)) return (null, failure);
        if (!signed) return (null, new SshWriter().Byte(SshMessage.AuthPublicKeyOk).Text(algorithm).Bytes(blob).ToArray());
        var signature = reader.Bytes().ToArray();
        var data = new SshWriter().Bytes(transport.SessionId).Byte(SshMessage.AuthRequest).Text(user).Text(Connection).Text("publickey")
            .Flag(true).Text(algorithm).Bytes(blob).ToArray();
        return key.Verify(data, signature) ? (account, [SshMessage.AuthSuccess]) : (null, failure);
    }

    private async Task HandleAsync(Account account, byte[] message, CancellationToken ct)
    {
        var reader = new SshReader(message[1..]);
        switch (message[0])
        {
            case SshMessage.GlobalRequest:
                // keepalive@openssh.com and whatever else: any answer shows that somebody is here.
                reader.Text();
                if (reader.Flag()) await transport.SendAsync([SshMessage.RequestFailure], ct);
                break;
            case SshMessage.ChannelOpen: await OpenAsync(account, reader, ct); break;
            case SshMessage.ChannelRequest: await RequestAsync(Channel(reader), reader, ct); break;
            case SshMessage.ChannelData: await Channel(reader).ReceiveAsync(reader.Bytes().ToArray(), ct); break;
            case SshMessage.ChannelWindowAdjust: Channel(reader).AddRoom(reader.Number()); break;
            case SshMessage.ChannelEof: Channel(reader).EndInput(); break;
            case SshMessage.ChannelClose: await CloseAsync(reader.Number(), ct); break;
            case SshMessage.ChannelExtendedData or SshMessage.ChannelSuccess or SshMessage.ChannelFailure: break;
            default: await transport.SendUnimplementedAsync(ct); break;
        }
    }

    private SshChannel Channel(SshReader reader) =>
        channels.TryGetValue(reader.Number(), out var channel) ? channel : throw new SshProtocolException("a channel that is not open");

    private async Task OpenAsync(Account account, SshReader reader, CancellationToken ct)
    {
        const uint prohibited = 1;
        const uint unknownType = 3;
        var type = reader.Text();
        var remote = (Number: reader.Number(), Window: reader.Number(), MaxPacket: reader.Number());
        if (type != "session" || channels.Count >= MaxChannels)
        {
            await transport.SendAsync(new SshWriter().Byte(SshMessage.ChannelOpenFailure).Number(remote.Number)
                .Number(type == "session" ? prohibited : unknownType).Text("only a few sessions are served").Text("").ToArray(), ct);
            return;
        }
        var local = nextChannel++;
        channels[local] = new SshChannel(transport, account, remote);
        await transport.SendAsync(new SshWriter().Byte(SshMessage.ChannelOpenConfirmation).Number(remote.Number).Number(local)
            .Number(SshChannel.InputWindow).Number(SshChannel.MaxData).ToArray(), ct);
    }

    private async Task RequestAsync(SshChannel channel, SshReader reader, CancellationToken ct)
    {
        var type = reader.Text();
        var wantsReply = reader.Flag();
        var accepted = false;
        string? command = null;
        switch (type)
        {
            case "exec" when !channel.Started: command = reader.Text(); break;
            case "shell" when !channel.Started: command = ""; break;
            case "env":
                if (reader.Text() == "GIT_PROTOCOL") channel.Protocol = reader.Text();
                accepted = channel.Protocol is not null;
                break;
            default: break;
        }
        channel.Started |= command is not null;
        if (wantsReply) await channel.ReplyAsync(accepted || command is not null, ct);
        if (command is null) return;
        running.RemoveAll(t => t.IsCompleted);
        running.Add(RunAsync(channel, command, ct));
    }

    private async Task RunAsync(SshChannel channel, string command, CancellationToken ct)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(ct, channel.Closed);
        try
        {
            var status = await commands.RunAsync(channel, command, ended.Token);
            await channel.FinishAsync(status, ended.Token);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException or InvalidDataException or ObjectDisposedException or SshProtocolException)
        {
            // The client has gone, or the server stops: there is nobody left to tell.
        }
    }

    private async Task CloseAsync(uint number, CancellationToken ct)
    {
        if (!channels.Remove(number, out var channel)) return;
        channel.MarkClosed();
        channel.EndInput();
        await channel.CloseAsync(ct);
    }
}
