using System.Formats.Tar;
using System.Text;
using ZstdSharp;

namespace WmfCi.Workspaces;

/// <summary>A snapshot holds something that is not unpacked; the source is to blame, not the store.</summary>
public sealed class RefusedSnapshotException(string message) : Exception(message);

/// <summary>
/// Unpacks a zstd-compressed tar into an empty folder that nobody else writes to. Every folder on the way to an entry is one that was made here, which
/// is why no link can be followed: a path that leads through anything else is refused.
/// </summary>
public sealed class SnapshotUnpacker(string folder, SnapshotBounds bounds, int? owner)
{
    private const int FileMode = 0b110_100_100, ProgramMode = 0b111_101_101;
    private readonly HashSet<string> _folders = new(StringComparer.Ordinal) { "" };
    private readonly byte[] _buffer = new byte[128 * 1024];
    private int _entries;
    private long _bytes;

    /// <summary>Unpacks it all, and compares what was read with its name.</summary>
    /// <exception cref="RefusedSnapshotException">It holds something that is not unpacked, or too much.</exception>
    /// <exception cref="IOException">The store gave other bytes than the digest names, or the disk failed.</exception>
    public void Unpack(Stream packed, string digest, CancellationToken cancellationToken)
    {
        using var hashed = new HashingStream(packed);
        try
        {
            using var unpacked = new DecompressionStream(hashed, leaveOpen: true);
            using var tar = new TarReader(unpacked, leaveOpen: true);
            while (tar.GetNextEntry() is { } entry)
            {
                cancellationToken.ThrowIfCancellationRequested();
                Add(entry, hashed);
            }
        }
        catch (Exception error) when (error is ZstdException or InvalidDataException or EndOfStreamException or FormatException)
        {
            // Damage on the way is the store's; only what is damaged in the very bytes that were named is the snapshot's.
            if (hashed.Finish() != digest) throw Damaged(digest);
            throw new RefusedSnapshotException($"The source snapshot is no zstd-compressed tar: {error.Message}");
        }

        if (hashed.Finish() != digest) throw Damaged(digest);
    }

    private static IOException Damaged(string digest) => new($"The store gave other bytes than {digest} for the source snapshot.");

    private static RefusedSnapshotException Refused(string name, string why)
    {
        const int maxShown = 200;
        var shown = string.Concat(name.Select(c => char.IsControl(c) ? '?' : c));
        return new RefusedSnapshotException($"The source snapshot cannot be unpacked: “{(shown.Length > maxShown ? shown[..maxShown] + "…" : shown)}” {why}.");
    }

    private void Add(TarEntry entry, HashingStream packed)
    {
        if (entry.EntryType is TarEntryType.GlobalExtendedAttributes) return;
        var path = PathOf(entry.Name);
        switch (entry.EntryType)
        {
            case TarEntryType.Directory:
                MakeFolder(path, entry.Name);
                break;
            case TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile:
                MakeParent(path, entry.Name);
                CountEntry();
                Write(entry, Path.Combine(folder, path), packed);
                break;
            case TarEntryType.SymbolicLink:
                MakeParent(path, entry.Name);
                CountEntry();
                MakeLink(entry, Path.Combine(folder, path));
                break;
            case TarEntryType.HardLink:
                throw Refused(entry.Name, "is a hard link, and only files, folders and symbolic links are taken");
            default:
                throw Refused(entry.Name, $"is of the kind {entry.EntryType}, and only files, folders and symbolic links are taken");
        }
    }

    private static string PathOf(string name)
    {
        if (name.StartsWith('/')) throw Refused(name, "begins with a slash");
        var path = name.TrimEnd('/');
        if (path.StartsWith("./", StringComparison.Ordinal)) path = path[2..];
        if (path is "." or "") return "";
        foreach (var part in path.AsSpan().Split('/'))
        {
            if (path.AsSpan(part) is "" or "." or "..") throw Refused(name, "leads through “.”, “..” or nothing");
        }

        return path;
    }

    private void MakeParent(string path, string name)
    {
        if (path.Length == 0) throw Refused(name, "has no name");
        var slash = path.LastIndexOf('/');
        if (slash > 0) MakeFolder(path[..slash], name);
    }

    private void MakeFolder(string path, string name)
    {
        if (_folders.Contains(path)) return;
        var slash = path.LastIndexOf('/');
        if (slash > 0) MakeFolder(path[..slash], name);
        CountEntry();
        var full = Path.Combine(folder, path);
        if (File.Exists(full) || new FileInfo(full).LinkTarget is not null) throw Refused(name, "leads through a file or a link");
        Directory.CreateDirectory(full, (UnixFileMode)ProgramMode);
        if (owner is { } user) NativeFiles.GiveTo(full, user);
        _folders.Add(path);
    }

    private void Write(TarEntry entry, string path, HashingStream packed)
    {
        var mode = entry.Mode.HasFlag(UnixFileMode.UserExecute) ? ProgramMode : FileMode;
        using var file = Create(path, mode, entry.Name);
        if (owner is { } user) NativeFiles.GiveTo(file, user);
        if (entry.DataStream is not { } content) return;
        long offset = 0;
        int read;
        while ((read = content.Read(_buffer)) > 0)
        {
            Count(read, packed);
            RandomAccess.Write(file, _buffer.AsSpan(0, read), offset);
            offset += read;
        }
    }

    private static Microsoft.Win32.SafeHandles.SafeFileHandle Create(string path, int mode, string name)
    {
        try
        {
            return NativeFiles.CreateFile(path, mode);
        }
        catch (IOException error)
        {
            throw Unmakeable(error, path, name);
        }
    }

    private void MakeLink(TarEntry entry, string path)
    {
        const int maxTargetBytes = 4095;
        if (Encoding.UTF8.GetByteCount(entry.LinkName) is 0 or > maxTargetBytes) throw Refused(entry.Name, "is a link to nothing, or to too long a name");
        try
        {
            NativeFiles.CreateLink(entry.LinkName, path);
        }
        catch (IOException error)
        {
            throw Unmakeable(error, path, entry.Name);
        }

        if (owner is { } user) NativeFiles.GiveTo(path, user);
    }

    private static Exception Unmakeable(IOException error, string path, string name)
    {
        const int exists = 17, nameTooLong = 36, isFolder = 21;
        return error.HResult switch
        {
            exists or isFolder => Refused(name, "is there twice"),
            nameTooLong => Refused(name, "has too long a name"),
            _ => new IOException($"The workspace cannot be written: {Path.GetFileName(path)}: {error.Message}", error),
        };
    }

    private void CountEntry()
    {
        if (++_entries > bounds.MaxEntries) throw new RefusedSnapshotException($"The source snapshot has more than {bounds.MaxEntries} files and folders; this service unpacks no more.");
    }

    private void Count(int read, HashingStream packed)
    {
        _bytes += read;
        if (_bytes > bounds.MaxBytes) throw new RefusedSnapshotException($"The source snapshot unpacks to more than {bounds.MaxBytes} bytes; this service takes no more.");
        if (_bytes > bounds.RatioFreeBytes && _bytes / bounds.MaxRatio > packed.Count)
            throw new RefusedSnapshotException($"The source snapshot unpacks to more than {bounds.MaxRatio} times its size; this service takes it for a trap.");
    }
}
