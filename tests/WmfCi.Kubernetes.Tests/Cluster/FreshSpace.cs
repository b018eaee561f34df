using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes.Tests;

/// <summary>What a real cluster makes in a new namespace by and by, for tests that are quicker.</summary>
internal static class FreshSpace
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>Waits until there is the account that pods have; before, none is taken. A server waits for it itself, but for a second only.</summary>
    public static async Task AccountIsThereAsync(this IKubernetes client, string space, CancellationToken cancellationToken)
    {
        while ((await client.CoreV1.ListNamespacedServiceAccountAsync(space, fieldSelector: "metadata.name=default", cancellationToken: cancellationToken)).Items.Count == 0)
            await Task.Delay(LookEvery, cancellationToken);
    }

    /// <summary>Makes a quota, and waits until the cluster counts by it; before, no pod is taken.</summary>
    public static async Task QuotaAsync(this IKubernetes client, string space, string name, Dictionary<string, ResourceQuantity> hard, CancellationToken cancellationToken)
    {
        var quota = new V1ResourceQuota { Metadata = new() { Name = name }, Spec = new() { Hard = hard } };
        await client.CoreV1.CreateNamespacedResourceQuotaAsync(quota, space, cancellationToken: cancellationToken);
        while ((await client.CoreV1.ReadNamespacedResourceQuotaAsync(name, space, cancellationToken: cancellationToken)).Status?.Used?.Count != hard.Count)
            await Task.Delay(LookEvery, cancellationToken);
    }

    /// <summary>Waits until an account may do what it was allowed to: servers learn of it by and by.</summary>
    public static async Task IsAllowedAsync(this IKubernetes client, string space, string account, V1ResourceAttributes what, CancellationToken cancellationToken)
    {
        what.NamespaceProperty = space;
        var review = new V1LocalSubjectAccessReview
        {
            Metadata = new() { NamespaceProperty = space },
            Spec = new() { User = $"system:serviceaccount:{space}:{account}", Groups = ["system:serviceaccounts", $"system:serviceaccounts:{space}", "system:authenticated"], ResourceAttributes = what },
        };
        while (!(await client.AuthorizationV1.CreateNamespacedLocalSubjectAccessReviewAsync(review, space, cancellationToken: cancellationToken)).Status.Allowed)
            await Task.Delay(LookEvery, cancellationToken);
    }
}
