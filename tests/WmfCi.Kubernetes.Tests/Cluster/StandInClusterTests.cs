using WmfCi.Fakes.Kubernetes;

[assembly: AssemblyFixture(typeof(WmfCi.Kubernetes.Tests.SharedStandIn))]

namespace WmfCi.Kubernetes.Tests;

/// <summary>A stand-in that tests share which make nothing go wrong.</summary>
public sealed class SharedStandIn : IAsyncLifetime
{
    public KubernetesStandIn StandIn { get; private set; } = null!;

    public async ValueTask InitializeAsync() => StandIn = await KubernetesStandIn.StartAsync();

    public ValueTask DisposeAsync() => StandIn.DisposeAsync();
}

/// <summary>What is expected of every API server, of the stand-in.</summary>
public sealed class StandInClusterTests(SharedStandIn shared) : ClusterContract
{
    private protected override Task<TestSpace> SpaceAsync()
    {
        Needs.Bubblewrap();
        return TestSpace.InAsync(shared.StandIn.Kubeconfig);
    }
}
