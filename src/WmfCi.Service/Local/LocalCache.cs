using WmfCi.ObjectStore;
using WmfCi.Ports;

namespace WmfCi.Service.Local;

/// <summary>What <c>wmfci local</c> keeps between two calls: sources and artifacts by digest. What nobody used for a week is removed.</summary>
internal sealed class LocalCache : IArtifactStore
{
    /// <summary>How long something is kept that nobody uses.</summary>
    public static readonly TimeSpan KeptFor = TimeSpan.FromDays(7);

    private readonly string _folder;
    private readonly FolderStore _store;
    private readonly TimeProvider _time;

    /// <summary>Opens it, and makes it where it is missing.</summary>
    /// <exception cref="IOException">It cannot be made.</exception>
    public LocalCache(string folder, TimeProvider time)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException("The cache needs file modes.");
        (_folder, _time) = (folder, time);
        Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _store = new FolderStore(Path.Combine(folder, "store"), time);
    }

    /// <summary>Where stages run.</summary>
    public string WorkFolder => Path.Combine(_folder, "work");

    /// <summary>Where workspaces are kept that somebody wants to look at.</summary>
    public string KeptFolder => Path.Combine(_folder, "kept");

    /// <inheritdoc/>
    public async Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        var blob = await _store.PutAsync(content, maxBytes, cancellationToken);
        Used(blob.Digest);
        return blob;
    }

    /// <inheritdoc/>
    public Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken)
    {
        Used(digest);
        return _store.OpenAsync(digest, cancellationToken);
    }

    /// <summary>Whether it has something already, which it keeps from now on as if it were new.</summary>
    /// <param name="digest">What.</param>
    /// <param name="size">How large it must be; null where that is not known.</param>
    public bool Has(string digest, long? size = null)
    {
        Used(digest);
        return FolderStore.IsDigest(digest) && new FileInfo(PathOf(digest)) is { Exists: true } file && (size is null || file.Length == size);
    }

    /// <summary>Removes what nobody used for long.</summary>
    public void Prune()
    {
        var before = (_time.GetUtcNow() - KeptFor).UtcDateTime;
        foreach (var file in new DirectoryInfo(Path.Combine(_store.Folder, "sha256")).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            if (file.LastWriteTimeUtc < before) file.Delete();
        }
    }

    private void Used(string digest)
    {
        if (!FolderStore.IsDigest(digest)) return;
        try
        {
            File.SetLastWriteTimeUtc(PathOf(digest), _time.GetUtcNow().UtcDateTime);
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            // It is not here; whoever opens it is told so.
        }
    }

    private string PathOf(string digest) => Path.Combine(_store.Folder, "sha256", digest[..2], digest[2..4], digest);
}
