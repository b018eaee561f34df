using k8s.Autorest;

namespace WmfCi.Kubernetes;

/// <summary>Answers of a cluster that are none of its failures: who reads or removes what may be gone, and makes what may be there, wants to know which, and not why.</summary>
internal static class Answers
{
    /// <summary>The answer; null where there is no such object.</summary>
    public static async Task<T?> IfThereAsync<T>(this Task<T> answer)
        where T : class
    {
        try
        {
            return await answer;
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.NotFound)
        {
            return null;
        }
    }

    /// <summary>The new object; null where there is one of that name already, made by whoever, or by an earlier try whose answer was lost.</summary>
    public static async Task<T?> IfNewAsync<T>(this Task<T> answer)
        where T : class
    {
        try
        {
            return await answer;
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.AlreadyExists)
        {
            return null;
        }
    }
}
