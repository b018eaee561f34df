using System.Security.Cryptography;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>An ecdsa-sha2-nistp256 key (RFC 5656 §3): the host's, or a person's.</summary>
internal sealed class SshKey : IDisposable
{
    public const string Algorithm = "ecdsa-sha2-nistp256";
    private const string Curve = "nistp256";
    private const int CoordinateLength = 32;
    private readonly ECDsa key;

    private SshKey(ECDsa key)
    {
        this.key = key;
        PublicBlob = new SshWriter().Text(Algorithm).Text(Curve).Bytes(Point(key.ExportParameters(false).Q)).ToArray();
    }

    public byte[] PublicBlob { get; }

    /// <summary>The line of a <c>.pub</c> or <c>known_hosts</c> file, without a name.</summary>
    public string PublicLine => $"{Algorithm} {Convert.ToBase64String(PublicBlob)}";

    /// <summary>Reads a key file, or makes one that only its owner may read, in the form that the ssh program reads.</summary>
    public static SshKey LoadOrCreate(string file)
    {
        var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(file))
        {
            ecdsa.ImportFromPem(File.ReadAllText(file));
            return new SshKey(ecdsa);
        }
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows()) options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        using var writer = new StreamWriter(file, options);
        writer.Write(ecdsa.ExportECPrivateKeyPem() + "\n");
        return new SshKey(ecdsa);
    }

    public static byte[] Point(ECPoint point) => [4, .. point.X!, .. point.Y!];

    /// <summary>A signature in SSH's form: the algorithm and the pair (r, s).</summary>
    public byte[] Sign(byte[] data)
    {
        var pair = key.SignData(data, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        var numbers = new SshWriter().Mpint(pair.AsSpan(0, CoordinateLength)).Mpint(pair.AsSpan(CoordinateLength)).ToArray();
        return new SshWriter().Text(Algorithm).Bytes(numbers).ToArray();
    }

    public bool Verify(byte[] data, byte[] signature)
    {
        var reader = new SshReader(signature);
        if (reader.Text() != Algorithm) return false;
        var numbers = new SshReader(reader.Bytes().ToArray());
        var pair = new byte[2 * CoordinateLength];
        return Place(numbers.Bytes(), pair.AsSpan(0, CoordinateLength)) && Place(numbers.Bytes(), pair.AsSpan(CoordinateLength))
            && key.VerifyData(data, pair, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
    }

    public void Dispose() => key.Dispose();

    private static bool Place(ReadOnlySpan<byte> number, Span<byte> field)
    {
        number = number.TrimStart((byte)0);
        if (number.Length > field.Length) return false;
        number.CopyTo(field[(field.Length - number.Length)..]);
        return true;
    }
}
