using System.Net;
using k8s;
using k8s.Models;
using WmfCi.Config.Sites;
using WmfCi.Fakes;

namespace WmfCi.Scenarios.World;

/// <summary>A namespace in a real cluster where stages run, gone after the conversation.</summary>
public sealed class ClusterGround : IAsyncDisposable
{
    public const string Missing = "no cluster for tests: WMFCI_TEST_KUBECONFIG, WMFCI_TEST_POD_IMAGE, WMFCI_TEST_IMAGE and WMFCI_TEST_HOST_IP name none";

    private readonly k8s.Kubernetes _client = new(KubernetesClientConfiguration.BuildConfigFromConfigFile(Variable("WMFCI_TEST_KUBECONFIG")));
    private readonly string _namespace = $"scenario-{Guid.NewGuid():N}"[..24];

    private ClusterGround()
    {
    }

    public static bool IsThere => Variable("WMFCI_TEST_KUBECONFIG").Length > 0 && Variable("WMFCI_TEST_POD_IMAGE").Length > 0;

    /// <summary>An image with a shell that the cluster can have.</summary>
    public static string Image => Variable("WMFCI_TEST_IMAGE");

    public static async Task<ClusterGround> FindAsync(CancellationToken cancellationToken)
    {
        var ground = new ClusterGround();
        var labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["pod-security.kubernetes.io/enforce"] = "restricted" };
        await ground._client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = ground._namespace, Labels = labels } }, cancellationToken: cancellationToken);
        return ground;
    }

    /// <summary>Lets a site's stages run here.</summary>
    public Site Settle(Site site)
    {
        var host = Variable("WMFCI_TEST_HOST_IP");
        var exchange = new Uri($"http://{host}:{FreePorts.Take(IPAddress.Parse(host))}/");
        return site with
        {
            Runner = site.Runner with
            {
                Kind = SiteLimits.KubernetesRunner,
                Kubernetes = new KubernetesSettings
                {
                    Kubeconfig = Variable("WMFCI_TEST_KUBECONFIG"),
                    Namespace = _namespace,
                    Image = Variable("WMFCI_TEST_POD_IMAGE"),
                    Exchange = new ExchangeSettings { Listen = exchange, Url = exchange },
                    Workers = [new WorkerClass { Name = "default", MilliCpu = 50, Memory = 256L << 20, Disk = 256L << 20, Processes = 200 }],
                    Worker = "default",
                },
            },
        };
    }

    /// <summary>How a configuration file says what <see cref="Settle"/> set.</summary>
    public static string Describe(Site site)
    {
        var (cluster, worker) = (site.Runner.Kubernetes!, site.Runner.Kubernetes!.Workers[0]);
        return $$"""
            runner:
              kind: kubernetes
              kubernetes:
                kubeconfig: {{cluster.Kubeconfig}}
                namespace: {{cluster.Namespace}}
                image: {{cluster.Image}}
                exchange: {listen: "{{cluster.Exchange.Listen}}", url: "{{cluster.Exchange.Url}}"}
                workers:
                  {{worker.Name}}: {cpu: {{worker.MilliCpu}}m, memory: {{worker.Memory >> 20}}MiB, disk: {{worker.Disk >> 20}}MiB, processes: {{worker.Processes}}}
            """;
    }

    public async ValueTask DisposeAsync()
    {
        await _client.CoreV1.DeleteNamespaceAsync(_namespace, cancellationToken: CancellationToken.None);
        _client.Dispose();
    }

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) ?? "";
}
