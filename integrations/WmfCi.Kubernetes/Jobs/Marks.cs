using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>
/// What objects in the cluster are called and marked with. A Job's annotations are the record of its attempt: whoever runs it reads them, and any replica can take
/// over by them.
/// </summary>
internal static class Marks
{
    public const string ManagedBy = "app.kubernetes.io/managed-by", Us = "wmfci";
    public const string Site = "wmfci.org/site", Attempt = "wmfci.org/attempt", Role = "wmfci.org/role", Network = "wmfci.org/network", Service = "wmfci.org/service";
    public const string StageRole = "stage", ServiceRole = "service";
    public const string Closed = "none", Open = "open";

    /// <summary>The attempt as people know it.</summary>
    public const string AttemptId = "wmfci.org/attempt-id";

    /// <summary>The digest of the attempt's orders in the store.</summary>
    public const string Order = "wmfci.org/order";

    /// <summary>SHA-256 of the tokens.</summary>
    public const string FetchToken = "wmfci.org/fetch-token-sha256", CollectToken = "wmfci.org/collect-token-sha256";

    /// <summary>The UID of the pod that has the attempt.</summary>
    public const string Pod = "wmfci.org/pod";

    /// <summary>That the workspace is laid out: the first token is worth nothing any more.</summary>
    public const string Fetched = "wmfci.org/fetched";

    /// <summary>The digest of the manifest in the store: the second token is worth nothing any more.</summary>
    public const string Manifest = "wmfci.org/manifest";

    /// <summary>Why it was ended before its time, as <see cref="Endings"/> writes it.</summary>
    public const string Ended = "wmfci.org/ended";

    // The bound on values of labels, and on names of machines.
    private const int MaxName = 63, MaxSlug = 30, HashDigits = 10;

    /// <summary>
    /// The name of an attempt's Job, and of everything that belongs to it: the same for everybody, so that making it twice gives one. It is short enough to be a label's value
    /// and a machine's name, whatever the stage is called.
    /// </summary>
    public static string NameOf(string site, AttemptId id)
    {
        var slug = string.Concat(id.Stage.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')).Trim('-');
        var (head, tail) = (string.Create(CultureInfo.InvariantCulture, $"r{id.Run}-"), string.Create(CultureInfo.InvariantCulture, $"-a{id.Number}-"));
        var room = Math.Min(MaxSlug, MaxName - head.Length - tail.Length - HashDigits);
        slug = (slug.Length > room ? slug[..room] : slug).Trim('-');
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{site}\n{id}")))[..HashDigits];
        return $"{head}{(slug.Length == 0 ? "stage" : slug)}{tail}{hash}";
    }

    /// <summary>The user that an attempt runs as.</summary>
    public static long UserOf(UserRange users, string name) =>
        users.First + BitConverter.ToUInt32(SHA256.HashData(Encoding.UTF8.GetBytes(name))) % (uint)users.Count;

    /// <summary>What only its owner knows, and everybody can check.</summary>
    public static string HashOf(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>Selects everything of a site.</summary>
    public static string SelectorOf(string site) => $"{ManagedBy}={Us},{Site}={site}";
}
