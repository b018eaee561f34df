namespace WmfCi.Kubernetes.Tests;

/// <summary>What tests need of the machine; they skip where it is not there.</summary>
internal static class Needs
{
    private static readonly Lazy<string?> RealCluster = new(FindCluster), Program = new(FindProgram);

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

    /// <summary>The static program of pods, as <c>deploy/images/pod</c> builds it.</summary>
    public static string PodProgram()
    {
        Assert.SkipUnless(Program.Value is not null, "no wmfci-pod for tests: run deploy/images/pod, or name the program by WMFCI_TEST_POD_PROGRAM");
        return Program.Value!;
    }

    private static string? FindProgram()
    {
        if (Environment.GetEnvironmentVariable("WMFCI_TEST_POD_PROGRAM") is { Length: > 0 } named) return File.Exists(named) ? named : null;
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            var built = Path.Combine(folder.FullName, "artifacts", "images", "pod", "root", "wmfci-pod");
            if (File.Exists(built)) return built;
        }
        return null;
    }

    private static string? FindCluster() => Environment.GetEnvironmentVariable("WMFCI_TEST_KUBECONFIG") is { Length: > 0 } file && File.Exists(file) ? file : null;
}
