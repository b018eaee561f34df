using k8s;
using k8s.Autorest;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Removes everything of a site from the namespace, with the rights that the runner has.</summary>
internal static class Cleaner
{
    private const int Page = 500;
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);

    /// <summary>How long pods may take to go.</summary>
    public static readonly TimeSpan PodPatience = TimeSpan.FromSeconds(15);

    /// <summary>Removes it. Whatever is in the way of one object, the others go.</summary>
    /// <returns>What could not be removed.</returns>
    public static async Task<IReadOnlyList<string>> RemoveAsync(Cluster cluster, string site, CancellationToken cancellationToken)
    {
        var (client, space, selector) = (cluster.Client, cluster.Namespace, Marks.SelectorOf(site));
        var left = new List<string>();
        // Jobs first, for they would make pods again; what hangs on them goes with them, and what does not is named here.
        await EachAsync("Job", async token => (await client.BatchV1.ListNamespacedJobAsync(space, labelSelector: selector, limit: Page, cancellationToken: token)).Items,
            (name, token) => client.BatchV1.DeleteNamespacedJobAsync(name, space, propagationPolicy: "Background", cancellationToken: token));
        await EachAsync("pod", async token => (await client.CoreV1.ListNamespacedPodAsync(space, labelSelector: selector, limit: Page, cancellationToken: token)).Items,
            (name, token) => client.CoreV1.DeleteNamespacedPodAsync(name, space, gracePeriodSeconds: 1, cancellationToken: token));
        await EachAsync("Secret", async token => (await client.CoreV1.ListNamespacedSecretAsync(space, labelSelector: selector, limit: Page, cancellationToken: token)).Items,
            (name, token) => client.CoreV1.DeleteNamespacedSecretAsync(name, space, cancellationToken: token));
        // What runs is never without its policies.
        await GoneAsync();
        await EachAsync("NetworkPolicy", async token => (await client.NetworkingV1.ListNamespacedNetworkPolicyAsync(space, labelSelector: selector, limit: Page, cancellationToken: token)).Items,
            (name, token) => client.NetworkingV1.DeleteNamespacedNetworkPolicyAsync(name, space, cancellationToken: token));
        return left;

        async Task GoneAsync()
        {
            for (var begun = cluster.Time.GetUtcNow(); ;)
            {
                try
                {
                    if ((await client.CoreV1.ListNamespacedPodAsync(space, labelSelector: selector, limit: 1, cancellationToken: cancellationToken)).Items is not [var pod, ..]) return;
                    if (cluster.Time.GetUtcNow() - begun > PodPatience)
                    {
                        left.Add($"pod {pod.Name()}: it is still ending");
                        return;
                    }
                }
                catch (Exception error) when (!cancellationToken.IsCancellationRequested)
                {
                    left.Add($"pods: {ClusterFault.Of(error).Message}");
                    return;
                }
                await Task.Delay(LookAgain, cluster.Time, cancellationToken);
            }
        }

        async Task EachAsync<T>(string kind, Func<CancellationToken, Task<IList<T>>> list, Func<string, CancellationToken, Task> delete)
            where T : IKubernetesObject<V1ObjectMeta>
        {
            try
            {
                foreach (var item in await cluster.Retries.RunAsync(list, cancellationToken))
                {
                    try
                    {
                        await cluster.Retries.RunAsync(async token =>
                        {
                            await delete(item.Name(), token);
                            return true;
                        }, cancellationToken);
                    }
                    catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.NotFound)
                    {
                        // Gone already, with what it belonged to.
                    }
                    catch (Exception error)
                    {
                        left.Add($"{kind} {item.Name()}: {ClusterFault.Of(error).Message}");
                    }
                }
            }
            catch (Exception error)
            {
                // The last place where this could be heard; it becomes a line of the report.
                left.Add($"{kind}s: {ClusterFault.Of(error).Message}");
            }
        }
    }
}
