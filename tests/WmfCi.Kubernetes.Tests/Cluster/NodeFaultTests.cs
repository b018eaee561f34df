using k8s;
using k8s.Models;
using WmfCi.Fakes;
using WmfCi.Fakes.Kubernetes;

namespace WmfCi.Kubernetes.Tests;

/// <summary>What the stand-in's node does to pods on demand looks as it does on a real one, and of their logs nothing is doubled.</summary>
public sealed class NodeFaultTests : IAsyncLifetime
{
    private const string Frames = "i=0; o=0; while [ $i -lt 400 ]; do echo \"$o+line\"; o=$((o+5)); i=$((i+1)); [ $((i%100)) -ne 0 ] || sleep 0.5; done";
    private static readonly string AllLines = string.Concat(Enumerable.Repeat("line\n", 400));

    private KubernetesStandIn _standIn = null!;
    private TestSpace _space = null!;
    private Reflector<V1Pod> _pods = null!;

    public async ValueTask InitializeAsync()
    {
        Needs.Bubblewrap();
        _standIn = await KubernetesStandIn.StartAsync();
        _space = await TestSpace.InAsync(_standIn.Kubeconfig);
        _pods = new Reflector<V1Pod>(_space.Cluster, new ReflectorOptions());
    }

    public async ValueTask DisposeAsync()
    {
        if (_standIn is null) return;
        await _pods.DisposeAsync();
        _space.Cluster.Dispose();
        await _standIn.DisposeAsync();
    }

    [Fact]
    public async Task A_log_is_whole_though_the_connection_breaks_and_answers_end_early()
    {
        await _space.PodAsync("cut", Frames);
        await _pods.WaitForAsync("cut", pod => StateOf(pod) is { Running: not null } or { Terminated: not null }, _space.Token);
        _standIn.Faults.CutLogsAfter = 3000;
        using var ended = new CancellationTokenSource();
        var log = LogFollower.OfStep(_space.Cluster, new LogSource("cut", "main"), 0);
        var reading = ReadAsync(log, ended.Token);
        await _standIn.StopApiAsync();
        _standIn.StartApi();
        await TerminatedAsync("cut");
        _standIn.Faults.CutLogsAfter = null;
        log.Total = AllLines.Length;
        await ended.CancelAsync();
        (await reading).ShouldBe((AllLines, 0));
        log.Connections.ShouldBeGreaterThan(1);
        log.Ending.ShouldBe(LogEnding.Complete);
    }

    [Fact]
    public async Task A_log_that_falls_silent_at_a_rotation_is_asked_for_again()
    {
        using var folder = new TempFolder();
        var told = folder.Write("told", "");
        _standIn.Node.Images[Needs.Image] = new() { Files = new Dictionary<string, string> { ["/told"] = told } };
        await _space.PodAsync("silent", "echo 0+line; until [ -s /told ]; do sleep 0.05; done; echo 5+line; exec sleep 600");
        await RunningAsync("silent");
        _standIn.Faults.HangLogs = true;
        var log = LogFollower.OfStep(_space.Cluster, new LogSource("silent", "main"), 0);
        await foreach (var piece in log.ReadAsync(CancellationToken.None, _space.Token))
        {
            piece.Missing.ShouldBe(0);
            if (log.Next == 10) break;
            // The stream that told the first line tells no other.
            await File.WriteAllTextAsync(told, "yes", _space.Token);
        }
        log.Connections.ShouldBeGreaterThan(1);
    }

    [Fact]
    public async Task What_was_rotated_away_is_missing_and_counted()
    {
        await _space.PodAsync("rotated", Frames + "; exec sleep 600");
        await RunningAsync("rotated");
        var full = LogFollower.OfStep(_space.Cluster, new LogSource("rotated", "main"), 0);
        await foreach (var _ in full.ReadAsync(CancellationToken.None, _space.Token))
        {
            if (full.Next == AllLines.Length) break;
        }
        _standIn.Node.RotateLog(_space.Name, "rotated", "main", keptLines: 10);
        var late = LogFollower.OfStep(_space.Cluster, new LogSource("rotated", "main"), 100);
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        (await ReadAsync(late, ended.Token)).ShouldBe((string.Concat(Enumerable.Repeat("line\n", 10)), AllLines.Length - 100 - 50));
    }

    [Fact]
    public async Task A_log_whose_end_cannot_be_read_says_that_it_is_incomplete()
    {
        await _space.PodAsync("short", "echo 0+line");
        await TerminatedAsync("short");
        using var ended = new CancellationTokenSource();
        await ended.CancelAsync();
        var log = LogFollower.OfStep(_space.Cluster, new LogSource("short", "main"), 0);
        log.Total = 10;
        (await ReadAsync(log, ended.Token)).ShouldBe(("line\n", 0));
        log.Ending.ShouldBe(LogEnding.Incomplete);
    }

    [Fact]
    public async Task An_evicted_pod_has_failed_and_says_why()
    {
        await _space.PodAsync("evicted", "exec sleep 600");
        await RunningAsync("evicted");
        await _standIn.Node.EvictAsync(_space.Name, "evicted", "The node was low on resource: ephemeral-storage.");
        var pod = await _pods.WaitForAsync("evicted", pod => pod?.Status.Phase == "Failed", _space.Token);
        (pod!.Status.Reason, pod.Status.Message).ShouldBe(("Evicted", "The node was low on resource: ephemeral-storage."));
        pod.Status.Conditions.ShouldContain(condition => condition.Type == "DisruptionTarget" && condition.Status == "True");
        StateOf(pod)!.Terminated.ExitCode.ShouldBe(137);
    }

    [Fact]
    public async Task A_pod_on_a_lost_node_never_says_that_it_ended()
    {
        await _space.PodAsync("lost", "exec sleep 600");
        await RunningAsync("lost");
        await _standIn.Node.LoseAsync(_space.Name, "lost");
        var pod = await _pods.WaitForAsync("lost", pod => pod?.Metadata.DeletionTimestamp is not null, _space.Token);
        pod!.Status.Reason.ShouldBe("NodeLost");
        StateOf(pod)!.Running.ShouldNotBeNull();
        _standIn.Node.Vanish(_space.Name, "lost");
        await _pods.WaitForAsync("lost", pod => pod is null, _space.Token);
    }

    [Fact]
    public async Task A_container_that_the_kernel_killed_says_so()
    {
        await _space.PodAsync("greedy", "exec sleep 600");
        await RunningAsync("greedy");
        await _standIn.Node.RunOutOfMemoryAsync(_space.Name, "greedy", "main");
        var ended = StateOf(await TerminatedAsync("greedy"))!.Terminated;
        (ended.Reason, ended.ExitCode).ShouldBe(("OOMKilled", 137));
    }

    [Fact]
    public async Task A_pod_whose_image_is_missing_waits_for_it()
    {
        _standIn.Node.LoseImage(Needs.Image);
        // Who is told of the newest state may miss one that lasts a moment; a watch from before has them all.
        var all = new ObjectStream<V1Pod>(_space.Cluster, new ReflectorOptions(), trim: null, heard: () => { });
        var (before, _) = await all.ListAsync(_space.Token);
        await _space.PodAsync("no-image", "true");
        await _pods.WaitForAsync("no-image", pod => StateOf(pod)?.Waiting?.Reason == "ImagePullBackOff", _space.Token);
        var reasons = new List<string?>();
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_space.Token);
        await Should.ThrowAsync<OperationCanceledException>(all.WatchAsync(before, TimeSpan.FromMinutes(3), (_, pod) =>
        {
            reasons.Add(StateOf(pod)?.Waiting?.Reason);
            if (reasons[^1] == "ImagePullBackOff") enough.Cancel();
        }, enough.Token));
        reasons.ShouldContain("ErrImagePull");
        _standIn.Node.FindImage(Needs.Image);
        await _pods.WaitForAsync("no-image", pod => pod?.Status.Phase == "Succeeded", _space.Token);
    }

    [Fact]
    public async Task A_full_node_takes_a_pod_when_there_is_room_again()
    {
        _standIn.Node.IsFull = true;
        await _space.PodAsync("waits", "true");
        await _pods.WaitForAsync("waits", pod => pod?.Status.Conditions?.Any(condition => condition.Reason == "Unschedulable") is true, _space.Token);
        _standIn.Node.IsFull = false;
        await _pods.WaitForAsync("waits", pod => pod?.Status.Phase == "Succeeded", _space.Token);
    }

    [Fact]
    public async Task A_job_may_have_two_pods()
    {
        var spec = new V1PodSpec { RestartPolicy = "Never", Containers = [new V1Container { Name = "main", Image = Needs.Image, Command = ["/bin/sh", "-c", "exec sleep 600"] }] };
        var job = new V1Job { Metadata = new() { Name = "twice" }, Spec = new() { BackoffLimit = 0, Template = new() { Spec = spec } } };
        await _space.Client.BatchV1.CreateNamespacedJobAsync(job, _space.Name, cancellationToken: _space.Token);
        await _pods.WaitForAnyAsync(pod => pod.Status?.Phase == "Running", _space.Token);
        var second = _standIn.DuplicatePod(_space.Name, "twice");
        await RunningAsync(second);
        _pods.Items.Count(pod => pod.Metadata.Labels["job-name"] == "twice" && pod.Status.Phase == "Running").ShouldBe(2);
    }

    [Fact]
    public async Task A_pod_that_is_deleted_may_tidy_up_first()
    {
        // A finalizer keeps it until its last word was heard.
        await _space.PodAsync("tidies", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done", finalizer: "test.invalid/heard");
        await RunningAsync("tidies");
        var log = LogFollower.OfService(_space.Cluster, new LogSource("tidies", "main"));
        await using var pieces = log.ReadAsync(CancellationToken.None, _space.Token).GetAsyncEnumerator(_space.Token);
        await pieces.MoveNextAsync();
        Text(pieces.Current).ShouldBe("ready\n");
        await _space.Client.CoreV1.DeleteNamespacedPodAsync("tidies", _space.Name, gracePeriodSeconds: 20, cancellationToken: _space.Token);
        await pieces.MoveNextAsync();
        Text(pieces.Current).ShouldBe("bye\n");
        await _space.Client.CoreV1.PatchNamespacedPodAsync(new V1Patch("""{"metadata":{"finalizers":null}}""", V1Patch.PatchType.MergePatch), "tidies", _space.Name, cancellationToken: _space.Token);
        (await pieces.MoveNextAsync()).ShouldBeFalse();
        log.Ending.ShouldBe(LogEnding.PodGone);
    }

    private static string Text(LogPiece piece) => System.Text.Encoding.UTF8.GetString(piece.Bytes.Span);

    private static V1ContainerState? StateOf(V1Pod? pod) => pod?.Status?.ContainerStatuses?.FirstOrDefault()?.State;

    private Task<V1Pod?> RunningAsync(string name) => _pods.WaitForAsync(name, pod => StateOf(pod)?.Running is not null, _space.Token);

    private Task<V1Pod?> TerminatedAsync(string name) => _pods.WaitForAsync(name, pod => StateOf(pod)?.Terminated is not null, _space.Token);

    private async Task<(string Text, long Missing)> ReadAsync(LogFollower log, CancellationToken ended)
    {
        var all = new MemoryStream();
        var missing = 0L;
        await foreach (var piece in log.ReadAsync(ended, _space.Token))
        {
            all.Write(piece.Bytes.Span);
            missing += piece.Missing;
        }
        return (System.Text.Encoding.UTF8.GetString(all.ToArray()), missing);
    }
}
