using WmfCi.Ports;

namespace WmfCi.Kubernetes.Running;

/// <summary>The store, whose failures say that they are its own.</summary>
internal sealed class NamedStore(IArtifactStore store) : IArtifactStore
{
    public Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken) => NamedAsync(() => store.PutAsync(content, maxBytes, cancellationToken));

    public Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken) => NamedAsync(() => store.OpenAsync(digest, cancellationToken));

    private static async Task<T> NamedAsync<T>(Func<Task<T>> work)
    {
        try
        {
            return await work();
        }
        catch (IOException error) when (error is not BlobTooLargeException)
        {
            throw new StoreFailedException(error);
        }
    }
}
