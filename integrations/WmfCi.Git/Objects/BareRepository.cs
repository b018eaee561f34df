using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace WmfCi.Git;

/// <summary>
/// An open repository, read object by object. New objects are staged in memory first and written only by <see cref="Store"/>,
/// so that a merge that ends in a conflict, and the virtual bases of one that does not, leave nothing behind.
/// Opening takes well under a millisecond: open one for each piece of work. Not for use by several threads at once.
/// </summary>
public sealed class BareRepository : IDisposable
{
    /// <summary>Larger objects are refused (512 MiB): they would be read into memory as a whole.</summary>
    public const long MaxObjectBytes = 512L * 1024 * 1024;

    private readonly OdbHandle odb;
    private readonly Dictionary<ObjectName, (ObjectKind Kind, byte[] Data)> staged = [];
    private readonly Dictionary<ObjectName, CommitData> commits = [];

    private BareRepository(string gitDirectory, OdbHandle odb) => (GitDirectory, this.odb) = (gitDirectory, odb);

    /// <summary>The folder that holds <c>objects</c> and <c>refs</c>.</summary>
    public string GitDirectory { get; }

    /// <summary>Opens a bare repository, or the <c>.git</c> folder of another.</summary>
    /// <exception cref="GitObjectException">The folder is no git repository.</exception>
    public static BareRepository Open(string gitDirectory)
    {
        var folder = Path.GetFullPath(gitDirectory);
        if (!Directory.Exists(Path.Combine(folder, "objects")) && Directory.Exists(Path.Combine(folder, ".git", "objects"))) folder = Path.Combine(folder, ".git");
        var objects = Path.Combine(folder, "objects");
        return Directory.Exists(objects) ? new BareRepository(folder, OdbHandle.Open(objects))
            : throw new GitObjectException($"'{gitDirectory}' is not a git repository: it has no folder 'objects'");
    }

    /// <summary>Closes the repository.</summary>
    public void Dispose() => odb.Dispose();

    internal bool Contains(ObjectName name) => staged.ContainsKey(name) || TryHeader(name, out _, out _);

    internal bool TryHeader(ObjectName name, out ObjectKind kind, out long size)
    {
        Span<byte> bytes = stackalloc byte[ObjectName.Size];
        name.Write(bytes);
        var result = LibGit2.OdbReadHeader(out var length, out var type, odb, bytes);
        (kind, size) = ((ObjectKind)type, (long)length);
        return result == 0;
    }

    internal byte[] Read(ObjectName name, ObjectKind kind)
    {
        if (staged.TryGetValue(name, out var own)) return own.Kind == kind ? own.Data : throw WrongKind(name, kind);
        Span<byte> bytes = stackalloc byte[ObjectName.Size];
        name.Write(bytes);
        var result = LibGit2.OdbRead(out var found, odb, bytes);
        if (result == LibGit2.NotFound) throw new GitObjectException($"{kind} {name} is not in the repository: fetch it first");
        if (result != 0) throw new GitObjectException($"{kind} {name} cannot be read (libgit2 error {result}): the repository may be damaged");
        try
        {
            if (LibGit2.ObjectType(found) != (int)kind) throw WrongKind(name, kind);
            var size = (long)LibGit2.ObjectSize(found);
            if (size > MaxObjectBytes) throw new GitObjectException($"{kind} {name} has {size} bytes, more than {MaxObjectBytes}");
            var data = new byte[size];
            Marshal.Copy(LibGit2.ObjectData(found), data, 0, data.Length);
            return data;
        }
        finally
        {
            LibGit2.ObjectFree(found);
        }
    }

    internal CommitData Commit(ObjectName name)
    {
        if (!commits.TryGetValue(name, out var commit)) commits[name] = commit = CommitData.Parse(name, Read(name, ObjectKind.Commit));
        return commit;
    }

    internal TreeEntry[] Tree(ObjectName name) => name == ObjectName.None ? [] : TreeEntry.Parse(Read(name, ObjectKind.Tree));

    /// <summary>Keeps an object in memory under the name that git would give it.</summary>
    internal ObjectName Stage(ObjectKind kind, byte[] data)
    {
        var name = NameOf(kind, data);
        staged.TryAdd(name, (kind, data));
        return name;
    }

    /// <summary>Writes a staged object, and every staged object that it leads to, into the repository.</summary>
    internal void Store(ObjectName name)
    {
        if (!staged.TryGetValue(name, out var own)) return;
        if (own.Kind == ObjectKind.Tree)
            foreach (var entry in TreeEntry.Parse(own.Data)) Store(entry.Id);
        if (own.Kind == ObjectKind.Commit)
        {
            var commit = Commit(name);
            Store(commit.Tree);
            foreach (var parent in commit.Parents) Store(parent);
        }

        Span<byte> written = stackalloc byte[ObjectName.Size];
        var result = LibGit2.OdbWrite(written, odb, own.Data, (nuint)own.Data.Length, (int)own.Kind);
        if (result != 0) throw new GitObjectException($"{own.Kind} {name} cannot be written (libgit2 error {result}): is the disk full?");
        staged.Remove(name);
    }

    private static GitObjectException WrongKind(ObjectName name, ObjectKind kind) => new($"{name} is not a {kind.ToString().ToLowerInvariant()}");

#pragma warning disable CA5350 // SHA-1 is what git names objects with; nothing here relies on its strength.
    private static ObjectName NameOf(ObjectKind kind, byte[] data)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA1);
        hash.AppendData(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{kind.ToString().ToLowerInvariant()} {data.Length}\0")));
        hash.AppendData(data);
        return ObjectName.Read(hash.GetHashAndReset());
    }
#pragma warning restore CA5350
}
