using System.Buffers;
using System.Security.Cryptography;
using System.Text;

namespace WmfCi.Git;

/// <summary>Names of Gerrit projects: which are valid, and how they become a path and an address.</summary>
internal static class ProjectName
{
    /// <summary>Longer names are refused (Gerrit has no limit of its own, file systems have).</summary>
    public const int MaxLength = 512;

    private const int MaxSegment = 200; // file systems take 255 bytes, with ".git" and ".lock" behind
    private static readonly SearchValues<char> Plain = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");

    // What Gerrit itself refuses in names.
    private static readonly SearchValues<char> Refused = SearchValues.Create("\\?%*:\"<>|$~");
    private static readonly string[] RefusedPairs = ["//", "/+", ".git/"];

    /// <summary>Whether Gerrit would let a project have this name.</summary>
    public static bool IsValid(string name) =>
        name.Length is > 0 and <= MaxLength && !name.AsSpan().ContainsAny(Refused) && !name.Any(char.IsControl) && IsText(name) && name[0] != '/' && name[^1] != '/'
        && !RefusedPairs.Any(pair => name.Contains(pair, StringComparison.Ordinal)) && !name.Split('/').Any(segment => segment is "." or "..");

    /// <summary>A relative path for it, different for every name, made of letters, digits and <c>._-%/</c>.</summary>
    public static string ToPath(string name) => string.Join('/', name.Split('/').Select(SafeSegment)) + ".git";

    /// <summary>It as the path of an address.</summary>
    public static string ToUrlPath(string name) => string.Join('/', name.Split('/').Select(Uri.EscapeDataString));

    private static bool IsText(string name)
    {
        for (var rest = name.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var used) != OperationStatus.Done) return false;
            rest = rest[used..];
        }

        return true;
    }

    private static string SafeSegment(string segment)
    {
        var safe = new StringBuilder();
        foreach (var one in Encoding.UTF8.GetBytes(segment))
            _ = Plain.Contains((char)one) && (safe.Length > 0 || one is not ((byte)'.' or (byte)'-')) ? safe.Append((char)one) : safe.Append('%').Append(Convert.ToHexString([one]));
        if (safe.Length <= MaxSegment) return safe.ToString();
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(segment)));
        return safe.ToString(0, MaxSegment - hash.Length - 2) + "%%" + hash;
    }
}
