using System.Net;
using System.Net.Sockets;
using k8s;
using k8s.Autorest;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>
/// Checks a cluster for stages: what its server says, what it would take, and what real stages can do in it. It makes its own Jobs, Secrets and network policies under a site's name of its
/// own, and removes all of them, however it ends. It runs beside the service without touching what is the service's.
/// </summary>
/// <param name="options">What is tested.</param>
/// <param name="store">A store for a few kilobytes; nothing of it is needed after.</param>
/// <param name="time">The clock.</param>
public sealed class ClusterSelfTest(SelfTestOptions options, IArtifactStore store, TimeProvider time)
{
    /// <summary>How long the removal of what was made may take.</summary>
    public static readonly TimeSpan CleanPatience = TimeSpan.FromSeconds(90);

    private const int MaxApiAddresses = 4;
    private static readonly IPAddress Metadata = new([169, 254, 169, 254]);
    private readonly List<Check> _checks = [];
    private Action<Check> _told = _ => { };
    private CancellationToken _late;

    /// <summary>Runs all checks; whatever is missing, the others are made that can be.</summary>
    /// <param name="told">Told of each check as it is made.</param>
    /// <param name="cancellationToken">Gives up; what was made is removed all the same.</param>
    /// <returns>All checks.</returns>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<IReadOnlyList<Check>> RunAsync(Action<Check> told, CancellationToken cancellationToken)
    {
        _told = told;
        using var limit = new CancellationTokenSource(options.Limit, time);
        _late = limit.Token;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        Cluster cluster;
        try
        {
            cluster = Cluster.Open(options.Cluster, time);
        }
        catch (ArgumentException error)
        {
            Tell(Check.Failed("account", error.Message, "Mend the kubeconfig, or `runner.kubernetes.kubeconfig` and `context` of the site's configuration."));
            return _checks;
        }
        using (cluster)
        {
            try
            {
                if (await PrepareAsync(cluster, either.Token)) await ProbeAsync(cluster, either.Token);
            }
            catch (OperationCanceledException) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
            {
                Tell(Check.Failed("time", $"It did not end within {options.Limit.TotalSeconds} s.", "Mend what failed or was late above; run it again if images were being fetched."));
            }
        }
        cancellationToken.ThrowIfCancellationRequested();
        return _checks;
    }

    private void Tell(Check check)
    {
        _checks.Add(check);
        _told(check);
    }

    // All that can be asked. False where stages cannot run anyway.
    private async Task<bool> PrepareAsync(Cluster cluster, CancellationToken cancellationToken)
    {
        var account = new AccountChecks(cluster);
        await TellAsync("account", account.AccountAsync, cancellationToken);
        if (HasFailed) return Stop("the account");
        var version = await cluster.VersionAsync(cancellationToken);
        Tell(AccountChecks.Version(version));
        await TellAsync("namespace", token => account.NamespaceAsync(version, token), cancellationToken);
        if (HasFailed && _checks[^1].Found.StartsWith("There is no", StringComparison.Ordinal)) return Stop("the namespace");
        var before = _checks.Count;
        await TellAsync("rights", account.RightsAsync, cancellationToken);
        var hasRights = !_checks.Skip(before).Any(check => check.State == CheckState.Failed);
        var room = new RoomChecks(cluster, options.Runner, options.StageImage);
        await TellAsync("quota", room.QuotasAsync, cancellationToken);
        await TellAsync("limits", room.LimitsAsync, cancellationToken);
        await TellAsync("workers", room.WorkersAsync, cancellationToken);
        await TellAsync("leftovers", room.LeftoversAsync, cancellationToken);
        return hasRights || Stop("the rights");
    }

    private bool HasFailed => _checks.Exists(check => check.State == CheckState.Failed);

    private bool Stop(string why)
    {
        Tell(Check.Skipped("a stage", $"Not tried: mend {why} first."));
        return false;
    }

    private async Task TellAsync(string name, Func<CancellationToken, Task<IReadOnlyList<Check>>> check, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var one in await check(cancellationToken)) Tell(one);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            var fault = ClusterFault.Of(error);
            Tell(Check.Failed(name, fault.Message, fault.Kind == FaultKind.Forbidden ? AccountChecks.RoleAdvice : "Mend what it says, and run the self-test again."));
        }
    }

    private async Task ProbeAsync(Cluster cluster, CancellationToken cancellationToken)
    {
        Meeting meeting;
        Witness closed, open;
        try
        {
            meeting = Meeting.Choose(options, cluster.Client.BaseUri);
            (closed, open) = (new Witness(meeting.Listens), new Witness(meeting.Listens));
        }
        catch (Exception error) when (error is SocketException or IOException)
        {
            Tell(Check.Failed("a stage", $"This machine cannot listen for pods: {error.Message}", "Run the self-test where the service runs, or write --address with an address of this machine that pods reach."));
            return;
        }
        if (meeting.Note.Length > 0) Tell(Check.Skipped("the exchange's own address", meeting.Note));
        var site = $"{ProbeRun.SitePrefix}{Guid.NewGuid():N}"[..(ProbeRun.SitePrefix.Length + 8)];
        await using (closed)
        await using (open)
        {
            try
            {
                await ProbeAsync(cluster, site, new Place(meeting, closed, open), cancellationToken);
            }
            catch (Exception error) when (error is not OperationCanceledException)
            {
                // Whatever it was becomes a line of the report.
                Tell(Check.Failed("a stage", ClusterFault.Of(error).Message, "Mend what it says, and run the self-test again."));
            }
            finally
            {
                using var patience = new CancellationTokenSource(CleanPatience, time);
                var left = await Cleaner.RemoveAsync(cluster, site, patience.Token);
                Tell(left.Count == 0 ? Check.Passed("removal", "everything that the self-test made is removed")
                    : Check.Warned("removal", $"{string.Join("; ", left)}.", $"Run `kubectl --namespace {cluster.Namespace} delete jobs,pods,secrets,networkpolicies --selector wmfci.org/site={site}`."));
            }
        }
        _late.ThrowIfCancellationRequested();
    }

    private async Task ProbeAsync(Cluster cluster, string site, Place here, CancellationToken cancellationToken)
    {
        var meeting = here.Meeting;
        var hears = await here.Closed.HearsAsync(meeting.Host, cancellationToken);
        var api = await ApiAddressesAsync(cluster, cancellationToken);
        if (api.Count == 0) Tell(Check.Skipped("API server", "No address of it is known that pods could try."));
        string[] Network(Witness witness) =>
        [
            $"metadata tcp {Metadata} 80", $"listener tcp {meeting.Host} {witness.Port}", $"listener-udp udp {meeting.Host} {witness.Port}", "dns name kubernetes.default.svc.cluster.local",
            .. api.Select(address => $"api-{address.Address}:{address.Port} tcp {address.Address} {address.Port}"),
        ];
        string[] identity =
        [
            "clock clock", "uid status Uid", "capabilities status CapEff", "privileges status NoNewPrivs", "seccomp status Seccomp", "token file /var/run/secrets/kubernetes.io/serviceaccount/token",
            $"own-token file {PodPaths.Token}", "variables environment KUBERNETES_", $"tools write {PodPaths.Tools}", "supervisor file /proc/1/environ",
            $"exchange tcp {meeting.Host} {meeting.Url.Port}",
        ];
        var image = options.StageImage;
        var run = new ProbeRun(options.Cluster, store, site);
        var small = ProbeRun.Small(options.Runner, site, meeting.Exchange);
        var stages = new[]
        {
            new ProbeStage("closed", image, [.. identity, .. Network(here.Closed), "processes processes 400"]),
            new ProbeStage("memory", image, [$"memory memory {2 * ProbeRun.MemoryBytes}"]),
            // Kubelets look at a pod's disk every one to two minutes, and ten seconds later at what they saw.
            new ProbeStage("disk", image, [$"disk disk {PodPaths.Work} {2 * ProbeRun.DiskBytes} 140"]) { Timeout = TimeSpan.FromSeconds(150) },
            new ProbeStage("open", image, Network(here.Open)) { HasNetwork = true },
        };
        var probed = await run.RunAsync(small, stages, cancellationToken);
        if (!_late.IsCancellationRequested) cancellationToken.ThrowIfCancellationRequested();
        Report(probed, here, hears);
    }

    private void Report(IReadOnlyList<Probed> probed, Place here, bool hears)
    {
        var (closed, where) = (probed[0], here.Meeting.Url.ToString());
        Tell(ProbeFindings.Stage(closed, where));
        if (closed.Heard.FirstStep is { } first) Tell(ProbeFindings.Speed(first));
        if (closed.Heard.Results is { Count: > 0 } results)
            foreach (var check in ProbeFindings.Identity(results, closed.Heard.ClockHeard).Concat(ProbeFindings.Closed(results, (here.Closed.Arrived, hears), where))) Tell(check);
        if (probed[3].Heard.Results is { Count: > 0 } open)
            foreach (var check in ProbeFindings.Open(open, here.Open.Arrived, here.Meeting.IsPrivate)) Tell(check);
        foreach (var check in ProbeFindings.Limits(closed, probed[1], probed[2])) Tell(check);
    }

    private static async Task<IReadOnlyList<IPEndPoint>> ApiAddressesAsync(Cluster cluster, CancellationToken cancellationToken)
    {
        var found = new List<IPEndPoint>();
        try
        {
            found.AddRange((await Dns.GetHostAddressesAsync(cluster.Client.BaseUri.Host, cancellationToken)).Select(address => new IPEndPoint(address, cluster.Client.BaseUri.Port)));
            var service = await cluster.Client.CoreV1.ReadNamespacedServiceAsync("kubernetes", "default", cancellationToken: cancellationToken);
            found.AddRange((service.Spec.ClusterIPs ?? [service.Spec.ClusterIP]).Select(address => new IPEndPoint(IPAddress.Parse(address), service.Spec.Ports[0].Port)));
            var slices = await cluster.Client.DiscoveryV1.ListNamespacedEndpointSliceAsync("default", labelSelector: "kubernetes.io/service-name=kubernetes", cancellationToken: cancellationToken);
            found.AddRange(slices.Items.SelectMany(slice => slice.Endpoints.SelectMany(end => end.Addresses).Select(address => new IPEndPoint(IPAddress.Parse(address), slice.Ports[0].Port ?? 443))));
        }
        catch (Exception error) when (error is HttpOperationException or HttpRequestException or SocketException)
        {
            // The account need not know more than its own way; a service in the cluster has the address that matters.
        }
        return [.. found.Where(address => !IPAddress.IsLoopback(address.Address)).Distinct().Take(MaxApiAddresses)];
    }

    private sealed record Place(Meeting Meeting, Witness Closed, Witness Open);
}

/// <summary>What is tested.</summary>
public sealed record SelfTestOptions
{
    /// <summary>How the cluster is reached.</summary>
    public required ClusterOptions Cluster { get; init; }

    /// <summary>How stages are to run there.</summary>
    public required KubernetesRunnerOptions Runner { get; init; }

    /// <summary>An image that stages use; it needs <c>/bin/sh</c>.</summary>
    public required string StageImage { get; init; }

    /// <summary>The address of this machine at which pods reach it; null for the exchange's own, or else the one that looks towards the cluster.</summary>
    public IPAddress? Address { get; init; }

    /// <summary>How long everything may take, the removal of what was made excepted. 180 s by default: kubelets take their time.</summary>
    public TimeSpan Limit { get; init; } = TimeSpan.FromSeconds(180);
}
