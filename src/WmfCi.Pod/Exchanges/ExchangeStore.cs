using System.Security.Cryptography;
using WmfCi.Ports;

namespace WmfCi.Pod.Exchanges;

/// <summary>The service's store, as an attempt's token opens it.</summary>
internal sealed class ExchangeStore(Exchange exchange, TimeProvider time) : IArtifactStore
{
    /// <inheritdoc/>
    /// <remarks>The content must be able to go back to its beginning: it is named first and sent then.</remarks>
    public async Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
    {
        if (content.Length > maxBytes) throw new BlobTooLargeException(maxBytes);
        content.Position = 0;
        var blob = new Blob(Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellationToken)), content.Length);
        await exchange.PutBlobAsync(blob.Digest, content, cancellationToken);
        return blob;
    }

    /// <inheritdoc/>
    /// <remarks>It can be read from its beginning to its end only.</remarks>
    public async Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken) =>
        await exchange.GetBlobAsync(digest, 0, cancellationToken) is { } answer ? await ResumingStream.OpenAsync(exchange, digest, answer, time, cancellationToken) : null;
}
