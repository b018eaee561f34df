using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace WmfCi.Git;

/// <summary>The name of a git object: the 20 bytes of its SHA-1.</summary>
/// <remarks>A value of its own because a merge compares hundreds of thousands of them; the library's class allocates each.</remarks>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct ObjectName(ulong First, ulong Second, uint Third)
{
    public const int Size = 20;
    public const int HexSize = 2 * Size;

    /// <summary>The name of nothing: what a missing entry has.</summary>
    public static ObjectName None => default;

    public static ObjectName Read(ReadOnlySpan<byte> bytes) => new(
        BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]), BinaryPrimitives.ReadUInt32BigEndian(bytes[16..]));

    public void Write(Span<byte> bytes)
    {
        BinaryPrimitives.WriteUInt64BigEndian(bytes, First);
        BinaryPrimitives.WriteUInt64BigEndian(bytes[8..], Second);
        BinaryPrimitives.WriteUInt32BigEndian(bytes[16..], Third);
    }

    /// <summary>Reads 40 hexadecimal digits; nothing shorter, since an abbreviation may become ambiguous.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out ObjectName name)
    {
        Span<byte> bytes = stackalloc byte[Size];
        name = None;
        if (hex.Length != HexSize || Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done) return false;
        name = Read(bytes);
        return true;
    }

    public static ObjectName Parse(string hex) =>
        TryParse(hex, out var name) ? name : throw new GitObjectException($"'{Shown(hex)}' is not a commit id: give its 40 hexadecimal digits");

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Size];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }

    private static string Shown(string text) => GitPath.FromText(text.Length > HexSize ? text[..HexSize] + "…" : text).Quoted;
}

/// <summary>What kind of object git stores; the numbers are those of packs and of libgit2.</summary>
internal enum ObjectKind
{
    Commit = 1,
    Tree = 2,
    Blob = 3,
    Tag = 4,
}

/// <summary>An object is missing, damaged, or not of the kind that is needed. The message says which and is safe to show.</summary>
public sealed class GitObjectException(string message) : Exception(message);
