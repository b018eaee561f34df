using System.Collections.Concurrent;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Microsoft.Extensions.Logging;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Admission;
using WmfCi.Kubernetes.Exchange;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Running;
using WmfCi.Ports;
using WmfCi.Workspaces;

namespace WmfCi.Kubernetes;

/// <summary>
/// Runs each attempt at a stage as one Job: a trusted container lays out the workspace, untrusted ones run the steps, a trusted one keeps what they left. Whatever it must remember stands in the
/// cluster, so that any replica can go on where another ended.
/// </summary>
public sealed partial class KubernetesJobRunner : IJobRunner, IAsyncDisposable
{
    /// <summary>How long an attempt goes on while the cluster's API server does not answer.</summary>
    public static readonly TimeSpan OutagePatience = TimeSpan.FromMinutes(30);

    private static readonly TimeSpan OutagePause = TimeSpan.FromSeconds(5), CleaningPatience = TimeSpan.FromSeconds(30);
    private readonly KubernetesRunnerOptions _options;
    private readonly RunnerParts _parts;
    private readonly Reflector<V1ResourceQuota> _quotas;
    private readonly ILogger _logger;
    private readonly ConcurrentDictionary<string, LiveAttempt> _live = new(StringComparer.Ordinal);
    private readonly CancellationTokenSource _disposed = new();
    private readonly List<Task> _loops = [];
    private readonly TaskCompletionSource<ExchangeAddress> _exchange = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private ExchangeServer? _server;

    /// <summary>Makes a runner; <see cref="StartAsync"/> starts it.</summary>
    /// <param name="options">The site's.</param>
    /// <param name="cluster">Where; disposed with the runner.</param>
    /// <param name="store">Where sources come from and artifacts go.</param>
    /// <param name="logger">For operators.</param>
    public KubernetesJobRunner(KubernetesRunnerOptions options, Cluster cluster, IArtifactStore store, ILogger logger)
    {
        (_options, _logger) = (options, logger);
        var selector = new ReflectorOptions { Labels = Marks.SelectorOf(options.Site) };
        var (jobs, pods) = (new Reflector<V1Job>(cluster, selector), new Reflector<V1Pod>(cluster, selector));
        _quotas = new Reflector<V1ResourceQuota>(cluster, new ReflectorOptions());
        var named = new NamedStore(store);
        var records = new JobRecords(cluster.Client, cluster.Namespace, cluster.Retries);
        _parts = new RunnerParts
        {
            Options = options,
            Cluster = cluster,
            Store = named,
            Records = records,
            Desk = new Desk(records, jobs.Find, named),
            Gate = new Gatekeeper(() => QuotaLines(_quotas.Items)),
            Jobs = jobs,
            Pods = pods,
        };
    }

    /// <summary>Where pods find the exchange, once started; null before.</summary>
    public Uri? ExchangeUrl { get; private set; }

    /// <summary>What keeps stages from running now, one sentence; null where nothing does.</summary>
    public string? Problem => !_exchange.Task.IsCompletedSuccessfully ? _parts.Jobs.Trouble?.Message ?? "It waits for the cluster." : _parts.Jobs.Trouble?.Message ?? _parts.Pods.Trouble?.Message;

    /// <summary>Opens the exchange, sets the namespace's network policies, and begins to watch. Waits for the cluster.</summary>
    /// <param name="wanted">The attempts that are wanted, so that leftovers are known; null where nothing is to be removed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The exchange's address is taken, or its certificate cannot be read.</exception>
    public async Task StartAsync(Func<CancellationToken, Task<IReadOnlyCollection<AttemptId>>>? wanted, CancellationToken cancellationToken)
    {
        _server = await ExchangeServer.StartAsync(_options.Exchange, _parts.Desk, ExchangeFailed, cancellationToken);
        var url = _options.Exchange.Url ?? _server.Address;
        await PatientlyAsync(async token =>
        {
            foreach (var policy in NetworkRules.Of(_options, url)) await _parts.Cluster.ApplyAsync(policy, Marks.Us, token);
            return true;
        }, cancellationToken);
        await Task.WhenAll(_parts.Jobs.WaitSyncedAsync(cancellationToken), _parts.Pods.WaitSyncedAsync(cancellationToken), _quotas.WaitSyncedAsync(cancellationToken));
        _loops.Add(ListenAsync(_parts.Jobs, job => job.Name()));
        _loops.Add(ListenAsync(_parts.Pods, pod => pod.GetLabel(Marks.Attempt)));
        _loops.Add(ListenAsync(_quotas, _ => null));
        if (wanted is not null) _loops.Add(SweepAsync(wanted));
        ExchangeUrl = url;
        _exchange.SetResult(new ExchangeAddress(url));
    }

    /// <inheritdoc/>
    public async Task<AttemptReport> RunAsync(AttemptSpec spec, IAttemptObserver observer, CancellationToken detach)
    {
        if (Misconfiguration(spec, out var worker) is { } mistake) return new AttemptReport { Kind = OutcomeKind.Misconfigured, Explanation = mistake };
        var plan = new JobPlan(_options, spec, worker);
        var attempt = _live.GetOrAdd(plan.Name, name => new LiveAttempt(name));
        using var telling = new Telling(observer);
        try
        {
            var exchange = await _exchange.Task.WaitAsync(detach);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(detach, attempt.Stopped);
            if (await PatientlyAsync(token => new Launch(_parts, spec, plan, attempt, telling).RunAsync(exchange, token), either.Token, telling) is { } never)
            {
                await CleanAsync(spec, plan.Name, telling, detach);
                return never;
            }
            // Stopped between the last look for its Job and the Job.
            if (attempt.Stopped.IsCancellationRequested) await PatientlyAsync(token => _parts.Records.EndAsync(plan.Name, PodRules.Stopped, token), detach, telling);
            return await FollowAsync(spec, StageLimits.Of(_options, spec, worker), attempt, telling, detach);
        }
        catch (OperationCanceledException) when (attempt.Stopped.IsCancellationRequested && !detach.IsCancellationRequested)
        {
            await CleanAsync(spec, plan.Name, telling, detach);
            return new AttemptReport { Kind = OutcomeKind.Stopped, Explanation = "It was stopped before it began." };
        }
        catch (Exception error) when (error is not OperationCanceledException)
        {
            // The one place where everything is caught: failures are answers.
            Failed(error, plan.Name);
            using var bound = new CancellationTokenSource(CleaningPatience, _parts.Time);
            await CleanAsync(spec, plan.Name, telling, bound.Token);
            return new AttemptReport { Kind = OutcomeKind.InfrastructureFailed, Explanation = ClusterFault.Of(error).Message };
        }
        finally
        {
            _parts.Gate.Leave(plan.Name);
            if (_live.TryRemove(plan.Name, out var done)) done.Dispose();
        }
    }

    private Task<AttemptReport> FollowAsync(AttemptSpec spec, StageLimits limits, LiveAttempt attempt, Telling telling, CancellationToken detach)
    {
        var isAgain = false;
        return PatientlyAsync(async token =>
        {
            // It reads the output from its beginning.
            if (isAgain) await telling.RestartAsync();
            isAgain = true;
            return await new Follow(_parts, spec, limits, attempt, telling).RunAsync(token);
        }, detach, telling);
    }

    /// <inheritdoc/>
    public async Task StopAsync(AttemptId id, CancellationToken cancellationToken)
    {
        var name = Marks.NameOf(_options.Site, id);
        var isThere = await _parts.Records.EndAsync(name, PodRules.Stopped, cancellationToken);
        if (!isThere && _live.TryGetValue(name, out var attempt)) attempt.Stop();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_disposed.IsCancellationRequested) return;
        await _disposed.CancelAsync();
        foreach (var loop in _loops) await loop.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (_server is not null) await _server.DisposeAsync();
        await _parts.Jobs.DisposeAsync();
        await _parts.Pods.DisposeAsync();
        await _quotas.DisposeAsync();
        _parts.Cluster.Dispose();
        _disposed.Dispose();
    }

    private string? Misconfiguration(AttemptSpec spec, out WorkerClass worker)
    {
        var name = spec.Stage.Worker.Length > 0 ? spec.Stage.Worker : _options.DefaultWorker;
        var offered = string.Join(", ", _options.Workers.Keys.Order(StringComparer.Ordinal).Select(offer => $"`{offer}`"));
        if (!_options.Workers.TryGetValue(name, out worker!)) return $"There is no worker class “{Core.PlainText.Line(name, 100)}” here. Write `worker:` with one of these: {offered}.";
        if (spec.Stage.Image == "host") return "`image: host` means the programs of the service's own machine, which stages on Kubernetes do not see. Write `image:` with the name of a container image.";
        if (spec.Stage.Services.Count > _options.Services.Most) return _options.Services.Most == 0
            ? "Stages may have no services here: remove `services:`, and start what the steps need in the steps."
            : $"It has {spec.Stage.Services.Count} services, and a stage may have {_options.Services.Most} here. Run several programs in one of them, or split the stage.";
        foreach (var image in spec.Stage.Services.Select(service => service.Image).Prepend(spec.Stage.Image))
            if (ImageName.Fault(image) is { } fault) return fault;
        return StepVariables.Fault(spec.Stage.Environment.Concat(spec.Facts));
    }

    // What the cluster cannot do now it can do later: nothing of the attempt is lost meanwhile, and everything that is repeated finds what was done.
    private async Task<T> PatientlyAsync<T>(Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken, Telling? telling = null)
    {
        for (var begun = _parts.Time.GetUtcNow(); ;)
        {
            try
            {
                return await work(cancellationToken);
            }
            catch (Exception error) when (!cancellationToken.IsCancellationRequested && ClusterFault.Of(error) is { IsTransient: true } or { Kind: FaultKind.Conflict or FaultKind.Unauthorized } && _parts.Time.GetUtcNow() - begun < OutagePatience)
            {
                Away(ClusterFault.Of(error).Message);
                if (telling is not null) await telling.WaitingAsync(error is StoreFailedException ? $"Waits for the store of artifacts: {error.InnerException!.Message}" : $"Waits for the cluster: {ClusterFault.Of(error).Message}");
                await Task.Delay(OutagePause, _parts.Time, cancellationToken);
            }
        }
    }

    // It has no Job, so nothing goes by itself.
    private async Task CleanAsync(AttemptSpec spec, string name, Telling telling, CancellationToken cancellationToken)
    {
        try
        {
            // What was asked for when the stop came may have come about since.
            await _parts.Records.DeleteAsync(name, cancellationToken);
            await new Services(_parts, spec, name, telling).EndAsync(cancellationToken);
            await _parts.Cluster.Client.CoreV1.DeleteNamespacedSecretAsync(name, _parts.Cluster.Namespace, cancellationToken: cancellationToken).IfThereAsync();
        }
        catch (Exception error) when (error is HttpOperationException or HttpRequestException or IOException or TimeoutException or OperationCanceledException)
        {
            // The sweeper finds it.
            Away(ClusterFault.Of(error).Message);
        }
    }

    private void ExchangeFailed(Exception error)
    {
        if (error is StoreFailedException) StoreFailed(error.Message);
        else RequestFailed(error);
    }

    private async Task ListenAsync<T>(Reflector<T> reflector, Func<T, string?> attemptOf)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        await foreach (var change in reflector.ChangesAsync(null, _disposed.Token))
        {
            if (attemptOf(change.Item) is not { } name)
            {
                _parts.Gate.Look();
                continue;
            }
            if (!_live.TryGetValue(name, out var attempt)) continue;
            if (change.Item is V1Job job) (attempt.LastJob, attempt.IsJobGone) = (job, change.Kind == ChangeKind.Gone);
            attempt.Ring();
        }
    }

    private async Task SweepAsync(Func<CancellationToken, Task<IReadOnlyCollection<AttemptId>>> wanted)
    {
        var sweeper = new Sweeper(_parts);
        using var timer = new PeriodicTimer(_options.Sweeping.Every, _parts.Time);
        do
        {
            try
            {
                var removed = await sweeper.SweepAsync(async token => (await wanted(token)).Select(id => Marks.NameOf(_options.Site, id)).ToHashSet(StringComparer.Ordinal), _disposed.Token);
                if (removed > 0) Swept(removed);
            }
            catch (Exception error) when (!_disposed.IsCancellationRequested)
            {
                // The place for this loop: what could not be removed now is removed later.
                NotSwept(ClusterFault.Of(error).Message);
            }
        }
        while (await timer.WaitForNextTickAsync(_disposed.Token));
    }

    internal static IEnumerable<QuotaLine> QuotaLines(IEnumerable<V1ResourceQuota> quotas) =>
        from quota in quotas
        where quota.Spec?.Scopes is not { Count: > 0 } && quota.Spec?.ScopeSelector is null && quota.Status?.Hard is not null
        from hard in quota.Status.Hard
        select new QuotaLine(quota.Name(), hard.Key, hard.Value.ToDecimal(), quota.Status.Used is { } used && used.TryGetValue(hard.Key, out var value) ? value.ToDecimal() : 0);

    [LoggerMessage(LogLevel.Warning, "The cluster is away: {Reason}")]
    private partial void Away(string reason);

    [LoggerMessage(LogLevel.Error, "The attempt {Attempt} failed by a fault of ours")]
    private partial void Failed(Exception error, string attempt);

    [LoggerMessage(LogLevel.Error, "A request of a pod failed by a fault of ours")]
    private partial void RequestFailed(Exception error);

    [LoggerMessage(LogLevel.Error, "A pod waits: {Reason}")]
    private partial void StoreFailed(string reason);

    [LoggerMessage(LogLevel.Information, "{Attempts} attempts that nobody needs were removed from the cluster")]
    private partial void Swept(int attempts);

    [LoggerMessage(LogLevel.Warning, "What is left in the cluster could not be removed: {Reason}")]
    private partial void NotSwept(string reason);
}
