using System.Collections.Immutable;
using System.Text;

namespace WmfCi.Git;

/// <summary>Single files of a commit, and what differs between two, without checking anything out.</summary>
public static class SourceFiles
{
    /// <summary>The depth of folders above which a tree is refused.</summary>
    public const int MaxDepth = 256;

    /// <summary>Reads one file of a commit.</summary>
    /// <param name="repository">Where the commit is.</param>
    /// <param name="commit">Its id.</param>
    /// <param name="path">The file, from the top, separated by <c>/</c>: <c>.pipeline/config.yaml</c>.</param>
    /// <param name="maxBytes">A larger file is refused.</param>
    /// <returns>The content; null where there is no such path, or it is a folder, a symbolic link or a submodule.</returns>
    /// <exception cref="SnapshotTooLargeException">The file is larger.</exception>
    public static byte[]? ReadFile(BareRepository repository, string commit, string path, long maxBytes)
    {
        ArgumentNullException.ThrowIfNull(repository);
        ArgumentNullException.ThrowIfNull(path);
        var entry = new TreeEntry(TreeEntry.TreeMode, default, repository.Commit(ObjectName.Parse(commit)).Tree);
        foreach (var name in path.Split('/'))
        {
            if (!entry.IsTree) return null;
            var wanted = Encoding.UTF8.GetBytes(name);
            entry = Array.Find(repository.Tree(entry.Id), one => one.Name.Span.SequenceEqual(wanted));
        }

        if (!entry.IsFile) return null;
        if (repository.TryHeader(entry.Id, out _, out var size) && size > maxBytes)
            throw new SnapshotTooLargeException($"{GitPath.FromText(path).Quoted} has {size} bytes; {maxBytes} are allowed");
        return repository.Read(entry.Id, ObjectKind.Blob);
    }

    /// <summary>The files that differ between two commits, sorted; a rename is two paths. A folder that only one has counts with every file in it.</summary>
    /// <param name="repository">Where both are.</param>
    /// <param name="original">Id of the older commit, or null for the empty tree.</param>
    /// <param name="commit">Id of the newer one.</param>
    /// <param name="maxPaths">More are refused with <see cref="SnapshotTooLargeException"/>.</param>
    public static ImmutableArray<GitPath> ChangedPaths(BareRepository repository, string? original, string commit, int maxPaths)
    {
        ArgumentNullException.ThrowIfNull(repository);
        var from = original is null ? default : Root(repository, original);
        var changed = new List<byte[]>();
        Compare(repository, (from, Root(repository, commit)), [], path =>
        {
            if (changed.Count == maxPaths) throw new SnapshotTooLargeException($"More than {maxPaths} files differ");
            changed.Add(path);
        });
        changed.Sort((a, b) => a.AsSpan().SequenceCompareTo(b));
        return [.. changed.Select(path => new GitPath(path))];
    }

    /// <summary>Every entry of a tree, in git's order, folders before what is in them.</summary>
    internal static List<(byte[] Path, TreeEntry Entry)> Walk(BareRepository repository, ObjectName tree, int maxPathBytes, int maxEntries)
    {
        var found = new List<(byte[], TreeEntry)>();
        Walk(tree, [], 0);
        return found;

        void Walk(ObjectName folder, byte[] prefix, int depth)
        {
            if (depth > MaxDepth) throw new SnapshotTooLargeException($"Folders are nested more than {MaxDepth} deep");
            foreach (var entry in repository.Tree(folder))
            {
                Check(entry.Name.Span);
                byte[] path = [.. prefix, .. entry.Name.Span];
                if (path.Length > maxPathBytes) throw new SnapshotTooLargeException($"A path has more than the {maxPathBytes} bytes that are allowed");
                if (found.Count == maxEntries) throw new SnapshotTooLargeException($"The source has more than the {maxEntries} files that are allowed");
                found.Add((path, entry));
                if (entry.IsTree) Walk(entry.Id, [.. path, (byte)'/'], depth + 1);
            }
        }
    }

    // git itself refuses to make these, but a tree can be written by hand; unpacked they would leave the folder or become its repository.
    private static void Check(ReadOnlySpan<byte> name)
    {
        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || name.Contains((byte)'/') || (name.Length == 4 && Encoding.Latin1.GetString(name).Equals(".git", StringComparison.OrdinalIgnoreCase)))
            throw new GitObjectException($"The tree has an entry named {new GitPath(name.ToArray()).Quoted}, which cannot be a file");
    }

    private static TreeEntry Root(BareRepository repository, string commit) => new(TreeEntry.TreeMode, default, repository.Commit(ObjectName.Parse(commit)).Tree);

    private static void Compare(BareRepository repository, (TreeEntry From, TreeEntry To) pair, byte[] prefix, Action<byte[]> add)
    {
        if (prefix.Count((byte)'/') > MaxDepth) throw new SnapshotTooLargeException($"Folders are nested more than {MaxDepth} deep");
        var (before, after) = (Children(repository, pair.From), Children(repository, pair.To));
        foreach (var row in TreeRows.Join([], before, after))
        {
            if (row.Ours.SameAs(row.Theirs)) continue;
            byte[] path = [.. prefix, .. row.Name.Span];
            if (row.Ours.IsLeaf || row.Theirs.IsLeaf) add(path);
            if (row.Ours.IsTree || row.Theirs.IsTree) Compare(repository, (row.Ours, row.Theirs), [.. path, (byte)'/'], add);
        }
    }

    private static TreeEntry[] Children(BareRepository repository, TreeEntry entry) => entry.IsTree ? repository.Tree(entry.Id) : [];
}
