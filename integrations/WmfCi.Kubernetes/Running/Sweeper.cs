using k8s;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Running;

/// <summary>
/// Removes what nobody needs any more: Jobs of attempts whose end is recorded or that nobody knows, and Secrets, service pods and policies without a Job. What is wanted is asked after the cluster
/// was looked at, so that what was begun in between is not taken for a leftover.
/// </summary>
internal sealed class Sweeper(RunnerParts parts)
{
    /// <summary>Sweeps once.</summary>
    /// <param name="wanted">The names of the attempts that are wanted.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>How many attempts were removed.</returns>
    public async Task<int> SweepAsync(Func<CancellationToken, Task<IReadOnlySet<string>>> wanted, CancellationToken cancellationToken)
    {
        var (client, space, selector) = (parts.Cluster.Client, parts.Cluster.Namespace, Marks.SelectorOf(parts.Options.Site));
        var old = parts.Time.GetUtcNow() - parts.Options.Sweeping.Grace;
        var jobs = parts.Jobs.Items.Where(job => job.CreationTimestamp() < old.UtcDateTime && job.DeletionTimestamp() is null).Select(job => job.Name()).ToHashSet(StringComparer.Ordinal);
        var secrets = await parts.Cluster.ListAsync<V1Secret>(selector, cancellationToken);
        var policies = await parts.Cluster.ListAsync<V1NetworkPolicy>($"{selector},{Marks.Attempt}", cancellationToken);
        var pods = parts.Pods.Items.Where(pod => pod.CreationTimestamp() < old.UtcDateTime && pod.GetLabel(Marks.Role) == Marks.ServiceRole).ToList();
        var needed = await wanted(cancellationToken);
        bool IsLeft(IKubernetesObject<V1ObjectMeta> item) => item.CreationTimestamp() < old.UtcDateTime && item.GetLabel(Marks.Attempt) is { } name && !needed.Contains(name);

        var removed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in jobs.Where(name => !needed.Contains(name)))
            if (await parts.Records.DeleteAsync(name, cancellationToken)) removed.Add(name);
        foreach (var secret in secrets.Where(IsLeft))
            if (await GoneAsync(token => client.CoreV1.DeleteNamespacedSecretAsync(secret.Name(), space, cancellationToken: token), cancellationToken)) removed.Add(secret.GetLabel(Marks.Attempt));
        foreach (var pod in pods.Where(IsLeft))
            if (await GoneAsync(token => client.CoreV1.DeleteNamespacedPodAsync(pod.Name(), space, cancellationToken: token), cancellationToken)) removed.Add(pod.GetLabel(Marks.Attempt));
        foreach (var policy in policies.Where(IsLeft))
            if (await GoneAsync(token => client.NetworkingV1.DeleteNamespacedNetworkPolicyAsync(policy.Name(), space, cancellationToken: token), cancellationToken)) removed.Add(policy.GetLabel(Marks.Attempt));
        return removed.Count;
    }

    private async Task<bool> GoneAsync<T>(Func<CancellationToken, Task<T>> delete, CancellationToken cancellationToken)
        where T : class =>
        await parts.Cluster.Retries.RunAsync(delete, cancellationToken).IfThereAsync() is not null;
}
