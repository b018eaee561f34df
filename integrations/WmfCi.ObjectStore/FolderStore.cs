using System.Buffers;
using System.Security.Cryptography;
using WmfCi.Ports;

namespace WmfCi.ObjectStore;

/// <summary>
/// A store in a folder: <c>sha256/ab/cd/DIGEST</c>. A blob is written beside its place, hashed while it is written, made durable and renamed, so that a reader
/// sees all of it or nothing, and any number of processes may write at once.
/// </summary>
public sealed class FolderStore : IArtifactStore
{
    /// <summary>How old an unfinished file must be before it counts as left behind by a crash, and is removed when a store is opened.</summary>
    public static readonly TimeSpan LeftoverAge = TimeSpan.FromDays(1);

    private const int BufferBytes = 128 * 1024;
    private const int DigestLength = 64;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private static readonly SearchValues<char> LowerHex = SearchValues.Create("0123456789abcdef");

    private readonly string _blobs;
    private readonly string _unfinished;

    /// <summary>Opens a store, makes its folders where they are missing, and removes what crashed writers left.</summary>
    /// <param name="folder">Where; its parent must exist or be creatable. Only its owner may read what is made in it.</param>
    /// <param name="time">Tells how old leftovers are; the system's clock by default.</param>
    /// <exception cref="IOException">The folder cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">This process may not write there.</exception>
    public FolderStore(string folder, TimeProvider? time = null)
    {
        Folder = Path.GetFullPath(folder);
        _blobs = Path.Combine(Folder, "sha256");
        _unfinished = Path.Combine(Folder, "unfinished");
        Directory.CreateDirectory(_blobs, OwnerOnly);
        Directory.CreateDirectory(_unfinished, OwnerOnly);
        RemoveLeftovers((time ?? TimeProvider.System).GetUtcNow() - LeftoverAge);
    }

    /// <summary>Where the store is.</summary>
    public string Folder { get; }

    /// <summary>Whether a text is a digest as this store writes them: 64 lower-case hexadecimal digits.</summary>
    public static bool IsDigest(string text) => text.Length == DigestLength && !text.AsSpan().ContainsAnyExcept(LowerHex);

    /// <inheritdoc/>
    public async Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(content);
        ArgumentOutOfRangeException.ThrowIfNegative(maxBytes);
        var temporary = Path.Combine(_unfinished, Guid.NewGuid().ToString("N"));
        try
        {
            var blob = await WriteAsync(content, maxBytes, temporary, cancellationToken);
            Publish(temporary, blob);
            return blob;
        }
        catch (IOException error) when (IsFull(error))
        {
            throw new IOException($"The disk of the store {Folder} is full. Free some space there, or move the store to a larger disk.", error);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <inheritdoc/>
    public Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(digest);
        cancellationToken.ThrowIfCancellationRequested();
        if (!IsDigest(digest)) return Task.FromResult<Stream?>(null);
        try
        {
            return Task.FromResult<Stream?>(new FileStream(PathOf(digest), new FileStreamOptions
            {
                Mode = FileMode.Open,
                Access = FileAccess.Read,
                Share = FileShare.ReadWrite | FileShare.Delete,
                BufferSize = BufferBytes,
                Options = FileOptions.SequentialScan,
            }));
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return Task.FromResult<Stream?>(null);
        }
    }

    private static bool IsFull(IOException error)
    {
        const int noSpaceLeft = 28, quotaExceeded = 122;
        return error.HResult is noSpaceLeft or quotaExceeded;
    }

    private static async Task<Blob> WriteAsync(Stream content, long maxBytes, string path, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write, FileShare.None);
            File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            long size = 0;
            int read;
            while ((read = await content.ReadAsync(buffer, cancellationToken)) > 0)
            {
                if (size + read > maxBytes) throw new BlobTooLargeException(maxBytes);
                hash.AppendData(buffer, 0, read);
                await RandomAccess.WriteAsync(file, buffer.AsMemory(0, read), size, cancellationToken);
                size += read;
            }

            RandomAccess.FlushToDisk(file);
            return new Blob(Convert.ToHexStringLower(hash.GetHashAndReset()), size);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private void Publish(string temporary, Blob blob)
    {
        var path = PathOf(blob.Digest);
        // A file of another size under this name was damaged from outside; the fresh bytes take its place.
        if (new FileInfo(path) is { Exists: true } present && present.Length == blob.Size) return;
        var folder = Path.GetDirectoryName(path)!;
        var upper = Path.GetDirectoryName(folder)!;
        var isNew = !Directory.Exists(folder);
        Directory.CreateDirectory(folder, OwnerOnly);
        File.Move(temporary, path, overwrite: true);
        DurableFolder.Flush(folder);
        if (!isNew) return;
        DurableFolder.Flush(upper);
        DurableFolder.Flush(_blobs);
    }

    private string PathOf(string digest) => Path.Combine(_blobs, digest[..2], digest[2..4], digest);

    private void RemoveLeftovers(DateTimeOffset olderThan)
    {
        foreach (var file in new DirectoryInfo(_unfinished).EnumerateFiles())
        {
            if (file.LastWriteTimeUtc >= olderThan.UtcDateTime) continue;
            try
            {
                file.Delete();
            }
            catch (Exception error) when (error is IOException or UnauthorizedAccessException)
            {
                // A process that only reads may have the store on a volume that it cannot write to; one that writes removes the file.
            }
        }
    }
}
