using System.Net;
using k8s.Models;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>
/// What pods of stages may reach: the exchange, and nothing else; with <c>network: true</c> also names and addresses of the world, but none that is private. Pure.
/// </summary>
internal static class NetworkRules
{
    // Private, shared, link-local (metadata services), loopback, benchmarks, multicast, reserved: RFC 1918, 6598, 3927, 1122, 2544, 5771, 1112, 6890.
    // Beside them Azure's address for its machines' secrets, which is a public one.
    private static readonly string[] NotTheWorld = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4", "0.0.0.0/8", "192.0.0.0/24", "168.63.129.16/32"];
    private static readonly string[] NotTheWorldSix = ["fc00::/7", "fe80::/10", "::1/128", "ff00::/8", "64:ff9b::/96", "64:ff9b:1::/48"];

    /// <summary>The policies of a site's namespace.</summary>
    /// <param name="options">The site's.</param>
    /// <param name="exchange">Where pods find the exchange; at an address, or by the name of a Service in the cluster; the pods of a Service bear <see cref="ExchangeLabel"/>.</param>
    public static IEnumerable<V1NetworkPolicy> Of(KubernetesRunnerOptions options, Uri exchange)
    {
        yield return Policy(options, "closed", ours: null, egress: []);
        yield return Policy(options, "exchange", [(Marks.Role, Marks.StageRole)], [ToExchange(exchange), .. IPAddress.TryParse(exchange.Host, out _) ? [] : new[] { ToNames() }]);
        yield return Policy(options, "open", [(Marks.Role, Marks.StageRole), (Marks.Network, Marks.Open)], [ToNames(), ToTheWorld(options)]);
    }

    /// <summary>Marks the pods that serve the exchange, in whichever namespace they are.</summary>
    public const string ExchangeLabel = "wmfci.org/exchange";

    private static V1NetworkPolicy Policy(KubernetesRunnerOptions options, string name, (string Key, string Value)[]? ours, V1NetworkPolicyEgressRule[] egress) => new()
    {
        Metadata = new V1ObjectMeta
        {
            Name = $"{options.Site}-{name}",
            NamespaceProperty = options.Namespace,
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [Marks.ManagedBy] = Marks.Us, [Marks.Site] = options.Site },
        },
        Spec = new V1NetworkPolicySpec
        {
            PodSelector = new V1LabelSelector { MatchLabels = Labels([(Marks.ManagedBy, Marks.Us), (Marks.Site, options.Site), .. ours ?? []]) },
            PolicyTypes = ours is null ? ["Ingress", "Egress"] : ["Egress"],
            Egress = egress.Length == 0 ? null : [.. egress],
        },
    };

    private static V1NetworkPolicyEgressRule ToExchange(Uri exchange) => new()
    {
        Ports = [new V1NetworkPolicyPort { Protocol = "TCP", Port = exchange.Port }],
        To =
        [
            // A Service's address too is one, and most networks judge a packet when it already goes to a pod of the Service.
            .. IPAddress.TryParse(exchange.Host, out var address)
                ? new[] { new V1NetworkPolicyPeer { IpBlock = new V1IPBlock { Cidr = $"{address}/{(address.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? 32 : 128)}" } } }
                : [],
            new V1NetworkPolicyPeer { NamespaceSelector = new V1LabelSelector(), PodSelector = new V1LabelSelector { MatchLabels = Labels([(ExchangeLabel, "true")]) } },
        ],
    };

    private static V1NetworkPolicyEgressRule ToNames() => new()
    {
        Ports = [new V1NetworkPolicyPort { Protocol = "UDP", Port = 53 }, new V1NetworkPolicyPort { Protocol = "TCP", Port = 53 }],
        To = [new V1NetworkPolicyPeer { NamespaceSelector = new V1LabelSelector(), PodSelector = new V1LabelSelector { MatchLabels = Labels([("k8s-app", "kube-dns")]) } }],
    };

    private static V1NetworkPolicyEgressRule ToTheWorld(KubernetesRunnerOptions options)
    {
        var blocked = options.Blocked.ToLookup(block => block.Contains(':', StringComparison.Ordinal));
        return new V1NetworkPolicyEgressRule
        {
            To =
            [
                new V1NetworkPolicyPeer { IpBlock = new V1IPBlock { Cidr = "0.0.0.0/0", Except = [.. NotTheWorld, .. blocked[false]] } },
                new V1NetworkPolicyPeer { IpBlock = new V1IPBlock { Cidr = "::/0", Except = [.. NotTheWorldSix, .. blocked[true]] } },
            ],
        };
    }

    private static Dictionary<string, string> Labels(IEnumerable<(string Key, string Value)> labels) => labels.ToDictionary(label => label.Key, label => label.Value, StringComparer.Ordinal);
}
