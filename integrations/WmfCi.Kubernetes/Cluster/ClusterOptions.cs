namespace WmfCi.Kubernetes;

/// <summary>How a cluster is reached.</summary>
public sealed record ClusterOptions
{
    /// <summary>The kubeconfig; null for the account of the pod that this runs in, or else what <c>KUBECONFIG</c> names.</summary>
    public string? Kubeconfig { get; init; }

    /// <summary>The context of the kubeconfig; null for its current one.</summary>
    public string? Context { get; init; }

    /// <summary>The namespace that everything happens in.</summary>
    public required string Namespace { get; init; }

    /// <summary>How long an answer may take, streams excepted: of them, how long until they begin.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection may be silent before it is asked whether it lives, and how long it may take to say so.</summary>
    public TimeSpan KeepAlive { get; init; } = TimeSpan.FromSeconds(4);
}

/// <summary>Which version a cluster's server has.</summary>
/// <param name="Major">1, for all that were ever made.</param>
/// <param name="Minor">For example 35.</param>
/// <param name="Name">As the server says it, for people.</param>
public sealed record ClusterVersion(int Major, int Minor, string Name)
{
    /// <summary>Whether it is this version or a later one.</summary>
    public bool IsAtLeast(int major, int minor) => (Major, Minor).CompareTo((major, minor)) >= 0;

    /// <inheritdoc/>
    public override string ToString() => Name;
}
