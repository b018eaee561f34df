using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>
/// The server's side of SSH's transport layer (RFC 4253) with one choice of everything, which every OpenSSH of the last ten years has by
/// default and the base class library can compute: ecdh-sha2-nistp256 (RFC 5656), an ecdsa-sha2-nistp256 host key and
/// aes256-gcm@openssh.com (RFC 5647). No SSH server library is among the project's packages, and a system sshd would need a system
/// account for every Gerrit user.
/// </summary>
internal sealed class SshTransport(Stream stream, SshKey hostKey) : IDisposable
{
    /// <summary>The longest packet that is read; the protocol obliges to 35,000 bytes.</summary>
    private const int MaxPacket = 262_144;
    private const int MaxVersionLine = 255;
    private const int MaxBannerLines = 20;
    private const int TagLength = 16;
    private const int GcmBlock = 16;
    private const int PlainBlock = 8;
    private const int MinPadding = 4;
    private const string ServerVersion = "SSH-2.0-GerritCodeReview_3.10.2 (WmfCi stand-in)";

    private readonly SemaphoreSlim sending = new(1, 1);
    private SshCipher? sendCipher;
    private SshCipher? receiveCipher;
    private string clientVersion = "";
    private byte[]? ownKexInit;
    private uint received;

    public byte[] SessionId { get; private set; } = [];

    public async Task OpenAsync(CancellationToken ct)
    {
        await stream.WriteAsync(Encoding.ASCII.GetBytes(ServerVersion + "\r\n"), ct);
        clientVersion = await ReadVersionAsync(ct);
        await SendKexInitAsync(ct);
        var first = await ReadRawAsync(ct);
        if (first[0] != SshMessage.KexInit) throw new SshProtocolException("the first message is not a key exchange");
        await ExchangeAsync(first, ct);
    }

    /// <summary>The next message that is not the transport's own business. New keys are agreed on the way whenever the client asks.</summary>
    public async Task<byte[]> ReadAsync(CancellationToken ct)
    {
        while (true)
        {
            var message = await ReadRawAsync(ct);
            switch (message[0])
            {
                case SshMessage.Ignore or SshMessage.Debug or SshMessage.Unimplemented: break;
                case SshMessage.Disconnect: throw new EndOfStreamException("the client said goodbye");
                case SshMessage.KexInit: await RekeyAsync(message, ct); break;
                default: return message;
            }
        }
    }

    public async Task SendAsync(byte[] message, CancellationToken ct)
    {
        await sending.WaitAsync(ct);
        try
        {
            await SendRawAsync(message, ct);
        }
        finally
        {
            sending.Release();
        }
    }

    /// <summary>Says that the last message is not known here.</summary>
    public Task SendUnimplementedAsync(CancellationToken ct) =>
        SendAsync(new SshWriter().Byte(SshMessage.Unimplemented).Number(received - 1).ToArray(), ct);

    public void Dispose()
    {
        sendCipher?.Dispose();
        receiveCipher?.Dispose();
        sending.Dispose();
    }

    private async Task<string> ReadVersionAsync(CancellationToken ct)
    {
        for (var lines = 0; lines < MaxBannerLines; lines++)
        {
            var line = new StringBuilder();
            var one = new byte[1];
            while (one[0] != '\n')
            {
                await stream.ReadExactlyAsync(one, ct);
                if (one[0] is not ((byte)'\r' or (byte)'\n')) line.Append((char)one[0]);
                if (line.Length > MaxVersionLine) throw new SshProtocolException("a version line that is too long");
            }
            var text = line.ToString();
            if (text.StartsWith("SSH-2.0-", StringComparison.Ordinal)) return text;
            if (text.StartsWith("SSH-", StringComparison.Ordinal)) throw new SshProtocolException("only SSH 2 is spoken here");
        }
        throw new SshProtocolException("no version line");
    }

    private async Task SendKexInitAsync(CancellationToken ct)
    {
        ownKexInit = SshKeyExchange.Offer();
        await SendRawAsync(ownKexInit, ct);
    }

    /// <summary>While keys are exchanged nothing else may be sent, so the lock is held from our KEXINIT to our NEWKEYS.</summary>
    private async Task RekeyAsync(byte[] clientKexInit, CancellationToken ct)
    {
        await sending.WaitAsync(ct);
        try
        {
            await SendKexInitAsync(ct);
            await ExchangeAsync(clientKexInit, ct);
        }
        finally
        {
            sending.Release();
        }
    }

    private async Task ExchangeAsync(byte[] clientKexInit, CancellationToken ct)
    {
        if (SshKeyExchange.Agree(clientKexInit)) await ReadRawAsync(ct);
        var init = await ReadRawAsync(ct);
        if (init[0] != SshMessage.EcdhInit) throw new SshProtocolException("the key exchange was left");
        using var exchange = new SshKeyExchange(hostKey, new SshReader(init[1..]).Bytes());
        var hash = exchange.Hash(clientVersion, ServerVersion, clientKexInit, ownKexInit!);
        if (SessionId.Length == 0) SessionId = hash;
        await SendRawAsync(exchange.Reply(), ct);
        await SendRawAsync([SshMessage.NewKeys], ct);
        var (toServer, toClient) = exchange.Ciphers(SessionId);
        sendCipher?.Dispose();
        sendCipher = toClient;
        var confirmed = await ReadRawAsync(ct);
        if (confirmed[0] != SshMessage.NewKeys) throw new SshProtocolException("the client did not take the new keys");
        receiveCipher?.Dispose();
        receiveCipher = toServer;
    }

    private async Task<byte[]> ReadRawAsync(CancellationToken ct)
    {
        var head = new byte[4];
        await stream.ReadExactlyAsync(head, ct);
        var length = BinaryPrimitives.ReadUInt32BigEndian(head);
        if (length is < 5 or > MaxPacket) throw new SshProtocolException($"a packet of {length} bytes");
        var body = new byte[length];
        await stream.ReadExactlyAsync(body, ct);
        if (receiveCipher is not null)
        {
            var tag = new byte[TagLength];
            await stream.ReadExactlyAsync(tag, ct);
            receiveCipher.Decrypt(head, body, tag);
        }
        received++;
        var padding = body[0];
        if (padding < MinPadding || padding + 2 > length) throw new SshProtocolException("a packet without content");
        return body[1..^padding];
    }

    private async Task SendRawAsync(byte[] message, CancellationToken ct)
    {
        // With GCM the length is not encrypted and does not count into the blocks.
        var block = sendCipher is null ? PlainBlock : GcmBlock;
        var counted = message.Length + 1 + (sendCipher is null ? 4 : 0);
        var padding = block - (counted % block);
        if (padding < MinPadding) padding += block;
        var length = message.Length + 1 + padding;
        var packet = new byte[4 + length + (sendCipher is null ? 0 : TagLength)];
        BinaryPrimitives.WriteUInt32BigEndian(packet, (uint)length);
        packet[4] = (byte)padding;
        message.CopyTo(packet.AsSpan(5));
        RandomNumberGenerator.Fill(packet.AsSpan(5 + message.Length, padding));
        sendCipher?.Encrypt(packet.AsSpan(0, 4), packet.AsSpan(4, length), packet.AsSpan(4 + length));
        await stream.WriteAsync(packet, ct);
        await stream.FlushAsync(ct);
    }
}

/// <summary>One direction's AES-GCM: the nonce is four fixed bytes and a counter that goes up with every packet (RFC 5647 §7.1).</summary>
internal sealed class SshCipher(byte[] key, byte[] nonce) : IDisposable
{
    public const int KeyLength = 32;
    public const int NonceLength = 12;
    private readonly AesGcm gcm = new(key, 16);

    public void Encrypt(ReadOnlySpan<byte> head, Span<byte> body, Span<byte> tag)
    {
        gcm.Encrypt(nonce, body, body, tag, head);
        Advance();
    }

    public void Decrypt(ReadOnlySpan<byte> head, Span<byte> body, ReadOnlySpan<byte> tag)
    {
        gcm.Decrypt(nonce, body, tag, body, head);
        Advance();
    }

    public void Dispose() => gcm.Dispose();

    private void Advance()
    {
        var counter = nonce.AsSpan(4);
        BinaryPrimitives.WriteUInt64BigEndian(counter, BinaryPrimitives.ReadUInt64BigEndian(counter) + 1);
    }
}
