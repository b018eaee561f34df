using k8s;
using k8s.Models;
using K8sCluster = WmfCi.Kubernetes.Cluster;

namespace WmfCi.Kubernetes.Tests;

/// <summary>A namespace of its own in a cluster, gone after the test.</summary>
internal sealed class TestSpace : IAsyncDisposable
{
    /// <summary>How long anything may take here; far beyond what it does take.</summary>
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(3);

    private readonly CancellationTokenSource _limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private TestSpace(K8sCluster cluster)
    {
        Cluster = cluster;
        _limit.CancelAfter(Bound);
    }

    public K8sCluster Cluster { get; }

    public k8s.Kubernetes Client => Cluster.Client;

    public string Name => Cluster.Namespace;

    public CancellationToken Token => _limit.Token;

    public static async Task<TestSpace> InAsync(string kubeconfig)
    {
        // No connection dies here, and a busy machine falls silent for seconds.
        var options = new ClusterOptions { Kubeconfig = kubeconfig, KeepAlive = TimeSpan.FromSeconds(30), Namespace = $"test-{Guid.NewGuid():N}"[..24] };
        var space = new TestSpace(K8sCluster.Open(options, TimeProvider.System));
        await space.Client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = options.Namespace } }, cancellationToken: space.Token);
        return space;
    }

    /// <summary>Makes a config map: the smallest object there is.</summary>
    public Task<V1ConfigMap> ConfigMapAsync(string name, string value = "", string? label = null) =>
        Client.CoreV1.CreateNamespacedConfigMapAsync(
            new V1ConfigMap
            {
                Metadata = new() { Name = name, Labels = new Dictionary<string, string> { ["of"] = label ?? "test" } },
                Data = new Dictionary<string, string> { ["value"] = value },
            },
            Name,
            cancellationToken: Token);

    /// <summary>Starts a pod with one container that runs a script.</summary>
    public Task<V1Pod> PodAsync(string name, string script, string? finalizer = null) =>
        Cluster.Retries.RunAsync(
            token => Client.CoreV1.CreateNamespacedPodAsync(
                new V1Pod
                {
                    Metadata = new() { Name = name, Labels = new Dictionary<string, string> { ["of"] = "test" }, Finalizers = finalizer is null ? null : [finalizer] },
                    Spec = new()
                    {
                        RestartPolicy = "Never",
                        AutomountServiceAccountToken = false,
                        EnableServiceLinks = false,
                        TerminationGracePeriodSeconds = 0,
                        Containers = [new V1Container { Name = "main", Image = Needs.Image, Command = ["/bin/sh", "-c", script] }],
                    },
                },
                Name,
                cancellationToken: token),
            Token);

    public async ValueTask DisposeAsync()
    {
        using (Cluster)
        {
            await Cluster.Retries.RunAsync(token => Client.CoreV1.DeleteNamespaceAsync(Name, cancellationToken: token), CancellationToken.None);
        }
        _limit.Dispose();
    }
}
