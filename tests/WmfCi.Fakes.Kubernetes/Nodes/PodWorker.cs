using System.Text.Json.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>Runs one pod as a kubelet does, and writes its status.</summary>
internal sealed class PodWorker : IAsyncDisposable
{
    private static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(200);

    private readonly Node _node;
    private readonly ObjectStore _store;
    private readonly JsonObject _pod;
    private readonly string _folder;
    private readonly Volumes _volumes;
    private readonly ContainerRecord[] _init, _main;
    private readonly CancellationTokenSource _stopping = new();
    private readonly string _address;
    private TimeSpan _grace;
    private bool _isLost, _isInitialized;
    private (string Reason, string Message)? _failure;
    private Task _running = Task.CompletedTask;

    public PodWorker(Node node, ObjectStore store, JsonObject pod, string folder, string address)
    {
        (_node, _store, _pod, _folder, _address) = (node, store, pod, folder, address);
        _volumes = new Volumes(store, pod, folder);
        _init = [.. pod.Each("spec", "initContainers").Select(container => new ContainerRecord(container, isInit: true))];
        _main = [.. pod.Each("spec", "containers").Select(container => new ContainerRecord(container, isInit: false))];
    }

    private IEnumerable<ContainerRecord> All => _init.Concat(_main);

    public ContainerLog? Log(string container) => All.FirstOrDefault(record => record.Name == container)?.Process?.Log;

    public void Start() => _running = Task.Run(RunAsync);

    /// <summary>Ends it, with a reason where the node has one.</summary>
    public async Task StopAsync(TimeSpan grace, (string Reason, string Message)? failure = null)
    {
        _grace = grace;
        _failure ??= failure;
        await _stopping.CancelAsync();
        await _running;
    }

    /// <summary>Ends it because its time is over.</summary>
    public Task ExpireAsync() => StopAsync(TimeSpan.Zero, ("DeadlineExceeded", "Pod was active on the node longer than the specified deadline"));

    /// <summary>Kills one container, as the kernel does.</summary>
    public async Task KillAsync(string container, string reason)
    {
        var record = All.Single(candidate => candidate.Name == container);
        record.KillReason = reason;
        await record.Process!.StopAsync(TimeSpan.Zero);
    }

    /// <summary>Nothing is heard of it any more.</summary>
    public async Task LoseAsync()
    {
        _isLost = true;
        await StopAsync(TimeSpan.Zero);
    }

    public async ValueTask DisposeAsync()
    {
        await LoseAsync();
        foreach (var record in All) record.Process?.Dispose();
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        if (_init.Length == 0)
        {
            foreach (var record in _main) record.Wait("ContainerCreating");
        }
        Report("Pending");
        using var late = new Timer(_ => _ = ExpireAsync());
        if (_pod.Number("spec", "activeDeadlineSeconds") is { } seconds) late.Change(TimeSpan.FromSeconds(seconds), Timeout.InfiniteTimeSpan);
        try
        {
            await MountAsync();
            foreach (var record in _init)
            {
                await RunAsync(record);
                if (record.Exit != 0) break;
            }
            _isInitialized = _init.All(record => record.Exit == 0);
            if (_isInitialized) await Task.WhenAll(_main.Select(RunAsync));
        }
        catch (OperationCanceledException) when (_stopping.IsCancellationRequested)
        {
            // The phase says it.
        }
        Report(_failure is null && _isInitialized && _main.All(record => record.Exit == 0) ? "Succeeded" : "Failed");
    }

    private async Task MountAsync()
    {
        while (_volumes.Mount() is { } missing)
        {
            _node.Event(_pod, "Warning", "FailedMount", $"MountVolume.SetUp failed for volume: {missing}");
            await Task.Delay(Retry, _stopping.Token);
        }
    }

    private async Task RunAsync(ContainerRecord record)
    {
        var policy = _pod.Text("spec", "restartPolicy");
        while (true)
        {
            await StartAsync(record);
            var ending = EndAsync(record);
            using var probing = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            var probes = record.IsInit ? Task.CompletedTask : ProbeAsync(record, probing.Token);
            await using var stop = _stopping.Token.UnsafeRegister(state => _ = ((ContainerRecord)state!).Process!.StopAsync(_grace), record);
            await ending;
            await probing.CancelAsync();
            // What a probe found a moment ago is not told after the end.
            await probes.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            record.IsReady &= record.IsInit;
            Report(null);
            _stopping.Token.ThrowIfCancellationRequested();
            if (policy == "Never" || (record.Exit == 0 && (policy == "OnFailure" || record.IsInit))) return;
            record.Restart();
            Report(null);
            await Task.Delay(TimeSpan.FromSeconds(1 << Math.Min(record.Restarts, 6)), _stopping.Token);
        }
    }

    private async Task StartAsync(ContainerRecord record)
    {
        var image = record.Spec.Text("image")!;
        for (var tries = 0; ; tries++)
        {
            if (image.Any(char.IsUpper)) record.Wait("InvalidImageName", $"Failed to apply default image tag \"{image}\": couldn't parse image name");
            else if (_node.WhyMissing(image) is { } why) record.Wait(tries == 0 ? "ErrImagePull" : "ImagePullBackOff", $"failed to pull and unpack image \"{image}\": {why}");
            else if (TryStart(record, _node.ImageOf(image))) return;
            Report(null);
            await Task.Delay(Retry, _stopping.Token);
        }
    }

    private bool TryStart(ContainerRecord record, StandInImage image)
    {
        var own = Directory.CreateDirectory(Path.Combine(_folder, "containers", record.Name)).FullName;
        var messages = Path.Combine(own, $"termination-log-{record.Restarts}");
        File.WriteAllText(messages, "");
        var hosts = Path.Combine(own, "hosts");
        var aliases = _pod.Each("spec", "hostAliases").SelectMany(alias => (alias["hostnames"] as JsonArray ?? []).Select(name => $"{alias.Text("ip")} {name}"));
        File.WriteAllLines(hosts, ["127.0.0.1 localhost", $"{_address} {_pod.Name()}", .. aliases]);
        try
        {
            // The address is known to nobody before the pod has it, except to the pod itself.
            var current = _store.Find(Resource.Pods, _pod.Space(), _pod.Name()!) ?? _pod;
            record.Process = ContainerProcess.Start(new ContainerPlan(_store, current, record.Spec, _volumes, image).Arguments(messages, hosts), new ContainerLog(_store.Time, _node.RotateLogsAt));
        }
        catch (InvalidOperationException e)
        {
            record.Wait("CreateContainerConfigError", e.Message);
            return false;
        }
        record.Run(_store.Time.GetUtcNow());
        record.IsReady = !record.IsInit && record.Spec["readinessProbe"] is null;
        Report(null);
        return true;
    }

    private async Task EndAsync(ContainerRecord record)
    {
        var exit = await record.Process!.EndAsync();
        var said = await File.ReadAllBytesAsync(Path.Combine(_folder, "containers", record.Name, $"termination-log-{record.Restarts}"));
        var message = System.Text.Encoding.UTF8.GetString(said.AsSpan(0, Math.Min(said.Length, 4096)));
        if (message.Length == 0 && exit != 0 && record.Spec.Text("terminationMessagePolicy") == "FallbackToLogsOnError") message = record.Process.Log.Tail(2048);
        record.End(_store.Time.GetUtcNow(), exit, message);
    }

    private async Task ProbeAsync(ContainerRecord record, CancellationToken cancellationToken)
    {
        if (record.Spec["readinessProbe"] is not JsonObject probe) return;
        try
        {
            await Task.Delay(TimeSpan.FromSeconds(probe.Number("initialDelaySeconds") ?? 0), cancellationToken);
            while (true)
            {
                var isReady = await Probe.AskAsync(probe, record, _address, cancellationToken);
                if (isReady != record.IsReady)
                {
                    record.IsReady = isReady;
                    Report(null);
                }
                await Task.Delay(TimeSpan.FromSeconds(probe.Number("periodSeconds") ?? 10), cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The container ended.
        }
    }

    private void Report(string? phase)
    {
        if (_isLost) return;
        phase ??= _isInitialized || _main.Any(record => !record.State.ContainsKey("waiting")) ? "Running" : "Pending";
        var (failure, now) = (_failure, _store.Time.GetUtcNow().Seconds());
        _store.TryChange(Resource.Pods, _pod, pod =>
        {
            var status = pod.Ensure("status");
            status["phase"] = phase;
            status["hostIP"] = "127.0.0.1";
            status["podIP"] = _address;
            status["podIPs"] = new JsonArray(new JsonObject { ["ip"] = _address });
            status.TryAdd("startTime", now);
            if (failure is { } why) (status["reason"], status["message"]) = (why.Reason, why.Message);
            if (_init.Length > 0) status["initContainerStatuses"] = new JsonArray([.. _init.Select(record => record.Status())]);
            status["containerStatuses"] = new JsonArray([.. _main.Select(record => record.Status())]);
            Node.Condition(status, "Initialized", _init.All(record => record.Exit == 0), now, "ContainersNotInitialized");
            var isReady = phase == "Running" && _main.All(record => record.IsReady);
            var reason = phase switch { "Succeeded" => "PodCompleted", "Failed" => "PodFailed", _ => "ContainersNotReady" };
            Node.Condition(status, "Ready", isReady, now, reason);
            Node.Condition(status, "ContainersReady", isReady, now, reason);
            return pod;
        });
    }
}
