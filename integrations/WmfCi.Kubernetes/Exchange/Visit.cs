using System.Security.Cryptography;
using System.Text;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Exchange;

/// <summary>Which of the two trusted containers asks.</summary>
internal enum Visitor
{
    /// <summary>Lays out the workspace.</summary>
    Fetch,

    /// <summary>Stores what was left.</summary>
    Collect,
}

/// <summary>Why a request is refused.</summary>
internal enum Refusal
{
    /// <summary>The token is none of this attempt's, or was used up, or there is no such attempt: nobody is told which.</summary>
    Unknown,

    /// <summary>Another pod has the attempt.</summary>
    Taken,

    /// <summary>What is asked for, or handed in, is not part of the attempt.</summary>
    NotYours,

    /// <summary>The attempt needs it, and the store does not have it.</summary>
    Missing,
}

/// <summary>A request is refused.</summary>
internal sealed class RefusedException(Refusal refusal) : Exception
{
    public Refusal Refusal { get; } = refusal;
}

/// <summary>Who asks about what: nothing of it is believed until a Job says so.</summary>
/// <param name="Name">The Job's name.</param>
/// <param name="Token">The one-time token.</param>
/// <param name="Pod">The pod's UID.</param>
internal sealed record Visit(string Name, string Token, string Pod)
{
    /// <summary>Whether the attempt is this pod's.</summary>
    public bool Owns(V1Job job) => job.GetAnnotation(Marks.Pod) == Pod;

    /// <summary>Whether its token is that of one of the two containers.</summary>
    public bool Is(Visitor visitor, V1Job job)
    {
        var hash = job.GetAnnotation(visitor == Visitor.Fetch ? Marks.FetchToken : Marks.CollectToken);
        return hash is not null && CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(hash), Encoding.ASCII.GetBytes(Marks.HashOf(Token)));
    }

    /// <summary>Lets it in, as one of the two containers.</summary>
    /// <exception cref="RefusedException">It is not to be let in.</exception>
    public void Check(Visitor visitor, V1Job job)
    {
        if (!Is(visitor, job)) throw new RefusedException(Refusal.Unknown);
        if (job.GetAnnotation(Marks.Pod) is not null && !Owns(job)) throw new RefusedException(Refusal.Taken);
        if (!IsOpen(visitor, job)) throw new RefusedException(Refusal.Unknown);
    }

    /// <summary>The same, for what only the pod that has the attempt may do.</summary>
    /// <exception cref="RefusedException">It is not to be let in.</exception>
    public void CheckOwner(Visitor visitor, V1Job job)
    {
        Check(visitor, job);
        if (!Owns(job)) throw new RefusedException(Refusal.Taken);
    }

    /// <summary>Whether that container's work is still to be done.</summary>
    public static bool IsOpen(Visitor visitor, V1Job job) =>
        job.GetAnnotation(visitor == Visitor.Fetch ? Marks.Fetched : Marks.Manifest) is null && job.GetAnnotation(Marks.Ended) is null && job.DeletionTimestamp() is null;
}
