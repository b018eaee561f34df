using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes.Tests;

/// <summary>What is expected of every API server, real or not.</summary>
public abstract class ClusterContract
{
    [Fact]
    public async Task The_server_says_its_version()
    {
        await using var space = await SpaceAsync();
        var version = await space.Cluster.VersionAsync(space.Token);
        version.IsAtLeast(1, 20).ShouldBeTrue(version.Name);
        version.IsAtLeast(2, 0).ShouldBeFalse(version.Name);
    }

    [Fact]
    public async Task Failures_are_told_by_what_they_mean()
    {
        await using var space = await SpaceAsync();
        await space.ConfigMapAsync("one");
        (await FaultOfAsync(() => space.ConfigMapAsync("one"))).Kind.ShouldBe(FaultKind.AlreadyExists);
        (await FaultOfAsync(() => space.Client.CoreV1.ReadNamespacedConfigMapAsync("none", space.Name, cancellationToken: space.Token))).Kind.ShouldBe(FaultKind.NotFound);
        var invalid = await FaultOfAsync(() => space.PodAsync("Not_A_Name", "true"));
        invalid.Kind.ShouldBe(FaultKind.Invalid);
        invalid.Message.ShouldContain("metadata.name");
        var stale = new V1ConfigMap { Metadata = new() { Name = "one", ResourceVersion = "1" }, Data = new Dictionary<string, string> { ["value"] = "2" } };
        (await FaultOfAsync(() => space.Client.CoreV1.ReplaceNamespacedConfigMapAsync(stale, "one", space.Name, cancellationToken: space.Token))).Kind.ShouldBe(FaultKind.Conflict);
    }

    [Fact]
    public async Task An_exceeded_quota_is_told_from_a_missing_right()
    {
        await using var space = await SpaceAsync();
        var quota = new V1ResourceQuota { Metadata = new() { Name = "none" }, Spec = new() { Hard = new Dictionary<string, ResourceQuantity> { ["count/secrets"] = new("0") } } };
        await space.Client.CoreV1.CreateNamespacedResourceQuotaAsync(quota, space.Name, cancellationToken: space.Token);
        await using var quotas = new Reflector<V1ResourceQuota>(space.Cluster, new ReflectorOptions());
        await quotas.WaitForAsync("none", item => item?.Status?.Hard?.ContainsKey("count/secrets") is true, space.Token);
        var secret = new V1Secret { Metadata = new() { Name = "much" } };
        var fault = await FaultOfAsync(() => space.Client.CoreV1.CreateNamespacedSecretAsync(secret, space.Name, cancellationToken: space.Token));
        fault.Kind.ShouldBe(FaultKind.QuotaExceeded, fault.Message);
    }

    [Fact]
    public async Task What_is_applied_twice_is_there_once_and_leaves_the_fields_of_others_alone()
    {
        await using var space = await SpaceAsync();
        V1NetworkPolicy Policy(string label) => new()
        {
            Metadata = new() { Name = "deny", Labels = new Dictionary<string, string> { ["made-by"] = label } },
            Spec = new() { PodSelector = new(), PolicyTypes = ["Ingress", "Egress"] },
        };
        var first = await space.Cluster.ApplyAsync(Policy("first"), "wmfci", space.Token);
        await space.Client.NetworkingV1.PatchNamespacedNetworkPolicyAsync(
            new V1Patch("""{"metadata":{"annotations":{"theirs":"stays"}}}""", V1Patch.PatchType.MergePatch), "deny", space.Name, cancellationToken: space.Token);
        var second = await space.Cluster.ApplyAsync(Policy("second"), "wmfci", space.Token);
        second.Metadata.Uid.ShouldBe(first.Metadata.Uid);
        second.Metadata.Labels["made-by"].ShouldBe("second");
        second.Metadata.Annotations["theirs"].ShouldBe("stays");
    }

    [Fact]
    public async Task What_is_only_tried_is_not_there_after()
    {
        await using var space = await SpaceAsync();
        var tried = await space.Cluster.TryCreateAsync(new V1ConfigMap { Metadata = new() { Name = "tried" } }, space.Token);
        tried.Metadata.Uid.ShouldNotBeNullOrEmpty();
        (await FaultOfAsync(() => space.Client.CoreV1.ReadNamespacedConfigMapAsync("tried", space.Name, cancellationToken: space.Token))).Kind.ShouldBe(FaultKind.NotFound);
    }

    [Fact]
    public async Task A_reflector_knows_what_is_there_and_what_becomes_of_it()
    {
        await using var space = await SpaceAsync();
        for (var i = 0; i < 5; i++) await space.ConfigMapAsync($"map-{i}");
        await space.ConfigMapAsync("other", label: "other");
        await using var maps = new Reflector<V1ConfigMap>(space.Cluster, new ReflectorOptions { Labels = "of=test", Page = 2 });
        await maps.WaitSyncedAsync(space.Token);
        maps.Items.Select(item => item.Metadata.Name).Order().ShouldBe(["map-0", "map-1", "map-2", "map-3", "map-4"]);
        maps.Items.ShouldAllBe(item => item.Metadata.ManagedFields == null);
        await space.Client.CoreV1.PatchNamespacedConfigMapAsync(
            new V1Patch("""{"data":{"value":"new"}}""", V1Patch.PatchType.MergePatch), "map-1", space.Name, cancellationToken: space.Token);
        (await maps.WaitForAsync("map-1", item => item?.Data["value"] == "new", space.Token)).ShouldNotBeNull();
        await space.Client.CoreV1.DeleteNamespacedConfigMapAsync("map-2", space.Name, cancellationToken: space.Token);
        (await maps.WaitForAsync("map-2", item => item is null, space.Token)).ShouldBeNull();
        maps.Items.Count.ShouldBe(4);
        maps.Trouble.ShouldBeNull();
    }

    [Fact]
    public async Task A_consumer_that_comes_late_sees_what_is_there_and_every_end()
    {
        await using var space = await SpaceAsync();
        await space.ConfigMapAsync("early");
        await using var maps = new Reflector<V1ConfigMap>(space.Cluster, new ReflectorOptions { Labels = "of=test" });
        await maps.WaitSyncedAsync(space.Token);
        await using var changes = maps.ChangesAsync(null, space.Token).GetAsyncEnumerator(space.Token);
        await changes.MoveNextAsync();
        (changes.Current.Kind, changes.Current.Item.Metadata.Name).ShouldBe((ChangeKind.Set, "early"));
        await space.Client.CoreV1.DeleteNamespacedConfigMapAsync("early", space.Name, cancellationToken: space.Token);
        await changes.MoveNextAsync();
        (changes.Current.Kind, changes.Current.Item.Metadata.Name).ShouldBe((ChangeKind.Gone, "early"));
    }

    [Fact]
    public async Task The_log_of_a_step_is_read_to_its_end()
    {
        await using var space = await SpaceAsync();
        await using var pods = new Reflector<V1Pod>(space.Cluster, new ReflectorOptions { Labels = "of=test" });
        // Frames as a step's supervisor writes them, and two lines that are none.
        await space.PodAsync("steps", "i=0; o=0; while [ $i -lt 300 ]; do echo \"$o+line\"; o=$((o+5)); i=$((i+1)); [ $((i%100)) -ne 0 ] || sleep 1; done; echo foreign; echo 12");
        await pods.WaitForAsync("steps", pod => StateOf(pod)?.Running is not null || StateOf(pod)?.Terminated is not null, space.Token);
        using var ended = new CancellationTokenSource();
        var log = LogFollower.OfStep(space.Cluster, new LogSource("steps", "main"), 0);
        var reading = ReadAsync(log, ended.Token, space.Token);
        await pods.WaitForAsync("steps", pod => StateOf(pod)?.Terminated is not null, space.Token);
        await ended.CancelAsync();
        var (text, missing) = await reading;
        text.ShouldBe(string.Concat(Enumerable.Repeat("line\n", 300)));
        missing.ShouldBe(0);
        log.Ending.ShouldBe(LogEnding.Complete);
        log.Foreign.ShouldBeGreaterThanOrEqualTo(2);
    }

    [Fact]
    public async Task The_log_of_a_service_has_each_line_once()
    {
        await using var space = await SpaceAsync();
        await using var pods = new Reflector<V1Pod>(space.Cluster, new ReflectorOptions { Labels = "of=test" });
        await space.PodAsync("service", "for i in 1 2 3 4 5; do echo same; echo \"line $i\"; sleep 3; done; printf 'no end'");
        await pods.WaitForAsync("service", pod => StateOf(pod) is { Running: not null } or { Terminated: not null }, space.Token);
        using var ended = new CancellationTokenSource();
        var log = LogFollower.OfService(space.Cluster, new LogSource("service", "main"));
        var reading = ReadAsync(log, ended.Token, space.Token);
        await pods.WaitForAsync("service", pod => StateOf(pod)?.Terminated is not null, space.Token);
        await ended.CancelAsync();
        (await reading).Text.ShouldBe("same\nline 1\nsame\nline 2\nsame\nline 3\nsame\nline 4\nsame\nline 5\nno end");
        log.Connections.ShouldBeGreaterThan(1, "the silence between the lines is longer than a stream is believed");
    }

    [Fact]
    public async Task The_log_of_a_pod_that_is_gone_ends()
    {
        await using var space = await SpaceAsync();
        var log = LogFollower.OfStep(space.Cluster, new LogSource("none", "main"), 0);
        (await ReadAsync(log, CancellationToken.None, space.Token)).Text.ShouldBe("");
        log.Ending.ShouldBe(LogEnding.PodGone);
    }

    private protected abstract Task<TestSpace> SpaceAsync();

    private protected static V1ContainerState? StateOf(V1Pod? pod) => pod?.Status?.ContainerStatuses?.FirstOrDefault()?.State;

    private protected static async Task<(string Text, long Missing)> ReadAsync(LogFollower log, CancellationToken ended, CancellationToken cancellationToken)
    {
        var all = new MemoryStream();
        var missing = 0L;
        await foreach (var piece in log.ReadAsync(ended, cancellationToken))
        {
            all.Write(piece.Bytes.Span);
            missing += piece.Missing;
        }
        return (System.Text.Encoding.UTF8.GetString(all.ToArray()), missing);
    }

    private protected static async Task<ClusterFault> FaultOfAsync(Func<Task> call) => ClusterFault.Of(await Should.ThrowAsync<Exception>(call));
}

/// <summary>The same, of a real cluster.</summary>
public sealed class RealClusterTests : ClusterContract
{
    [Fact]
    public async Task Of_a_log_that_the_kubelet_rotates_nothing_is_doubled_and_what_is_missing_is_known()
    {
        await using var space = await SpaceAsync();
        await using var pods = new Reflector<V1Pod>(space.Cluster, new ReflectorOptions { Labels = "of=test" });
        // The kubelet looks every ten seconds whether a file has more than 10 MiB.
        const string Line = "................................................................................................";
        const string Burst = "awk -v o=$o 'BEGIN { for (i = 0; i < 130000; i++) { printf \"%d+" + Line + "\\n\", o; o += 97 } }'; o=$((o+12610000)); sleep 12; ";
        await space.PodAsync("much", "o=0; " + Burst + Burst + "echo \"$o+end\"");
        await pods.WaitForAsync("much", pod => StateOf(pod)?.Running is not null, space.Token);
        using var ended = new CancellationTokenSource();
        var log = LogFollower.OfStep(space.Cluster, new LogSource("much", "main"), 0);
        log.Total = (2 * 12_610_000) + 4;
        var reading = ReadAsync(log, ended.Token, space.Token);
        await pods.WaitForAsync("much", pod => StateOf(pod)?.Terminated is not null, space.Token);
        await ended.CancelAsync();
        var (text, missing) = await reading;
        TestContext.Current.SendDiagnosticMessage($"{text.Length} bytes, {missing} missing, {log.Connections} connections");
        (text.Length + missing).ShouldBe(log.Total.Value);
        text.ShouldEndWith("end\n");
        text.Split('\n').ShouldAllBe(line => line == Line || line == "end" || line == "");
        log.Ending.ShouldBe(LogEnding.Complete);
    }

    private protected override Task<TestSpace> SpaceAsync() => TestSpace.InAsync(Needs.Cluster());
}
