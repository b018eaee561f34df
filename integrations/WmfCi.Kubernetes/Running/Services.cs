using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Running;

/// <summary>The services of one attempt: started side by side, waited for, and known by their addresses.</summary>
internal sealed class Services(RunnerParts parts, AttemptSpec spec, string attempt, Telling telling)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(10);

    private List<(Core.Pipelines.StageService Service, ServicePlan Plan)> Plans => [.. spec.Stage.Services.Select(service => (service, new ServicePlan(parts.Options, attempt, service)))];

    /// <summary>Starts them and waits until all are ready.</summary>
    /// <returns>Their names and addresses, or why the stage cannot run.</returns>
    public async Task<(IReadOnlyList<(string Name, string Address)> Aliases, AttemptReport? Fault)> StartAsync(V1OwnerReference owner, LiveAttempt live, CancellationToken cancellationToken)
    {
        if (spec.Stage.Services.IsEmpty) return ([], null);
        await parts.Cluster.ApplyAsync(ServicePlan.Policy(parts.Options, attempt, owner), Marks.Us, cancellationToken);
        // Those that an earlier life of the attempt made are as good.
        foreach (var (_, plan) in Plans) await parts.Cluster.Retries.RunAsync(token => parts.Cluster.Client.CoreV1.CreateNamespacedPodAsync(plan.Pod(spec.Id.ToString(), owner), parts.Cluster.Namespace, cancellationToken: token), cancellationToken).IfNewAsync();
        await telling.WaitingAsync($"Waits for its services: {string.Join(", ", spec.Stage.Services.Select(service => service.Name))}.");
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var warnings = Plans.ToDictionary(plan => plan.Plan.Name, _ => new Warnings(parts), StringComparer.Ordinal);
        for (var begun = parts.Time.GetUtcNow(); ;)
        {
            var readings = new List<(Core.Pipelines.StageService Service, ServiceReading Reading)>();
            foreach (var (service, plan) in Plans)
            {
                var reading = await ReadAsync(plan, (begun, seen, warnings[plan.Name]), cancellationToken);
                if (reading.Fault is { } fault)
                {
                    await TellLogsAsync(cancellationToken);
                    return ([], new AttemptReport { Kind = reading.IsOurs ? OutcomeKind.InfrastructureFailed : OutcomeKind.Misconfigured, Explanation = fault });
                }
                readings.Add((service, reading));
            }
            if (readings.TrueForAll(one => one.Reading.Address is not null)) return ([.. readings.Select(one => (one.Service.Name, one.Reading.Address!))], null);
            var waited = parts.Time.GetUtcNow() - begun;
            if (waited >= PodRules.TellAfter)
                await telling.WaitingAsync($"Waits for its services: {string.Join("; ", readings.Select(one => one.Reading.Waits).OfType<string>())}.");
            var next = waited < PodRules.TellAfter ? PodRules.TellAfter : parts.Options.Services.ReadyWithin;
            await live.WaitAsync(next > waited && next - waited < LookAgain ? next - waited : LookAgain, cancellationToken);
        }
    }

    /// <summary>What became of services that ended before the stage did.</summary>
    public IEnumerable<string> EarlyEnds() => Plans.Select(plan => plan.Plan.EarlyEnd(parts.Pods.Find(plan.Plan.Name))).OfType<string>();

    private async Task<ServiceReading> ReadAsync(ServicePlan plan, (DateTimeOffset Begun, HashSet<string> Seen, Warnings Warnings) state, CancellationToken cancellationToken)
    {
        var pod = parts.Pods.Find(plan.Name);
        if (pod is not null) state.Seen.Add(plan.Name);
        ServiceView View() => new(pod, state.Seen.Contains(plan.Name), state.Warnings.Latest);
        var reading = plan.Read(View(), state.Begun, parts.Time.GetUtcNow());
        if (reading.Address is not null || pod?.Status?.ContainerStatuses?.FirstOrDefault()?.State?.Running is not null && reading.Fault is null) return reading;
        return await state.Warnings.AskAsync([plan.Name], cancellationToken) ? plan.Read(View(), state.Begun, parts.Time.GetUtcNow()) : reading;
    }

    /// <summary>Makes them go when the Job goes.</summary>
    public async Task OwnAsync(V1Job job, CancellationToken cancellationToken)
    {
        if (spec.Stage.Services.IsEmpty) return;
        var patch = new V1Patch(new { metadata = new { ownerReferences = new[] { Launch.OwnerOf(job) } } }, V1Patch.PatchType.MergePatch);
        var (client, space) = (parts.Cluster.Client, parts.Cluster.Namespace);
        foreach (var (_, plan) in Plans) await parts.Cluster.Retries.RunAsync(token => client.CoreV1.PatchNamespacedPodAsync(patch, plan.Name, space, cancellationToken: token), cancellationToken);
        await parts.Cluster.Retries.RunAsync(token => client.NetworkingV1.PatchNamespacedNetworkPolicyAsync(patch, attempt, space, cancellationToken: token), cancellationToken);
    }

    /// <summary>Passes their output on, each up to its bound.</summary>
    public async Task TellLogsAsync(CancellationToken cancellationToken)
    {
        foreach (var (service, plan) in Plans)
        {
            if (parts.Pods.Find(plan.Name)?.Status?.ContainerStatuses?.FirstOrDefault() is not { } status || status.State?.Waiting is not null) continue;
            await telling.AsideAsync($"service {service.Name}");
            var log = LogFollower.OfService(parts.Cluster, new LogSource(plan.Name, ServicePlan.ContainerName) { MaxBytes = parts.Options.Services.LogBytes });
            await foreach (var piece in log.ReadAsync(new CancellationToken(canceled: true), cancellationToken)) await telling.OutputAsync(piece.Bytes);
        }
    }

    /// <summary>Ends them, whatever becomes of the Job: they would go on for ever.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        foreach (var (_, plan) in Plans)
            await parts.Cluster.Retries.RunAsync(token => parts.Cluster.Client.CoreV1.DeleteNamespacedPodAsync(plan.Name, parts.Cluster.Namespace, cancellationToken: token), cancellationToken).IfThereAsync();
    }
}
