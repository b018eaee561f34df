using k8s;
using k8s.Models;
using WmfCi.Fakes;
using WmfCi.Fakes.Kubernetes;

namespace WmfCi.Kubernetes.Tests;

/// <summary>What goes wrong between the service and an API server, and that it makes no difference in the end.</summary>
public sealed class ClusterFaultTests : IAsyncLifetime
{
    private KubernetesStandIn _standIn = null!;
    private TestSpace _space = null!;

    public async ValueTask InitializeAsync()
    {
        _standIn = await KubernetesStandIn.StartAsync();
        _space = await TestSpace.InAsync(_standIn.Kubeconfig);
    }

    public async ValueTask DisposeAsync()
    {
        _space.Cluster.Dispose();
        await _standIn.DisposeAsync();
    }

    [Theory]
    [InlineData(429), InlineData(500), InlineData(503)]
    public async Task A_call_that_may_be_repeated_is_repeated_while_the_server_is_disturbed(int status)
    {
        _standIn.Faults.Fail(new RequestFault(status, "create", "configmaps", Times: 2));
        await _space.Cluster.Retries.RunAsync(_ => _space.ConfigMapAsync("one"), _space.Token);
        _standIn.Requests["create configmaps"].ShouldBe(3);
    }

    [Fact]
    public async Task The_server_is_given_the_time_that_it_asks_for()
    {
        _standIn.Faults.Fail(new RequestFault(429, "create", "configmaps") { RetryAfter = 2 });
        var began = TimeProvider.System.GetTimestamp();
        await _space.Cluster.Retries.RunAsync(_ => _space.ConfigMapAsync("one"), _space.Token);
        TimeProvider.System.GetElapsedTime(began).ShouldBeGreaterThan(TimeSpan.FromSeconds(1.9));
    }

    [Fact]
    public async Task A_creation_whose_answer_was_lost_says_that_the_object_is_there()
    {
        _standIn.Faults.Fail(new RequestFault(500, "create", "configmaps") { IsCarriedOut = true });
        var fault = ClusterFault.Of(await Should.ThrowAsync<Exception>(_space.Cluster.Retries.RunAsync(_ => _space.ConfigMapAsync("one"), _space.Token)));
        fault.Kind.ShouldBe(FaultKind.AlreadyExists);
    }

    [Fact]
    public async Task A_right_that_is_missing_is_not_asked_for_again()
    {
        _standIn.Faults.Deny("create", "configmaps");
        var fault = ClusterFault.Of(await Should.ThrowAsync<Exception>(_space.Cluster.Retries.RunAsync(_ => _space.ConfigMapAsync("one"), _space.Token)));
        fault.Kind.ShouldBe(FaultKind.Forbidden);
        _standIn.Requests["create configmaps"].ShouldBe(1);
    }

    [Fact]
    public async Task A_watch_that_is_cut_goes_on_where_it_was()
    {
        await using var maps = Maps();
        await maps.WaitSyncedAsync(_space.Token);
        _standIn.Faults.DropWatches();
        await _space.ConfigMapAsync("while-cut");
        (await maps.WaitForAsync("while-cut", map => map is not null, _space.Token)).ShouldNotBeNull();
        _standIn.Requests["list configmaps"].ShouldBe(1);
    }

    [Theory]
    [InlineData(true), InlineData(false)]
    public async Task When_the_server_has_forgotten_the_version_all_is_listed_again(bool byStatus)
    {
        _standIn.Faults.ExpiresByStatus = byStatus;
        await _space.ConfigMapAsync("goes");
        await using var maps = Maps();
        await maps.WaitForAsync("goes", map => map is not null, _space.Token);
        _standIn.Faults.HangWatches = true;
        await _space.Client.CoreV1.DeleteNamespacedConfigMapAsync("goes", _space.Name, cancellationToken: _space.Token);
        await _space.ConfigMapAsync("comes");
        _standIn.ForgetHistory();
        _standIn.Faults.HangWatches = false;
        _standIn.Faults.DropWatches();
        await maps.WaitForAsync("goes", map => map is null, _space.Token);
        await maps.WaitForAsync("comes", map => map is not null, _space.Token);
        await UntilAsync(() => _standIn.Requests["list configmaps"] > 1);
        _standIn.Requests["list configmaps"].ShouldBe(2);
    }

    [Fact]
    public async Task A_watch_that_says_nothing_is_made_good_by_the_next_list()
    {
        await using var maps = Maps(resync: TimeSpan.FromSeconds(2));
        await maps.WaitSyncedAsync(_space.Token);
        _standIn.Faults.HangWatches = true;
        await _space.ConfigMapAsync("unseen");
        (await maps.WaitForAsync("unseen", map => map is not null, _space.Token)).ShouldNotBeNull();
    }

    [Fact]
    public async Task An_event_that_is_lost_is_made_good_by_the_next_list()
    {
        await _space.ConfigMapAsync("goes");
        await using var maps = Maps(resync: TimeSpan.FromSeconds(2));
        await maps.WaitForAsync("goes", map => map is not null, _space.Token);
        _standIn.Faults.LoseEvents("configmaps", 1);
        await _space.Client.CoreV1.DeleteNamespacedConfigMapAsync("goes", _space.Name, cancellationToken: _space.Token);
        await maps.WaitForAsync("goes", map => map is null, _space.Token);
    }

    [Fact]
    public async Task An_event_from_before_changes_nothing()
    {
        await _space.ConfigMapAsync("one", "old");
        await using var maps = Maps();
        await maps.WaitForAsync("one", map => map is not null, _space.Token);
        _standIn.Faults.RepeatStaleEvents("configmaps", 1);
        await PatchAsync("one", "new");
        await _space.ConfigMapAsync("after");
        await maps.WaitForAsync("after", map => map is not null, _space.Token);
        maps.Find("one")!.Data["value"].ShouldBe("new");
    }

    [Fact]
    public async Task An_api_server_that_is_away_for_a_while_is_found_again()
    {
        await using var maps = Maps();
        await maps.WaitSyncedAsync(_space.Token);
        await _standIn.StopApiAsync();
        await UntilAsync(() => maps.Trouble is { Kind: FaultKind.Unavailable });
        var tries = 0;
        var late = _space.Cluster.Retries.RunAsync(
            _ =>
            {
                Interlocked.Increment(ref tries);
                return _space.ConfigMapAsync("late");
            },
            _space.Token);
        await UntilAsync(() => Volatile.Read(ref tries) > 1);
        _standIn.StartApi();
        await late;
        await maps.WaitForAsync("late", map => map is not null, _space.Token);
        maps.Trouble.ShouldBeNull();
    }

    [Fact]
    public async Task A_connection_that_went_dead_is_noticed_within_seconds()
    {
        using var watching = Open(_standIn.Kubeconfig, _space.Name, keepAlive: TimeSpan.FromSeconds(1));
        await using var maps = Maps(watching);
        await maps.WaitSyncedAsync(_space.Token);
        await _space.ConfigMapAsync("before");
        await maps.WaitForAsync("before", map => map is not null, _space.Token);
        using var other = Open(_standIn.Kubeconfig, _space.Name);
        _standIn.FreezeConnections();
        var began = TimeProvider.System.GetTimestamp();
        await other.Client.CoreV1.CreateNamespacedConfigMapAsync(
            new V1ConfigMap { Metadata = new() { Name = "meanwhile", Labels = new Dictionary<string, string> { ["of"] = "test" } } }, _space.Name, cancellationToken: _space.Token);
        await maps.WaitForAsync("meanwhile", map => map is not null, _space.Token);
        // Whatever else would notice it takes minutes, and a busy machine is many times slower than an idle one.
        TimeProvider.System.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task A_list_whose_pages_are_forgotten_is_begun_anew()
    {
        for (var i = 0; i < 4; i++) await _space.ConfigMapAsync($"map-{i}");
        _standIn.Faults.Fail(new RequestFault(410, "list", "configmaps", Times: 2));
        await using var maps = new Reflector<V1ConfigMap>(_space.Cluster, new ReflectorOptions { Labels = "of=test", Page = 2 });
        await maps.WaitSyncedAsync(_space.Token);
        maps.Items.Count.ShouldBe(4);
    }

    [Fact]
    public void A_configuration_that_does_not_check_the_server_is_refused()
    {
        using var folder = new TempFolder();
        var file = Configured(folder, ", certificate-authority: ", ", insecure-skip-tls-verify: true, proxy-url: ");
        Should.Throw<ArgumentException>(() => Open(file)).Message.ShouldContain("certificate-authority");
    }

    [Fact]
    public async Task A_server_that_another_authority_vouches_for_is_not_spoken_to()
    {
        await using var other = await KubernetesStandIn.StartAsync();
        using var folder = new TempFolder();
        using var cluster = Open(Configured(folder, Path.GetDirectoryName(_standIn.Kubeconfig)!, Path.GetDirectoryName(other.Kubeconfig)!));
        await ShouldNotTrustAsync(cluster);
    }

    [Fact]
    public async Task A_server_whose_certificate_is_another_servers_is_not_spoken_to()
    {
        using var folder = new TempFolder();
        using var cluster = Open(Configured(folder, ", certificate-authority: ", ", tls-server-name: other.example, certificate-authority: "));
        await ShouldNotTrustAsync(cluster);
    }

    private static Kubernetes.Cluster Open(string kubeconfig, string space = "default", TimeSpan? keepAlive = null) =>
        Kubernetes.Cluster.Open(new ClusterOptions { Kubeconfig = kubeconfig, Namespace = space, KeepAlive = keepAlive ?? TimeSpan.FromSeconds(30) }, TimeProvider.System);

    private async Task ShouldNotTrustAsync(Kubernetes.Cluster cluster)
    {
        var fault = ClusterFault.Of(await Should.ThrowAsync<Exception>(cluster.Client.CoreV1.ListNamespacedPodAsync("default", cancellationToken: _space.Token)));
        fault.Kind.ShouldBe(FaultKind.Unavailable);
        fault.Message.ShouldStartWith("The API server's certificate is not trusted");
        _standIn.Requests.ContainsKey("list pods").ShouldBeFalse();
    }

    private string Configured(TempFolder folder, string text, string instead) => folder.Write("kubeconfig", File.ReadAllText(_standIn.Kubeconfig).Replace(text, instead, StringComparison.Ordinal));

    private Reflector<V1ConfigMap> Maps(Kubernetes.Cluster? cluster = null, TimeSpan? resync = null) =>
        new(cluster ?? _space.Cluster, new ReflectorOptions { Labels = "of=test", Resync = resync ?? TimeSpan.FromMinutes(10) });

    private Task<V1ConfigMap> PatchAsync(string name, string value) => _space.Client.CoreV1.PatchNamespacedConfigMapAsync(
        new V1Patch($$$"""{"data":{"value":"{{{value}}}"}}""", V1Patch.PatchType.MergePatch), name, _space.Name, cancellationToken: _space.Token);

    private async Task UntilAsync(Func<bool> isSo)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (!isSo()) await timer.WaitForNextTickAsync(_space.Token);
    }
}
