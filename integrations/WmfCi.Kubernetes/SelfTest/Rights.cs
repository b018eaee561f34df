using System.Text;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>What an account may do with one kind of object.</summary>
/// <param name="Group">The API group; empty for the core.</param>
/// <param name="Resource">The kind, in the plural, with its subresource after a slash.</param>
/// <param name="Verbs">What may be done.</param>
/// <param name="Why">What for.</param>
public sealed record Right(string Group, string Resource, IReadOnlyList<string> Verbs, string Why)
{
    /// <summary>The kind as people write it, for example <c>jobs.batch</c>.</summary>
    public string Name => Group.Length == 0 ? Resource : $"{Resource}.{Group}";
}

/// <summary>The rights that the runner needs: the self-test asks for them, the documentation lists them, and the Role is made of them.</summary>
public static class Rights
{
    /// <summary>In the namespace of stages; without one of these, stages do not run.</summary>
    public static IReadOnlyList<Right> Needed { get; } =
    [
        new("batch", "jobs", ["create", "get", "list", "watch", "patch", "delete"], "each attempt at a stage is a Job, and its record"),
        new("", "pods", ["create", "list", "watch", "patch", "delete"], "stages are followed by their pods; their services are pods"),
        new("", "pods/log", ["get"], "what steps print, while they print it"),
        new("", "secrets", ["create", "get", "list", "patch", "delete"], "the one-time tokens of each attempt"),
        new("", "events", ["list"], "why a pod does not start"),
        new("", "resourcequotas", ["list", "watch"], "what fits is started, and what does not says what it waits for"),
        new("networking.k8s.io", "networkpolicies", ["create", "list", "patch", "delete"], "what stages may reach"),
    ];

    /// <summary>In the namespace of stages; without these the self-test sees less, and stages run all the same.</summary>
    public static IReadOnlyList<Right> Useful { get; } =
    [
        new("", "namespaces", ["get"], "the self-test looks at the namespace's labels"),
        new("", "limitranges", ["list"], "the self-test looks at the limits"),
    ];

    /// <summary>What nothing needs, and whoever takes over the service would like.</summary>
    internal static IReadOnlyList<Excess> Unwanted { get; } =
    [
        new("read Secrets of all namespaces", new("", "secrets", ["list"], ""), null),
        new("read Secrets of kube-system", new("", "secrets", ["get"], ""), "kube-system"),
        new("create pods in kube-system", new("", "pods", ["create"], ""), "kube-system"),
        new("list pods of all namespaces", new("", "pods", ["list"], ""), null),
        new("delete namespaces", new("", "namespaces", ["delete"], ""), null),
        new("grant rights in all namespaces", new("rbac.authorization.k8s.io", "clusterrolebindings", ["create"], ""), null),
        new("grant rights in the namespace of stages", new("rbac.authorization.k8s.io", "rolebindings", ["create"], ""), Excess.Own),
        new("run commands in stages' pods", new("", "pods/exec", ["create"], ""), Excess.Own),
        new("make tokens of other accounts", new("", "serviceaccounts/token", ["create"], ""), Excess.Own),
        new("act as another account", new("", "users", ["impersonate"], ""), null),
    ];

    /// <summary>The Role, and the binding of an account, as <c>kubectl apply -f -</c> takes them.</summary>
    /// <param name="space">The namespace of stages.</param>
    /// <param name="account">The ServiceAccount, and its namespace.</param>
    public static string RoleYaml(string space, (string Namespace, string Name) account)
    {
        var text = new StringBuilder($"""
            apiVersion: rbac.authorization.k8s.io/v1
            kind: Role
            metadata:
              name: wmfci-runner
              namespace: {space}
            rules:

            """);
        foreach (var right in Needed.Concat(Useful))
            text.Append($"""
                # {right.Why}
                - apiGroups: ["{right.Group}"]
                  resources: ["{right.Resource}"]
                  verbs: [{string.Join(", ", right.Verbs.Select(verb => $"\"{verb}\""))}]

                """);
        return text.Append($"""
            ---
            apiVersion: rbac.authorization.k8s.io/v1
            kind: RoleBinding
            metadata:
              name: wmfci-runner
              namespace: {space}
            roleRef:
              apiGroup: rbac.authorization.k8s.io
              kind: Role
              name: wmfci-runner
            subjects:
            - kind: ServiceAccount
              name: {account.Name}
              namespace: {account.Namespace}

            """).ToString();
    }

    /// <summary>The rights as the documentation lists them.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("| kind | verbs | what for |\n| --- | --- | --- |\n");
        foreach (var right in Needed.Concat(Useful)) text.Append($"| `{right.Name}` | {string.Join(", ", right.Verbs)} | {right.Why} |\n");
        return text.ToString();
    }
}

/// <summary>A right too many.</summary>
/// <param name="What">What it lets the account do.</param>
/// <param name="Right">One verb of one kind.</param>
/// <param name="Namespace">Where; null for all namespaces, <see cref="Own"/> for that of stages.</param>
internal sealed record Excess(string What, Right Right, string? Namespace)
{
    /// <summary>Stands for the namespace of stages; no namespace is called so.</summary>
    public const string Own = "";
}
