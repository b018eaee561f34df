using System.Buffers;

namespace WmfCi.Git;

/// <summary>One entry of a tree; the default value is an entry that is not there.</summary>
internal readonly record struct TreeEntry(int Mode, ReadOnlyMemory<byte> Name, ObjectName Id)
{
    public const int TreeMode = 0x4000; // 040000
    public const int FileMode = 0x81A4; // 100644
    public const int ExecutableMode = 0x81ED; // 100755
    public const int SymlinkMode = 0xA000; // 120000
    public const int GitlinkMode = 0xE000; // 160000
    private const int TypeMask = 0xF000;
    private const int ExecuteBits = 0x49; // 0111
    private const int LongestMode = 7;

    public bool Exists => Mode != 0;

    public bool IsTree => (Mode & TypeMask) == TreeMode;

    public bool IsSymlink => (Mode & TypeMask) == SymlinkMode;

    public bool IsGitlink => (Mode & TypeMask) == GitlinkMode;

    public bool IsFile => (Mode & TypeMask) == (FileMode & TypeMask);

    /// <summary>Something with content: a file, a symbolic link or a submodule.</summary>
    public bool IsLeaf => Mode != 0 && !IsTree;

    public bool SameAs(TreeEntry other) => Mode == other.Mode && Id == other.Id;

    /// <summary>The mode as git writes it today: old trees hold 100664 and the like.</summary>
    public int CanonicalMode => IsFile ? (Mode & ExecuteBits) != 0 ? ExecutableMode : FileMode : Mode & TypeMask;

    public static TreeEntry[] Parse(byte[] data)
    {
        var entries = new List<TreeEntry>(Math.Max(4, data.Length / 40));
        for (var at = 0; at < data.Length;)
        {
            var mode = 0;
            var start = at;
            for (; at < data.Length && data[at] != ' '; at++)
            {
                if (data[at] is < (byte)'0' or > (byte)'7' || at - start >= LongestMode) throw Damaged();
                mode = (mode << 3) | (data[at] - '0');
            }

            var name = ++at;
            var length = at < data.Length ? data.AsSpan(at).IndexOf((byte)0) : -1;
            if (length <= 0 || mode == 0 || name + length + 1 + ObjectName.Size > data.Length) throw Damaged();
            at = name + length + 1;
            entries.Add(new TreeEntry(mode, data.AsMemory(name, length), ObjectName.Read(data.AsSpan(at))));
            at += ObjectName.Size;
        }

        return [.. entries];
    }

    /// <summary>The bytes of a tree with these entries, which must be in git's order.</summary>
    public static byte[] Format(List<TreeEntry> entries)
    {
        var buffer = new ArrayBufferWriter<byte>(Math.Max(1, entries.Count * 48));
        foreach (var entry in entries)
        {
            var span = buffer.GetSpan(entry.Name.Length + 32);
            var at = 0;
            for (var shift = 15; shift >= 0; shift -= 3)
            {
                var digit = (entry.Mode >> shift) & 7;
                if (digit != 0 || at > 0) span[at++] = (byte)('0' + digit);
            }

            span[at++] = (byte)' ';
            entry.Name.Span.CopyTo(span[at..]);
            at += entry.Name.Length;
            span[at++] = 0;
            entry.Id.Write(span[at..]);
            buffer.Advance(at + ObjectName.Size);
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>Git's order: by bytes, a folder as if its name ended with a slash.</summary>
    public static int Compare(TreeEntry left, TreeEntry right)
    {
        var a = left.Name.Span;
        var b = right.Name.Span;
        var common = Math.Min(a.Length, b.Length);
        var order = a[..common].SequenceCompareTo(b[..common]);
        return order != 0 ? order : After(a, common, left.IsTree) - After(b, common, right.IsTree);
    }

    private static int After(ReadOnlySpan<byte> name, int at, bool tree) => at < name.Length ? name[at] : tree ? '/' : 0;

    private static GitObjectException Damaged() => new("A tree is damaged: run git fsck on the repository");
}
