namespace WmfCi.Ports;

/// <summary>A store of bytes named by their SHA-256. What is in it never changes; whoever reads can check what was read.</summary>
public interface IArtifactStore
{
    /// <summary>Stores a stream and names it. Storing the same bytes again is harmless.</summary>
    /// <param name="content">Read to its end.</param>
    /// <param name="maxBytes">The bound on its size.</param>
    /// <param name="cancellationToken">Gives up; nothing is left behind.</param>
    /// <exception cref="BlobTooLargeException">It has more bytes than the bound; nothing is left behind.</exception>
    /// <exception cref="IOException">The store is full or out of reach.</exception>
    Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken);

    /// <summary>Opens what a digest names, for reading and seeking.</summary>
    /// <returns>Null when the store does not have it.</returns>
    Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken);
}

/// <summary>Something in the store.</summary>
/// <param name="Digest">Its SHA-256, 64 lower-case hexadecimal digits.</param>
/// <param name="Size">In bytes.</param>
public sealed record Blob(string Digest, long Size);

/// <summary>More was offered than the bound allows.</summary>
/// <param name="maxBytes">The bound.</param>
public sealed class BlobTooLargeException(long maxBytes) : IOException($"There is more than the {maxBytes} bytes that may be stored.")
{
    /// <summary>The bound, in bytes.</summary>
    public long MaxBytes { get; } = maxBytes;
}
