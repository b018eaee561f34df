using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>Reads and marks Jobs. A mark is set only on the very state that it was decided on, so that of two who want the same only one gets it.</summary>
internal sealed class JobRecords(IKubernetes client, string space)
{
    /// <summary>A Job as it is now; null where there is none.</summary>
    public async Task<V1Job?> FindAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            return await client.BatchV1.ReadNamespacedJobAsync(name, space, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException error) when (error.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }

    /// <summary>Sets an annotation.</summary>
    /// <returns>The Job as it is then; null where it changed meanwhile, or is gone: read it again.</returns>
    public async Task<V1Job?> MarkAsync(V1Job job, string mark, string value, CancellationToken cancellationToken)
    {
        var patch = new { metadata = new { resourceVersion = job.ResourceVersion(), uid = job.Uid(), annotations = new Dictionary<string, string>(StringComparer.Ordinal) { [mark] = value } } };
        try
        {
            return await client.BatchV1.PatchNamespacedJobAsync(new V1Patch(patch, V1Patch.PatchType.MergePatch), job.Name(), space, cancellationToken: cancellationToken);
        }
        catch (HttpOperationException error) when (error.Response.StatusCode is HttpStatusCode.NotFound or HttpStatusCode.Conflict)
        {
            return null;
        }
    }
}
