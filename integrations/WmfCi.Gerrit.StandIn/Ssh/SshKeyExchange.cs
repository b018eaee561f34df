using System.Security.Cryptography;
using System.Text;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>One run of ecdh-sha2-nistp256 (RFC 5656 §4).</summary>
internal sealed class SshKeyExchange : IDisposable
{
    private const string Kex = "ecdh-sha2-nistp256";
    private const string Cipher = "aes256-gcm@openssh.com";
    private const string Mac = "hmac-sha2-256";
    private const string NoCompression = "none";
    // With it the client refuses messages that somebody slipped into the first exchange.
    private const string Strict = "kex-strict-s-v00@openssh.com";
    private const int CookieLength = 16;
    private const int PointLength = 65;

    private readonly ECDiffieHellman own = ECDiffieHellman.Create(ECCurve.NamedCurves.nistP256);
    private readonly SshKey hostKey;
    private readonly byte[] clientPoint;
    private readonly byte[] serverPoint;
    private readonly byte[] secret;
    private byte[] hash = [];

    public SshKeyExchange(SshKey hostKey, ReadOnlySpan<byte> clientPoint)
    {
        this.hostKey = hostKey;
        this.clientPoint = clientPoint.ToArray();
        if (clientPoint.Length != PointLength || clientPoint[0] != 4) throw new SshProtocolException("a public value that is no point");
        serverPoint = SshKey.Point(own.ExportParameters(false).Q);
        try
        {
            // The import refuses what is not on the curve.
            using var peer = ECDiffieHellman.Create(new ECParameters
            {
                Curve = ECCurve.NamedCurves.nistP256,
                Q = new ECPoint { X = clientPoint[1..33].ToArray(), Y = clientPoint[33..].ToArray() },
            });
            secret = own.DeriveRawSecretAgreement(peer.PublicKey);
        }
        catch (CryptographicException e)
        {
            throw new SshProtocolException("a public value that is not on the curve: " + e.Message);
        }
    }

    /// <summary>What this server can do, as a KEXINIT.</summary>
    public static byte[] Offer()
    {
        var message = new SshWriter().Byte(SshMessage.KexInit).Raw(RandomNumberGenerator.GetBytes(CookieLength)).Text($"{Kex},{Strict}").Text(SshKey.Algorithm);
        foreach (var list in new[] { Cipher, Cipher, Mac, Mac, NoCompression, NoCompression, "", "" }) message.Text(list);
        return message.Flag(false).Number(0).ToArray();
    }

    /// <summary>Checks that the client can do the same; true when it has already sent a guess that has to be thrown away.</summary>
    public static bool Agree(byte[] clientKexInit)
    {
        var reader = new SshReader(clientKexInit);
        reader.Byte();
        reader.Take(CookieLength);
        var lists = Enumerable.Range(0, 10).Select(_ => reader.Names()).ToList();
        string[] wanted = [Kex, SshKey.Algorithm, Cipher, Cipher];
        for (var i = 0; i < wanted.Length; i++)
            if (!lists[i].Contains(wanted[i])) throw new SshProtocolException($"the client does not know {wanted[i]}");
        var guessed = reader.Flag();
        return guessed && (lists[0][0] != Kex || lists[1][0] != SshKey.Algorithm);
    }

    /// <summary>The hash that both sides sign and derive from (RFC 5656 §4).</summary>
    public byte[] Hash(string clientVersion, string serverVersion, byte[] clientKexInit, byte[] serverKexInit) =>
        hash = SHA256.HashData(new SshWriter().Text(clientVersion).Text(serverVersion).Bytes(clientKexInit).Bytes(serverKexInit)
            .Bytes(hostKey.PublicBlob).Bytes(clientPoint).Bytes(serverPoint).Mpint(secret).ToArray());

    public byte[] Reply() =>
        new SshWriter().Byte(SshMessage.EcdhReply).Bytes(hostKey.PublicBlob).Bytes(serverPoint).Bytes(hostKey.Sign(hash)).ToArray();

    public (SshCipher ToServer, SshCipher ToClient) Ciphers(byte[] sessionId) =>
        (new SshCipher(Derive('C', SshCipher.KeyLength, sessionId), Derive('A', SshCipher.NonceLength, sessionId)),
            new SshCipher(Derive('D', SshCipher.KeyLength, sessionId), Derive('B', SshCipher.NonceLength, sessionId)));

    public void Dispose() => own.Dispose();

    /// <summary>RFC 4253 §7.2; one hash is enough for everything that is wanted here.</summary>
    private byte[] Derive(char purpose, int length, byte[] sessionId) =>
        SHA256.HashData(new SshWriter().Mpint(secret).Raw(hash).Raw(Encoding.ASCII.GetBytes([purpose])).Raw(sessionId).ToArray())[..length];
}
