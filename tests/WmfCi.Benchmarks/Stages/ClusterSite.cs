using System.Net;
using k8s;
using k8s.Models;
using WmfCi.Fakes;
using WmfCi.Kubernetes;

namespace WmfCi.Benchmarks.Stages;

/// <summary>A namespace of a real cluster for the stages of one benchmark, and the part of a site's configuration that runs them there.</summary>
internal sealed class ClusterSite : IAsyncDisposable
{
    private readonly string _address = Variable("WMFCI_TEST_HOST_IP");

    private ClusterSite() => Cluster = Cluster.Open(new ClusterOptions { Kubeconfig = Variable("WMFCI_TEST_KUBECONFIG"), Namespace = $"benchmark-{Guid.NewGuid():N}"[..24] }, TimeProvider.System);

    public Cluster Cluster { get; }

    /// <summary>An image with a shell and Perl that the cluster can have.</summary>
    public static string Image => Variable("WMFCI_TEST_IMAGE");

    /// <summary>How many stages run at once.</summary>
    public int Slots { get; init; } = 2;

    public static async Task<ClusterSite> OpenAsync(int slots, CancellationToken cancellationToken)
    {
        var site = new ClusterSite { Slots = slots };
        var labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["pod-security.kubernetes.io/enforce"] = "restricted" };
        await site.Cluster.Client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = site.Cluster.Namespace, Labels = labels } }, cancellationToken: cancellationToken);
        return site;
    }

    /// <summary>What the site's configuration says of the runner. Little is promised to each stage, so that a small node takes many.</summary>
    public string Describe()
    {
        var exchange = $"http://{_address}:{FreePorts.Take(IPAddress.Parse(_address))}/";
        return $$"""

            runner:
              kind: kubernetes
              slots: {{Slots}}
              log: 16MiB
              artifacts: 16MiB
              kubernetes:
                kubeconfig: {{Variable("WMFCI_TEST_KUBECONFIG")}}
                namespace: {{Cluster.Namespace}}
                image: {{Variable("WMFCI_TEST_POD_IMAGE")}}
                exchange: {listen: "{{exchange}}", url: "{{exchange}}"}
                workers:
                  default: {cpu: 10m, memory: 64MiB, disk: 64MiB, processes: 100}
            """;
    }

    public async ValueTask DisposeAsync()
    {
        await Cluster.Client.CoreV1.DeleteNamespaceAsync(Cluster.Namespace, cancellationToken: CancellationToken.None);
        Cluster.Dispose();
    }

    private static string Variable(string name) =>
        Environment.GetEnvironmentVariable(name) is { Length: > 0 } value ? value : throw new InvalidOperationException(
            $"{name} is not set. This benchmark wants a cluster: WMFCI_TEST_KUBECONFIG (its kubeconfig), WMFCI_TEST_POD_IMAGE (wmfci-pod), WMFCI_TEST_IMAGE (a shell and Perl), WMFCI_TEST_HOST_IP (this machine, as pods see it).");
}
