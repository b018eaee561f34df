using WmfCi.Fakes.Kubernetes;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>The contract on a real cluster.</summary>
public sealed class OnTheRealCluster : RunnerContract
{
    internal override Site Where() => Sites.Real();
}

/// <summary>The contract on the stand-in: what its faults show counts for real clusters only as far as both do the same without them.</summary>
public sealed class OnTheStandIn(SharedStandIn shared) : RunnerContract
{
    internal override Site Where() => Sites.Of(shared.StandIn);
}

/// <summary>Where runners can be tried.</summary>
internal static class Sites
{
    private const string PodImage = "stand-in.invalid/wmfci-pod@sha256:0000000000000000000000000000000000000000000000000000000000000000", StepImage = "stand-in.invalid/shell:1";

    /// <summary>A real cluster.</summary>
    public static Site Real() => new(
        Needs.Cluster(),
        Environment.GetEnvironmentVariable("WMFCI_TEST_HOST_IP") ?? "10.244.0.1",
        Environment.GetEnvironmentVariable("WMFCI_TEST_POD_IMAGE") ?? "127.0.0.1:15000/wmfci-pod:try",
        Needs.Image);

    /// <summary>The stand-in, whose pods are processes of this machine.</summary>
    public static Site Of(KubernetesStandIn standIn)
    {
        Needs.Bubblewrap();
        standIn.Node.Images[PodImage] = StandInImage.Of("/wmfci-pod", Needs.PodProgram());
        return new Site(standIn.Kubeconfig, "127.0.0.1", PodImage, StepImage);
    }
}
