using System.Text.Json;
using k8s;
using k8s.Models;
using WmfCi.Kubernetes.SelfTest;
using WmfCi.Kubernetes.Tests.Runner;
using WmfCi.ObjectStore;
using K8sCluster = WmfCi.Kubernetes.Cluster;

namespace WmfCi.Kubernetes.Tests.SelfTest;

/// <summary>A namespace for one self-test, and an account in it with rights that the test chooses.</summary>
internal sealed class SelfTestSite : IAsyncDisposable
{
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(10);
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-test-").FullName;
    private readonly CancellationTokenSource _limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
    private readonly Site _site;
    private readonly K8sCluster _admin;

    private SelfTestSite(Site site)
    {
        _limit.CancelAfter(Bound);
        _site = site;
        _admin = K8sCluster.Open(new ClusterOptions { Kubeconfig = site.Kubeconfig, Namespace = $"test-{Guid.NewGuid():N}"[..24] }, TimeProvider.System);
    }

    public CancellationToken Token => _limit.Token;

    public string Namespace => _admin.Namespace;

    public k8s.Kubernetes Client => _admin.Client;

    public string Host => _site.Host;

    /// <summary>What was told while it ran.</summary>
    public List<Check> Told { get; } = [];

    public static async Task<SelfTestSite> OpenAsync(Site site, string? podSecurity = "restricted")
    {
        var here = new SelfTestSite(site);
        var labels = podSecurity is null ? null : new Dictionary<string, string>(StringComparer.Ordinal) { ["pod-security.kubernetes.io/enforce"] = podSecurity };
        await here.Client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = here.Namespace, Labels = labels } }, cancellationToken: here.Token);
        await here.Client.AccountIsThereAsync(here.Namespace, here.Token);
        return here;
    }

    /// <summary>What the self-test is given; the administrator's kubeconfig where no other is named.</summary>
    public SelfTestOptions Options(string? kubeconfig = null) => new()
    {
        Cluster = new ClusterOptions { Kubeconfig = kubeconfig ?? _site.Kubeconfig, Namespace = Namespace },
        StageImage = _site.Image,
        Runner = Some.Options with
        {
            Namespace = Namespace,
            Image = _site.PodImage,
            Exchange = new ExchangeOptions(new Uri($"http://{_site.Host}:0/"), null),
        },
    };

    /// <summary>Runs it to its end.</summary>
    public async Task<IReadOnlyList<Check>> RunAsync(SelfTestOptions options, CancellationToken? cancellationToken = null) =>
        await new ClusterSelfTest(options, new FolderStore(Path.Combine(_folder, "store")), TimeProvider.System).RunAsync(Told.Add, cancellationToken ?? Token);

    /// <summary>The kubeconfig of a new account with rights of the namespace.</summary>
    /// <param name="rights">The rights.</param>
    public async Task<string> AccountAsync(IEnumerable<Right> rights)
    {
        const string name = "runner";
        await Client.CoreV1.CreateNamespacedServiceAccountAsync(new V1ServiceAccount { Metadata = new() { Name = name } }, Namespace, cancellationToken: Token);
        var rules = rights.Select(right => new V1PolicyRule { ApiGroups = [right.Group], Resources = [right.Resource], Verbs = [.. right.Verbs] }).ToList();
        await Client.RbacAuthorizationV1.CreateNamespacedRoleAsync(new V1Role { Metadata = new() { Name = name }, Rules = rules }, Namespace, cancellationToken: Token);
        var binding = new V1RoleBinding
        {
            Metadata = new() { Name = name },
            RoleRef = new() { ApiGroup = "rbac.authorization.k8s.io", Kind = "Role", Name = name },
            Subjects = [new Rbacv1Subject { Kind = "ServiceAccount", Name = name, NamespaceProperty = Namespace }],
        };
        await Client.RbacAuthorizationV1.CreateNamespacedRoleBindingAsync(binding, Namespace, cancellationToken: Token);
        // The Role is in force as a whole.
        var given = rules[0];
        await Client.IsAllowedAsync(Namespace, name, new V1ResourceAttributes { Group = given.ApiGroups[0], Resource = given.Resources[0], Verb = given.Verbs[0] }, Token);
        var token = await Client.CoreV1.CreateNamespacedServiceAccountTokenAsync(new Authenticationv1TokenRequest { Spec = new() { Audiences = [], ExpirationSeconds = 600 } }, name, Namespace, cancellationToken: Token);
        return await KubeconfigAsync(token.Status.Token);
    }

    /// <summary>A kubeconfig like the administrator's, with a token instead.</summary>
    public async Task<string> KubeconfigAsync(string token)
    {
        var known = await KubernetesClientConfiguration.LoadKubeConfigAsync(new FileInfo(_site.Kubeconfig));
        var cluster = known.Clusters.First().ClusterEndpoint;
        var path = Path.Combine(_folder, $"{Guid.NewGuid():N}.kubeconfig");
        // A kubeconfig is YAML, and so is JSON.
        await File.WriteAllTextAsync(path, JsonSerializer.Serialize(new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["apiVersion"] = "v1",
            ["kind"] = "Config",
            ["current-context"] = "c",
            ["clusters"] = new[] { new { name = "c", cluster = new Dictionary<string, string?>(StringComparer.Ordinal) { ["server"] = cluster.Server, ["certificate-authority"] = cluster.CertificateAuthority } } },
            ["users"] = new[] { new { name = "u", user = new { token } } },
            ["contexts"] = new[] { new { name = "c", context = new { cluster = "c", user = "u" } } },
        }), Token);
        return path;
    }

    /// <summary>Waits until the self-test has a pod.</summary>
    public async Task FirstPodAsync()
    {
        await using var pods = new Reflector<V1Pod>(_admin, new ReflectorOptions());
        await foreach (var _ in pods.ChangesAsync(null, Token)) return;
    }

    /// <summary>Everything of the self-test that is in the namespace.</summary>
    public async Task<IReadOnlyList<string>> LeftAsync()
    {
        const string ours = "app.kubernetes.io/managed-by=wmfci";
        return
        [
            .. (await Client.BatchV1.ListNamespacedJobAsync(Namespace, labelSelector: ours, cancellationToken: Token)).Items.Select(item => item.Name()),
            .. (await Client.CoreV1.ListNamespacedPodAsync(Namespace, labelSelector: ours, cancellationToken: Token)).Items.Select(item => item.Name()),
            .. (await Client.CoreV1.ListNamespacedSecretAsync(Namespace, labelSelector: ours, cancellationToken: Token)).Items.Select(item => item.Name()),
            .. (await Client.NetworkingV1.ListNamespacedNetworkPolicyAsync(Namespace, labelSelector: ours, cancellationToken: Token)).Items.Select(item => item.Name()),
        ];
    }

    public async ValueTask DisposeAsync()
    {
        await Client.CoreV1.DeleteNamespaceAsync(Namespace, cancellationToken: CancellationToken.None);
        _admin.Dispose();
        _limit.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
