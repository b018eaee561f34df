namespace WmfCi.Kubernetes.Tests;

/// <summary>What tests need of the machine; they skip where it is not there.</summary>
internal static class Needs
{
    private static readonly Lazy<string?> RealCluster = new(FindCluster);

    /// <summary>The kubeconfig of a real cluster that tests may make namespaces in.</summary>
    public static string Cluster()
    {
        Assert.SkipUnless(RealCluster.Value is not null, "no cluster for tests: WMFCI_TEST_KUBECONFIG names no kubeconfig");
        return RealCluster.Value!;
    }

    /// <summary>The image that a real cluster can run a shell in.</summary>
    public static string Image => Environment.GetEnvironmentVariable("WMFCI_TEST_IMAGE") ?? "127.0.0.1:15000/debian:bookworm";

    /// <summary>What the stand-in runs containers in.</summary>
    public static void Bubblewrap() => Assert.SkipUnless(File.Exists("/usr/bin/bwrap"), "bubblewrap, which the stand-in's pods run in, is not installed");

    private static string? FindCluster() => Environment.GetEnvironmentVariable("WMFCI_TEST_KUBECONFIG") is { Length: > 0 } file && File.Exists(file) ? file : null;
}
