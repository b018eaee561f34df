using k8s;
using k8s.Autorest;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Kubernetes.Admission;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>Whether there is room for stages of each class of workers, and nothing in their way.</summary>
internal sealed class RoomChecks(Cluster cluster, KubernetesRunnerOptions options, string image)
{
    private const int MaxNodes = 500, MaxJobs = 500;
    private static readonly TimeSpan SweptWithin = TimeSpan.FromMinutes(10);

    /// <summary>Whether quotas bound the namespace, and let a stage of each class in.</summary>
    public async Task<IReadOnlyList<Check>> QuotasAsync(CancellationToken cancellationToken)
    {
        const string name = "quota";
        var quotas = await cluster.Retries.RunAsync(token => cluster.Client.CoreV1.ListNamespacedResourceQuotaAsync(cluster.Namespace, cancellationToken: token), cancellationToken);
        if (quotas.Items.Count == 0)
            return [Check.Warned(name, $"{cluster.Namespace} has no ResourceQuota: stages may take the whole cluster.", "Create one with `pods`, `requests.cpu`, `requests.memory` and `requests.ephemeral-storage`, large enough for the stages that may run at once.")];
        var lines = KubernetesJobRunner.QuotaLines(quotas.Items).ToList();
        return [.. options.Workers.Values.OrderBy(worker => worker.Name, StringComparer.Ordinal).Select(worker => Quota($"{name} for {worker.Name}", lines, Plan(worker).Demand))];
    }

    /// <summary>Whether quotas let a stage in. Pure.</summary>
    internal static Check Quota(string name, IReadOnlyList<QuotaLine> lines, Demand demand)
    {
        if (Quotas.Decide(lines, Demand.None, demand) is not { Reason: { } reason } answer)
            return Check.Passed(name, $"a stage fits into {string.Join(", ", lines.Select(line => line.Quota).Distinct(StringComparer.Ordinal))}");
        return answer.IsForEver
            ? Check.Failed(name, reason, "Raise the quota, or make the worker class smaller.")
            : Check.Warned(name, reason, "Nothing, if stages run now; else remove what takes the room.");
    }

    /// <summary>Whether containers that say nothing have limits.</summary>
    public async Task<IReadOnlyList<Check>> LimitsAsync(CancellationToken cancellationToken)
    {
        const string name = "limits";
        try
        {
            var ranges = await cluster.Retries.RunAsync(token => cluster.Client.CoreV1.ListNamespacedLimitRangeAsync(cluster.Namespace, cancellationToken: token), cancellationToken);
            return ranges.Items.Count > 0 ? [Check.Passed(name, $"LimitRange {string.Join(", ", ranges.Items.Select(range => range.Name()))}")]
                : [Check.Warned(name, $"{cluster.Namespace} has no LimitRange.", "Create one with a default CPU limit: worker classes without `cpu-limit` get it, and whatever else comes into this namespace is bounded.")];
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.Forbidden)
        {
            return [Check.Skipped(name, "The account may not list LimitRanges; what they refuse is seen below.")];
        }
    }

    /// <summary>Whether the server would take the Job and the pod of a stage of each class, all its admission included.</summary>
    public async Task<IReadOnlyList<Check>> WorkersAsync(CancellationToken cancellationToken)
    {
        var nodes = await NodesAsync(cancellationToken);
        var checks = new List<Check>();
        foreach (var worker in options.Workers.Values.OrderBy(worker => worker.Name, StringComparer.Ordinal))
        {
            checks.Add(await AdmittedAsync(worker, cancellationToken));
            if (nodes is not null) checks.Add(Node($"nodes for {worker.Name}", worker, Plan(worker).Demand, nodes));
        }
        if (nodes is null) checks.Add(Check.Skipped("nodes", "The account may not list nodes, which it does not need."));
        return checks;
    }

    /// <summary>Whether a node fits a class: labels, taints and size. Pure.</summary>
    internal static Check Node(string name, WorkerClass worker, Demand demand, IReadOnlyList<V1Node> nodes)
    {
        var labels = worker.NodeSelector.Append(new("kubernetes.io/arch", worker.Architecture ?? "")).Where(label => label.Key != "kubernetes.io/arch" || label.Value.Length > 0).ToList();
        var labelled = nodes.Where(node => labels.TrueForAll(label => node.GetLabel(label.Key) == label.Value)).ToList();
        if (labelled.Count == 0)
            return Check.Failed(name, $"None of {nodes.Count} nodes has the labels {string.Join(", ", labels.Select(label => $"{label.Key}={label.Value}"))}.", "Label a node so, or mend `node-selector` and `architecture` of the class.");
        var borne = labelled.Where(node => node.Spec?.Unschedulable != true && (node.Spec?.Taints ?? []).All(taint => taint.Effect == "PreferNoSchedule" || worker.Tolerations.Any(toleration => Bears(toleration, taint)))).ToList();
        if (borne.Count == 0) return Check.Failed(name, $"{labelled.Count} nodes have the labels, and all of them have taints that the class does not bear, or take no pods now.", "Add `tolerations` to the class, or run `kubectl uncordon NODE`.");
        var fits = borne.Count(node => Has(node, "cpu", demand.CpuMillis / 1000m) && Has(node, "memory", demand.MemoryBytes) && Has(node, "ephemeral-storage", demand.DiskBytes));
        return fits > 0 ? Check.Passed(name, $"{fits} of {nodes.Count}")
            : Check.Failed(name, $"{borne.Count} nodes would do, and none is large enough for {demand.CpuMillis} thousandths of a core, {Workspaces.Amounts.Size(demand.MemoryBytes)} of memory and {Workspaces.Amounts.Size(demand.DiskBytes)} of disk.", "Make the class smaller, or add a larger node.");
    }

    /// <summary>Jobs that should be gone.</summary>
    public async Task<IReadOnlyList<Check>> LeftoversAsync(CancellationToken cancellationToken)
    {
        const string name = "leftovers";
        var jobs = await cluster.Retries.RunAsync(token => cluster.Client.BatchV1.ListNamespacedJobAsync(cluster.Namespace, labelSelector: $"{Marks.ManagedBy}={Marks.Us}", limit: MaxJobs, cancellationToken: token), cancellationToken);
        var old = cluster.Time.GetUtcNow().UtcDateTime - SweptWithin;
        var left = jobs.Items.Where(job => job.GetLabel(Marks.Site) == options.Site && Ended(job) < old).ToList();
        var tests = jobs.Items.Where(job => job.GetLabel(Marks.Site)?.StartsWith(ProbeRun.SitePrefix, StringComparison.Ordinal) == true && job.CreationTimestamp() < old).Select(job => job.GetLabel(Marks.Site)).ToHashSet(StringComparer.Ordinal);
        foreach (var site in tests) await Cleaner.RemoveAsync(cluster, site, cancellationToken);
        if (left.Count > 0)
            return [Check.Warned(name, $"{left.Count} Jobs of stages ended more than {Workspaces.Amounts.Duration(SweptWithin)} ago and are still there, {left[0].Name()} among them.", "Start the service, or look into its log: it removes them within a minute.")];
        return [Check.Passed(name, tests.Count == 0 ? "none" : $"{tests.Count} self-tests that were cut off had left something, which is removed now")];
    }

    private static DateTime? Ended(V1Job job) => job.Status?.CompletionTime ?? job.Status?.Conditions?.FirstOrDefault(condition => condition is { Type: "Failed", Status: "True" })?.LastTransitionTime;

    private static bool Bears(Toleration toleration, V1Taint taint) =>
        (toleration.Key is not { Length: > 0 } key || key == taint.Key)
        && (toleration.Effect is not { Length: > 0 } effect || effect == taint.Effect)
        && (toleration.Operator == "Exists" || (toleration.Value ?? "") == (taint.Value ?? ""));

    private static bool Has(V1Node node, string resource, decimal wanted) => node.Status?.Allocatable is not { } sizes || !sizes.TryGetValue(resource, out var size) || size.ToDecimal() >= wanted;

    private JobPlan Plan(WorkerClass worker) => new(options, ProbeRun.Spec(1, new Stage { Name = "selftest", Image = image, Timeout = TimeSpan.FromMinutes(1), Steps = [new Step("try", "true")] }, new string('0', 64)), worker);

    private async Task<Check> AdmittedAsync(WorkerClass worker, CancellationToken cancellationToken)
    {
        var name = $"worker {worker.Name}";
        var job = Plan(worker).Job(new string('0', 64), ("", ""), new ExchangeAddress(new Uri("http://192.0.2.1/")), []);
        job.Metadata.Name = job.Spec.Template.Metadata.Name = $"{ProbeRun.SitePrefix}try-{Guid.NewGuid():N}"[..24];
        // A Job is taken whatever its pods need; what classes, quotas and pod security say is said to pods.
        var pod = new V1Pod { Metadata = job.Spec.Template.Metadata, Spec = job.Spec.Template.Spec };
        try
        {
            await cluster.TryCreateAsync(job, cancellationToken);
            pod.Metadata.NamespaceProperty = cluster.Namespace;
            await cluster.TryCreateAsync(pod, cancellationToken);
            return Check.Passed(name, "its Job and its pod would be taken");
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            var fault = ClusterFault.Of(error);
            return fault.Kind == FaultKind.QuotaExceeded ? Check.Warned(name, fault.Message, "Nothing, if stages run now and fill the quota.")
                : Check.Failed(name, fault.Message, $"Mend what it names: `runtime-class`, `priority-class`, sizes or `tolerations` of the worker class {worker.Name}, or the rule of the cluster that is against it.");
        }
    }

    private async Task<IReadOnlyList<V1Node>?> NodesAsync(CancellationToken cancellationToken)
    {
        try
        {
            return [.. (await cluster.Retries.RunAsync(token => cluster.Client.CoreV1.ListNodeAsync(limit: MaxNodes, cancellationToken: token), cancellationToken)).Items];
        }
        catch (HttpOperationException error) when (ClusterFault.Of(error).Kind == FaultKind.Forbidden)
        {
            return null;
        }
    }
}
