using k8s;
using k8s.Autorest;
using k8s.Models;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>Reads, marks and ends Jobs. A mark is set only on the very state that it was decided on, so that of two who want the same only one gets it.</summary>
internal sealed class JobRecords(IKubernetes client, string space, Retries retries)
{
    private const int EndAttempts = 10;

    /// <summary>A Job as it is now; null where there is none.</summary>
    public Task<V1Job?> FindAsync(string name, CancellationToken cancellationToken) => client.BatchV1.ReadNamespacedJobAsync(name, space, cancellationToken: cancellationToken).IfThereAsync();

    /// <summary>Sets an annotation.</summary>
    /// <returns>The Job as it is then; null where it changed meanwhile, or is gone: read it again.</returns>
    public async Task<V1Job?> MarkAsync(V1Job job, string mark, string value, CancellationToken cancellationToken)
    {
        var patch = new { metadata = new { resourceVersion = job.ResourceVersion(), uid = job.Uid(), annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [mark] = value } } };
        try
        {
            return await client.BatchV1.PatchNamespacedJobAsync(new V1Patch(patch, V1Patch.PatchType.MergePatch), job.Name(), space, cancellationToken: cancellationToken).IfThereAsync();
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.Conflict)
        {
            return null;
        }
    }

    /// <summary>Marks a Job as ended for a reason, and removes it after its pods.</summary>
    /// <returns>False when there was none.</returns>
    public async Task<bool> EndAsync(string name, Reading.Over over, CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < EndAttempts; attempt++)
        {
            if (await retries.RunAsync(token => FindAsync(name, token), cancellationToken) is not { } job) return false;
            if (job.GetAnnotation(Marks.Ended) is not null || await retries.RunAsync(token => MarkAsync(job, Marks.Ended, Endings.Write(over), token), cancellationToken) is not null) break;
        }
        return await DeleteAsync(name, "Foreground", cancellationToken);
    }

    /// <summary>Removes a Job at once, and all that belongs to it after.</summary>
    /// <returns>False when there was none.</returns>
    public Task<bool> DeleteAsync(string name, CancellationToken cancellationToken) => DeleteAsync(name, "Background", cancellationToken);

    private async Task<bool> DeleteAsync(string name, string propagation, CancellationToken cancellationToken) =>
        await retries.RunAsync(token => client.BatchV1.DeleteNamespacedJobAsync(name, space, propagationPolicy: propagation, cancellationToken: token), cancellationToken).IfThereAsync() is not null;
}
