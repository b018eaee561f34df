using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Exchanges;

/// <summary>What a trusted container was given to reach its attempt at the exchange. A class, not a record: nothing prints the token.</summary>
internal sealed class ExchangeAccess
{
    private const int MaxTokenBytes = 4096, MaxPodLength = 128, MaxCertificateBytes = 256 * 1024;

    private ExchangeAccess(Uri address, string pod, string token, X509Certificate2Collection? authority)
    {
        Address = address;
        Pod = pod;
        Token = token;
        Authority = authority;
    }

    /// <summary>The attempt's address; ends with a slash.</summary>
    public Uri Address { get; }

    /// <summary>The pod's UID.</summary>
    public string Pod { get; }

    /// <summary>The one-time token.</summary>
    public string Token { get; }

    /// <summary>The only authority whose certificates are believed; null for plain HTTP.</summary>
    public X509Certificate2Collection? Authority { get; }

    /// <summary>Reads it from the environment and the token's volume.</summary>
    /// <exception cref="ContainerFailedException">Something is missing or wrong; the message says what.</exception>
    public static ExchangeAccess Read(PodPlace place, Func<string, string?> variable)
    {
        if (!Uri.TryCreate(variable(PodPaths.ExchangeVariable), UriKind.Absolute, out var address) || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps)
            || !address.AbsoluteUri.EndsWith('/') || address.UserInfo.Length > 0)
            throw new ContainerFailedException($"{PodPaths.ExchangeVariable} must be the http or https address of the attempt at the exchange, and end with a slash.");
        var pod = variable(PodPaths.PodVariable);
        if (pod is not { Length: > 0 and <= MaxPodLength } || !pod.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.'))
            throw new ContainerFailedException($"{PodPaths.PodVariable} must be the pod's UID.");
        var token = ReadBounded(place.Token, MaxTokenBytes, "the token").Trim();
        if (token.Length == 0 || !token.All(c => char.IsAsciiLetterOrDigit(c) || "-._~+/=".Contains(c)))
            throw new ContainerFailedException($"The token in {PodPaths.Token} is empty, or has characters that no token has.");
        return new ExchangeAccess(address, pod, token, address.Scheme == Uri.UriSchemeHttps ? ReadAuthority(place) : null);
    }

    private static X509Certificate2Collection ReadAuthority(PodPlace place)
    {
        var certificates = new X509Certificate2Collection();
        try
        {
            certificates.ImportFromPem(ReadBounded(place.Authority, MaxCertificateBytes, "the certificate of the exchange's authority"));
        }
        catch (CryptographicException error)
        {
            throw new ContainerFailedException($"{PodPaths.Authority} holds no certificate: {error.Message}", error);
        }

        return certificates.Count > 0 ? certificates : throw new ContainerFailedException($"{PodPaths.Authority} holds no certificate.");
    }

    private static string ReadBounded(string path, int maxBytes, string what)
    {
        try
        {
            if (new FileInfo(path).Length > maxBytes) throw new ContainerFailedException($"{path} ({what}) has more than {maxBytes} bytes.");
            return File.ReadAllText(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new ContainerFailedException($"{path} ({what}) cannot be read: {error.Message}", error);
        }
    }
}
