namespace WmfCi.Kubernetes;

/// <summary>The store failed, and not the cluster: whoever waits is to know what for.</summary>
/// <param name="cause">What it said.</param>
internal sealed class StoreFailedException(IOException cause) : IOException($"The store of artifacts failed: {cause.Message}", cause);
