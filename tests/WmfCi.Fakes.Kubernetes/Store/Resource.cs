namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>A kind of object that the stand-in has.</summary>
internal sealed record Resource(string Group, string Plural, string Kind, bool IsNamespaced = true)
{
    public static readonly Resource Namespaces = new("", "namespaces", "Namespace", IsNamespaced: false);
    public static readonly Resource Nodes = new("", "nodes", "Node", IsNamespaced: false);
    public static readonly Resource Pods = new("", "pods", "Pod");
    public static readonly Resource Secrets = new("", "secrets", "Secret");
    public static readonly Resource ConfigMaps = new("", "configmaps", "ConfigMap");
    public static readonly Resource Services = new("", "services", "Service");
    public static readonly Resource ServiceAccounts = new("", "serviceaccounts", "ServiceAccount");
    public static readonly Resource Events = new("", "events", "Event");
    public static readonly Resource Quotas = new("", "resourcequotas", "ResourceQuota");
    public static readonly Resource LimitRanges = new("", "limitranges", "LimitRange");
    public static readonly Resource Jobs = new("batch", "jobs", "Job");
    public static readonly Resource NetworkPolicies = new("networking.k8s.io", "networkpolicies", "NetworkPolicy");
    public static readonly Resource Reviews = new("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview", IsNamespaced: false);

    public static readonly Resource[] All =
        [Namespaces, Nodes, Pods, Secrets, ConfigMaps, Services, ServiceAccounts, Events, Quotas, LimitRanges, Jobs, NetworkPolicies, Reviews];

    public string ApiVersion => Group.Length == 0 ? "v1" : $"{Group}/v1";

    /// <summary>As messages name it.</summary>
    public string Qualified => Group.Length == 0 ? Plural : $"{Plural}.{Group}";

    /// <summary>Whether it has a part that only controllers write.</summary>
    public bool HasStatus => this == Pods || this == Jobs || this == Quotas || this == Namespaces || this == Nodes;
}
