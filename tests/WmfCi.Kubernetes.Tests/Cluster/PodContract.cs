using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes.Tests;

/// <summary>What the runner relies on of Jobs and their pods, whatever cluster runs them.</summary>
public abstract class PodContract
{
    [Fact]
    public async Task A_jobs_pod_runs_its_containers_one_after_another_and_shares_its_volumes()
    {
        await using var space = await SpaceAsync();
        await using var pods = PodsOf(space);
        await space.Client.CoreV1.CreateNamespacedSecretAsync(
            new V1Secret { Metadata = new() { Name = "token" }, StringData = new Dictionary<string, string> { ["token"] = "secret word" } }, space.Name, cancellationToken: space.Token);
        await CreateJobAsync(
            space,
            "ordered",
            [
                Container("first", "cat /token/token > /work/from-first; echo $POD > /work/uid; printf first > /dev/termination-log", ("token", "/token", null), ("work", "/work", null)),
                Container("second", "test ! -e /token || exit 9; cat /work/from-first; mkdir -p /own; echo mine > /own/file", ("work", "/work", null), ("own", "/own", "second")),
            ],
            Container("main", "cat /all/second/file; cat /work/uid; test \"$(id -u)\" = 1000", ("own", "/all", null), ("work", "/work", null)));
        var pod = await EndedAsync(pods, space);
        pod.Status.Phase.ShouldBe("Succeeded", Describe(pod));
        pod.Metadata.Labels["job-name"].ShouldBe("ordered");
        pod.Metadata.OwnerReferences.ShouldHaveSingleItem().Name.ShouldBe("ordered");
        var first = pod.Status.InitContainerStatuses.Single(status => status.Name == "first").State.Terminated;
        (first.ExitCode, first.Message, first.Reason).ShouldBe((0, "first", "Completed"));
        first.FinishedAt.ShouldNotBeNull();
        (await LogAsync(space, pod, "second")).ShouldBe("secret word");
        (await LogAsync(space, pod, "main")).ShouldBe($"mine\n{pod.Metadata.Uid}\n");
        await using var jobs = new Reflector<V1Job>(space.Cluster, new ReflectorOptions());
        (await jobs.WaitForAsync("ordered", job => job?.Status.Succeeded == 1, space.Token))!.Status.Conditions.ShouldContain(condition => condition.Type == "Complete" && condition.Status == "True");
    }

    [Fact]
    public async Task After_an_init_container_that_failed_nothing_runs()
    {
        await using var space = await SpaceAsync();
        await using var pods = PodsOf(space);
        await CreateJobAsync(space, "fails", [Container("first", "exit 3")], Container("main", "echo never"));
        var pod = await EndedAsync(pods, space);
        pod.Status.Phase.ShouldBe("Failed");
        pod.Status.InitContainerStatuses.Single().State.Terminated.ExitCode.ShouldBe(3);
        pod.Status.ContainerStatuses.Single().State.Waiting.Reason.ShouldBe("PodInitializing");
        await using var jobs = new Reflector<V1Job>(space.Cluster, new ReflectorOptions());
        var job = await jobs.WaitForAsync("fails", job => job?.Status.Conditions?.Any(condition => condition.Type == "Failed") is true, space.Token);
        job!.Status.Conditions.ShouldContain(condition => condition.Type == "Failed" && condition.Reason == "BackoffLimitExceeded");
    }

    [Fact]
    public async Task A_pod_waits_for_its_secret()
    {
        await using var space = await SpaceAsync();
        await using var pods = PodsOf(space);
        await CreateJobAsync(space, "waits", [], Container("main", "cat /token/token", ("token", "/token", null)));
        await pods.WaitForAnyAsync(pod => pod.Status?.ContainerStatuses?.SingleOrDefault()?.State.Waiting?.Reason == "ContainerCreating", space.Token);
        await space.Client.CoreV1.CreateNamespacedSecretAsync(
            new V1Secret { Metadata = new() { Name = "token" }, StringData = new Dictionary<string, string> { ["token"] = "late" } }, space.Name, cancellationToken: space.Token);
        var pod = await EndedAsync(pods, space);
        (await LogAsync(space, pod, "main")).ShouldBe("late");
    }

    [Fact]
    public async Task A_pod_whose_time_is_over_is_ended_and_says_why()
    {
        await using var space = await SpaceAsync();
        await using var pods = PodsOf(space);
        await CreateJobAsync(space, "late", [Container("first", "exec sleep 60")], Container("main", "true"), spec => spec.ActiveDeadlineSeconds = 2);
        var pod = await EndedAsync(pods, space);
        (pod.Status.Phase, pod.Status.Reason).ShouldBe(("Failed", "DeadlineExceeded"));
    }

    [Fact]
    public async Task With_a_job_that_is_deleted_go_its_pod_and_what_else_it_owns()
    {
        await using var space = await SpaceAsync();
        await using var pods = PodsOf(space);
        var job = await CreateJobAsync(space, "goes", [], Container("main", "exec sleep 600"), spec => spec.TerminationGracePeriodSeconds = 1);
        await pods.WaitForAnyAsync(pod => pod.Status?.Phase == "Running", space.Token);
        var owner = new V1OwnerReference { ApiVersion = "batch/v1", Kind = "Job", Name = "goes", Uid = job.Metadata.Uid };
        await space.Client.CoreV1.CreateNamespacedSecretAsync(new V1Secret { Metadata = new() { Name = "owned", OwnerReferences = [owner] } }, space.Name, cancellationToken: space.Token);
        await using var secrets = new Reflector<V1Secret>(space.Cluster, new ReflectorOptions());
        await secrets.WaitForAsync("owned", secret => secret is not null, space.Token);
        await space.Client.BatchV1.DeleteNamespacedJobAsync("goes", space.Name, propagationPolicy: "Background", cancellationToken: space.Token);
        await secrets.WaitForAsync("owned", secret => secret is null, space.Token);
        await pods.WaitForNoneAsync(space.Token);
    }

    [Fact]
    public async Task A_pod_that_no_node_fits_says_so()
    {
        await using var space = await SpaceAsync();
        await using var pods = PodsOf(space);
        await CreateJobAsync(space, "large", [], Container("main", "true"), spec => spec.NodeSelector = new Dictionary<string, string> { ["no"] = "such-node" });
        await pods.WaitForAnyAsync(
            pod => pod.Status?.Conditions?.Any(condition => condition is { Type: "PodScheduled", Status: "False", Reason: "Unschedulable" }) is true,
            space.Token);
    }

    [Fact]
    public async Task A_job_whose_pod_the_quota_refuses_tells_it_by_an_event()
    {
        await using var space = await SpaceAsync();
        var quota = new V1ResourceQuota { Metadata = new() { Name = "none" }, Spec = new() { Hard = new Dictionary<string, ResourceQuantity> { ["pods"] = new("0") } } };
        await space.Client.CoreV1.CreateNamespacedResourceQuotaAsync(quota, space.Name, cancellationToken: space.Token);
        await using var quotas = new Reflector<V1ResourceQuota>(space.Cluster, new ReflectorOptions());
        await quotas.WaitForAsync("none", item => item?.Status?.Hard?.ContainsKey("pods") is true, space.Token);
        await CreateJobAsync(space, "refused", [], Container("main", "true"));
        await using var events = new Reflector<Corev1Event>(space.Cluster, new ReflectorOptions { Fields = "involvedObject.kind=Job,reason=FailedCreate" });
        (await events.WaitForAnyAsync(_ => true, space.Token)).Message.ShouldContain("exceeded quota");
    }

    private protected abstract Task<TestSpace> SpaceAsync();

    private protected static Reflector<V1Pod> PodsOf(TestSpace space) => new(space.Cluster, new ReflectorOptions { Labels = "job-name" });

    private protected static V1Container Container(string name, string script, params (string Volume, string Path, string? Below)[] mounts) => new()
    {
        Name = name,
        Image = Needs.Image,
        Command = ["/bin/sh", "-c", script],
        Env = [new V1EnvVar { Name = "POD", ValueFrom = new() { FieldRef = new() { FieldPath = "metadata.uid" } } }],
        SecurityContext = new() { RunAsUser = 1000, RunAsGroup = 1000 },
        VolumeMounts = [.. mounts.Select(mount => new V1VolumeMount { Name = mount.Volume, MountPath = mount.Path, SubPath = mount.Below, ReadOnlyProperty = mount.Volume == "token" })],
    };

    private protected static Task<V1Job> CreateJobAsync(TestSpace space, string name, V1Container[] init, V1Container main, Action<V1PodSpec>? more = null)
    {
        var mounts = init.Append(main).SelectMany(container => container.VolumeMounts).Select(mount => mount.Name).Distinct();
        var spec = new V1PodSpec
        {
            RestartPolicy = "Never",
            AutomountServiceAccountToken = false,
            EnableServiceLinks = false,
            SecurityContext = new() { FsGroup = 1000 },
            InitContainers = init,
            Containers = [main],
            Volumes = [.. mounts.Select(mount => mount == "token" ? new V1Volume { Name = mount, Secret = new() { SecretName = "token" } } : new V1Volume { Name = mount, EmptyDir = new() })],
        };
        more?.Invoke(spec);
        var job = new V1Job { Metadata = new() { Name = name }, Spec = new() { BackoffLimit = 0, Template = new() { Spec = spec } } };
        return space.Client.BatchV1.CreateNamespacedJobAsync(job, space.Name, cancellationToken: space.Token);
    }

    private protected static Task<V1Pod> EndedAsync(Reflector<V1Pod> pods, TestSpace space) =>
        pods.WaitForAnyAsync(pod => pod.Status?.Phase is "Succeeded" or "Failed", space.Token);

    private protected static string Describe(V1Pod pod) => KubernetesJson.Serialize(pod.Status);

    private protected static async Task<string> LogAsync(TestSpace space, V1Pod pod, string container)
    {
        using var reader = new StreamReader(await space.Client.CoreV1.ReadNamespacedPodLogAsync(pod.Metadata.Name, space.Name, container, cancellationToken: space.Token));
        return await reader.ReadToEndAsync(space.Token);
    }
}

/// <summary>The same, of a real cluster.</summary>
public sealed class RealPodTests : PodContract
{
    private protected override Task<TestSpace> SpaceAsync() => TestSpace.InAsync(Needs.Cluster());
}

/// <summary>The same, of the stand-in.</summary>
public sealed class StandInPodTests(SharedStandIn shared) : PodContract
{
    private protected override Task<TestSpace> SpaceAsync()
    {
        Needs.Bubblewrap();
        return TestSpace.InAsync(shared.StandIn.Kubeconfig);
    }
}

internal static class ReflectorWaits
{
    /// <summary>Waits for an object of any name.</summary>
    public static async Task<T> WaitForAnyAsync<T>(this Reflector<T> reflector, Func<T, bool> isWanted, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        await foreach (var change in reflector.ChangesAsync(null, cancellationToken))
        {
            if (change.Kind is ChangeKind.Set && isWanted(change.Item)) return change.Item;
        }
        throw new InvalidOperationException("The reflector ended.");
    }

    /// <summary>Waits until there is no object any more.</summary>
    public static async Task WaitForNoneAsync<T>(this Reflector<T> reflector, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        // By name, because the last may go between a look at all and a subscription.
        while (reflector.Items is [var item, ..]) await reflector.WaitForAsync(item.Metadata.Name, found => found is null, cancellationToken);
    }
}
