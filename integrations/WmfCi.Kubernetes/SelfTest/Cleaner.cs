using k8s;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Removes everything of a site from the namespace, with the rights that the runner has.</summary>
internal sealed class Cleaner(Cluster cluster, string site)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);
    private readonly List<string> _left = [];

    /// <summary>How long pods may take to go.</summary>
    public static readonly TimeSpan PodPatience = TimeSpan.FromMinutes(1);

    /// <summary>Removes it. Whatever is in the way of one object, the others go.</summary>
    /// <returns>What could not be removed.</returns>
    public static async Task<IReadOnlyList<string>> RemoveAsync(Cluster cluster, string site, CancellationToken cancellationToken)
    {
        var cleaner = new Cleaner(cluster, site);
        await cleaner.RemoveAsync(cancellationToken);
        return cleaner._left;
    }

    private async Task RemoveAsync(CancellationToken cancellationToken)
    {
        var (client, space) = (cluster.Client, cluster.Namespace);
        // Jobs first, for they would make pods again; what hangs on them goes with them, and what does not is named here.
        await EachAsync<V1Job, V1Status>("Job", (name, token) => client.BatchV1.DeleteNamespacedJobAsync(name, space, propagationPolicy: "Background", cancellationToken: token), cancellationToken);
        await EachAsync<V1Pod, V1Pod>("pod", (name, token) => client.CoreV1.DeleteNamespacedPodAsync(name, space, gracePeriodSeconds: 1, cancellationToken: token), cancellationToken);
        await EachAsync<V1Secret, V1Status>("Secret", (name, token) => client.CoreV1.DeleteNamespacedSecretAsync(name, space, cancellationToken: token), cancellationToken);
        // What runs is never without its policies.
        await PodsAreGoneAsync(cancellationToken);
        await EachAsync<V1NetworkPolicy, V1Status>("NetworkPolicy", (name, token) => client.NetworkingV1.DeleteNamespacedNetworkPolicyAsync(name, space, cancellationToken: token), cancellationToken);
    }

    private Task PodsAreGoneAsync(CancellationToken cancellationToken) => NotedAsync("pods", async () =>
    {
        for (var begun = cluster.Time.GetUtcNow(); await cluster.ListAsync<V1Pod>(Marks.SelectorOf(site), cancellationToken) is [var pod, ..];)
        {
            if (cluster.Time.GetUtcNow() - begun > PodPatience)
            {
                _left.Add($"pod {pod.Name()}: it is still ending");
                return;
            }
            await Task.Delay(LookAgain, cluster.Time, cancellationToken);
        }
    });

    private Task EachAsync<T, TAnswer>(string kind, Func<string, CancellationToken, Task<TAnswer>> delete, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
        where TAnswer : class => NotedAsync($"the list of {kind} objects", async () =>
    {
        foreach (var item in await cluster.ListAsync<T>(Marks.SelectorOf(site), cancellationToken))
            await NotedAsync($"{kind} {item.Name()}", () => cluster.Retries.RunAsync(token => delete(item.Name(), token), cancellationToken).IfThereAsync());
    });

    private async Task NotedAsync(string what, Func<Task> work)
    {
        try
        {
            await work();
        }
        catch (Exception error)
        {
            // The last place where this could be heard; it becomes a line of the report.
            _left.Add($"{what}: {ClusterFault.Of(error).Message}");
        }
    }
}
