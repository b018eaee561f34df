using System.Globalization;
using k8s;

namespace WmfCi.Kubernetes.Tests;

/// <summary>What is expected of a server depends on its age where Kubernetes learned something after 1.20.</summary>
internal static class ServerAge
{
    /// <summary>The first 1.x that enforces pod security.</summary>
    public const int EnforcesPodSecurity = 23;

    /// <summary>The first 1.x in which a volume in memory is as large as it was said to be.</summary>
    public const int SizesMemoryVolumes = 22;

    public static async Task<bool> IsAtLeastAsync(this IKubernetes client, int minor, CancellationToken cancellationToken) =>
        int.Parse((await client.Version.GetCodeAsync(cancellationToken)).Minor.TrimEnd('+'), CultureInfo.InvariantCulture) >= minor;
}
