using System.Security.Cryptography;
using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Running;

/// <summary>
/// Brings an attempt into the cluster, or finds it there. First its Secret, which says that the attempt was begun; then the services, because their addresses go into the stage's pod; then
/// the Job. Every step finds what an earlier life of it left, so that dying between any two of them is harmless.
/// </summary>
internal sealed class Launch(RunnerParts parts, AttemptSpec spec, JobPlan plan, LiveAttempt attempt, Telling telling)
{
    private const int TokenBytes = 32;

    /// <summary>Does it.</summary>
    /// <param name="exchange">Where pods find the exchange.</param>
    /// <param name="cancellationToken">Leaves it as it is.</param>
    /// <returns>Null when the Job is there; else why it will never be.</returns>
    public async Task<AttemptReport?> RunAsync(ExchangeAddress exchange, CancellationToken cancellationToken)
    {
        // A Secret that can be made says that nothing of the attempt is there yet: nothing has to be looked for.
        var secret = spec.IsRepeated || attempt.LastJob is not null ? null : await TryCreateSecretAsync(cancellationToken);
        if (secret is null)
        {
            if (await FindAsync(cancellationToken))
            {
                // Taken over between the Job and its pod, which no quota has counted yet.
                if (parts.PodsOf(plan.Name, Marks.StageRole).Count == 0) parts.Gate.Hold(plan.Name, plan.Demand);
                // And maybe before the Secret was tied to it. One that outlives its Job would have the steps run again.
                if (await ReadSecretAsync(cancellationToken) is { } untied) await OwnAsync(untied, attempt.LastJob!, cancellationToken);
                return null;
            }
            secret = await ReadSecretAsync(cancellationToken);
            if (secret is null) return Report(OutcomeKind.InfrastructureFailed, "Nothing of it is in the cluster: whoever began it died before its Job was made, or the Job was removed before anybody saw how it ended.");
        }
        if (JobPlan.TokensOf(secret) is not { } tokens) return Report(OutcomeKind.InfrastructureFailed, "Somebody changed its Secret in the cluster.");
        var entering = parts.Gate.EnterAsync(plan.Name, plan.Demand, telling.WaitingAsync, cancellationToken);
        var isLate = !entering.IsCompleted;
        var never = await entering;
        var isThere = false;
        try
        {
            if (never is not null) return Report(OutcomeKind.Misconfigured, never);
            if (isLate && await ReadSecretAsync(cancellationToken) is null) return Report(OutcomeKind.InfrastructureFailed, "Its Secret was removed from the cluster before it began.");
            var services = new Services(parts, spec, plan.Name, telling);
            var (aliases, fault) = await services.StartAsync(OwnerOf(secret), attempt, cancellationToken);
            if (fault is not null) return fault;
            var order = await parts.Desk.PutOrdersAsync(plan.Orders(), cancellationToken);
            var job = await CreateJobAsync(plan.Job(order, tokens, exchange, aliases), cancellationToken);
            attempt.LastJob = job;
            await OwnAsync(secret, job, cancellationToken);
            await services.OwnAsync(job, cancellationToken);
            isThere = true;
            return null;
        }
        finally
        {
            // Where the Job is there, its pod is made a moment later: who follows it gives the place back then.
            if (!isThere) parts.Gate.Leave(plan.Name);
        }
    }

    private static AttemptReport Report(OutcomeKind kind, string explanation) => new() { Kind = kind, Explanation = explanation };

    private async Task<bool> FindAsync(CancellationToken cancellationToken)
    {
        attempt.LastJob = parts.Jobs.Find(plan.Name) ?? await parts.Cluster.Retries.RunAsync(token => parts.Records.FindAsync(plan.Name, token), cancellationToken);
        return attempt.LastJob is not null;
    }

    private Task<V1Secret?> ReadSecretAsync(CancellationToken cancellationToken) =>
        parts.Cluster.Retries.RunAsync(token => parts.Cluster.Client.CoreV1.ReadNamespacedSecretAsync(plan.Name, parts.Cluster.Namespace, cancellationToken: token), cancellationToken).IfThereAsync();

    private async Task<V1Secret?> TryCreateSecretAsync(CancellationToken cancellationToken)
    {
        var authority = parts.Options.Exchange.AuthorityFile is { } file ? await File.ReadAllTextAsync(file, cancellationToken) : null;
        var wanted = plan.Secret(NewToken(), NewToken(), authority);
        return await parts.Cluster.Retries.RunAsync(token => parts.Cluster.Client.CoreV1.CreateNamespacedSecretAsync(wanted, parts.Cluster.Namespace, cancellationToken: token), cancellationToken).IfNewAsync();
    }

    private static string NewToken() => Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(TokenBytes));

    private async Task<V1Job> CreateJobAsync(V1Job wanted, CancellationToken cancellationToken) =>
        await parts.Cluster.Retries.RunAsync(token => parts.Cluster.Client.BatchV1.CreateNamespacedJobAsync(wanted, parts.Cluster.Namespace, cancellationToken: token), cancellationToken).IfNewAsync()
        ?? await parts.Records.FindAsync(plan.Name, cancellationToken) ?? throw new IOException($"The Job {plan.Name} was there and is gone.");

    private static V1OwnerReference OwnerOf(V1Secret secret) => new() { ApiVersion = "v1", Kind = "Secret", Name = secret.Name(), Uid = secret.Uid() };

    /// <summary>The reference that makes something go when its Job goes.</summary>
    public static V1OwnerReference OwnerOf(V1Job job) => new() { ApiVersion = "batch/v1", Kind = "Job", Name = job.Name(), Uid = job.Uid() };

    private async Task OwnAsync(V1Secret secret, V1Job job, CancellationToken cancellationToken)
    {
        if (secret.Metadata.OwnerReferences?.Any(owner => owner.Uid == job.Uid()) == true) return;
        var patch = new V1Patch(new { metadata = new { ownerReferences = new[] { OwnerOf(job) } } }, V1Patch.PatchType.MergePatch);
        // If somebody removed it: whether the pod came by its tokens before, the pod says.
        await parts.Cluster.Retries.RunAsync(token => parts.Cluster.Client.CoreV1.PatchNamespacedSecretAsync(patch, secret.Name(), parts.Cluster.Namespace, cancellationToken: token), cancellationToken).IfThereAsync();
    }
}
