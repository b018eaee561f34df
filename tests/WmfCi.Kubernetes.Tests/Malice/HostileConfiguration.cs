using System.Text;
using k8s;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Tests.Runner;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>The pipeline's configuration comes with the change: names, images and variables are as hostile as the steps.</summary>
public sealed class HostileConfiguration
{
    [Fact]
    public async Task Variables_for_loaders_and_runtimes_reach_the_step_and_not_its_supervisor()
    {
        await using var here = await Hostile.SiteAsync();
        var stage = here.StageOf("echo fine; echo \"$DOTNET_STARTUP_HOOKS $KUBERNETES_X $(tr '\\0' ' ' < /proc/$$/comm)\"; exit 6", "echo never") with
        {
            Environment =
            [
                new("LD_PRELOAD", "/work/evil.so"), new("LD_LIBRARY_PATH", "/work"), new("PATH", "/work"), new("ENV", "/work/sh"), new("BASH_ENV", "/work/sh"), new("DOTNET_STARTUP_HOOKS", "/work/evil.dll"),
                new("DOTNET_GCHeapHardLimit", "1"), new("DOTNET_EnableDiagnostics", "1"), new("GIT_SSH_COMMAND", "/work/sh"), new("WMFCI_EXCHANGE", "http://10.244.0.1:1/"), new("KUBERNETES_X", "$(WMFCI_POD)"), new("IFS", "/"),
            ],
        };
        var heard = await here.RunAsync(stage, ("sh", "#!/bin/sh\necho hijacked\n"), ("evil.so", "no library"));
        heard.ShouldEnd(OutcomeKind.Failed, "Exit status 6.");
        heard.Output.ShouldNotContain("hijacked");
        heard.Output.ShouldContain("/work/evil.dll $(WMFCI_POD) sh");
        heard.Notes.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("A=B", "x", "The name of an environment variable has other characters than letters, digits and underscores, or begins with a digit.")]
    [InlineData("A\nB", "x", "The name of an environment variable has other characters than letters, digits and underscores, or begins with a digit.")]
    [InlineData("", "x", "The name of an environment variable has other characters than letters, digits and underscores, or begins with a digit.")]
    [InlineData("A", "x\0y", "The environment variable A has a NUL character in its value; leave it out.")]
    public async Task Variables_that_are_none_are_refused(string name, string value, string said)
    {
        await using var here = await Hostile.SiteAsync();
        (await here.RunAsync(here.StageOf("true") with { Environment = [new Variable(name, value)] })).ShouldEnd(OutcomeKind.Misconfigured, said);
    }

    private static readonly string[] Images =
    [
        "", " ", "$(id)", "debian; id", "-h", "../../etc/passwd", "http://10.244.0.1/x", "UPPER/CASE", "a:b:c", "debian@sha256:00", "a\nb", "a\"b'c", "{{ .Env }}", "\u202Eevil", "a\0b", new('a', 20_000), "//", "file:///etc/passwd",
    ];

    private static readonly Once<Dictionary<string, Heard>> Pulled = new(async () =>
    {
        await using var here = await Hostile.SiteAsync();
        var heard = await Task.WhenAll(Images.Select(image => here.RunAsync(here.StageOf("echo ran") with { Image = image })));
        return Images.Zip(heard).ToDictionary(pair => pair.First, pair => pair.Second);
    });

    public static TheoryData<string> ImageNames => [.. Images];

    [Theory, MemberData(nameof(ImageNames))]
    public async Task No_image_comes_of(string name)
    {
        var heard = (await Pulled.Result)[name];
        heard.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, heard.ToString());
        heard.Report.Explanation.ShouldEndWith("” cannot be an image. Write a name such as `docker.io/library/debian:12`, in small letters.");
        heard.Report.Explanation.Length.ShouldBeLessThan(1000);
        heard.Report.Explanation.ShouldNotContain('\n');
        heard.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task Whatever_a_stage_is_called_the_cluster_takes_its_objects()
    {
        await using var here = await Hostile.SiteAsync();
        var random = new Random(4);
        var specs = Enumerable.Range(0, 1000).Select(i => new AttemptSpec
        {
            Id = new AttemptId(new RunId(i), NameOf(random), random.Next(1, 100)),
            Stage = here.StageOf("true"),
            Snapshot = new string('0', 64),
        }).ToList();
        await Parallel.ForEachAsync(specs, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = here.Token }, async (spec, token) =>
        {
            var plan = new JobPlan(here.Options, spec, here.Options.Workers["default"]);
            var job = plan.Job("order", ("one", "two"), new ExchangeAddress(new Uri("http://10.244.0.1:1/")), []);
            // A namespace that does not say `restricted` would take more; this one says what stages' namespaces say.
            var made = await here.Client.BatchV1.CreateNamespacedJobAsync(job, here.Namespace, dryRun: "All", cancellationToken: token);
            made.Name().ShouldBe(plan.Name, spec.Id.Stage);
        });
    }

    private static string NameOf(Random random)
    {
        string[] hostile = ["..", "/", "\n", "\0", "$(id)", "`", "'", "\"", "{{x}}", "\u202E", "é", "🦊", "\uD800", " ", "-", ".", "_", "%2e", "<b>", "A", "z", "9", "\\", "\t", ":", ",", "=", "!", "\u0000"];
        var name = new StringBuilder();
        for (var parts = random.Next(0, 60); parts > 0; parts--) name.Append(hostile[random.Next(hostile.Length)]);
        return name.ToString();
    }

    [Fact]
    public async Task Pods_of_stages_have_nothing_that_the_strictest_standard_forbids_and_their_namespace_would_not_take_it()
    {
        await using var here = await Hostile.SiteAsync();
        await here.RunAsync("true");
        var pod = (await here.PodAsync())!;
        pod.Spec.AutomountServiceAccountToken.ShouldBe(false);
        pod.Spec.EnableServiceLinks.ShouldBe(false);
        (pod.Spec.HostNetwork, pod.Spec.HostPID, pod.Spec.HostIPC).ShouldBe((null, null, null));
        pod.Spec.Volumes.ShouldAllBe(volume => volume.EmptyDir != null || volume.Secret != null);
        foreach (var container in pod.Spec.InitContainers.Concat(pod.Spec.Containers))
        {
            container.SecurityContext.AllowPrivilegeEscalation.ShouldBe(false);
            container.SecurityContext.Capabilities.Drop.ShouldBe(["ALL"]);
            container.Resources.Limits.Keys.ShouldBe(["memory", "ephemeral-storage"], ignoreOrder: true);
            if (container.Name.StartsWith("step-", StringComparison.Ordinal)) container.VolumeMounts.ShouldNotContain(mount => mount.MountPath.Contains("token", StringComparison.Ordinal));
        }

        // What no configuration can ask for is refused even if it could, by servers that know how.
        if (!await here.Client.IsAtLeastAsync(ServerAge.EnforcesPodSecurity, here.Token)) return;
        foreach (var loosen in Loosened)
        {
            var looser = new V1Pod { Metadata = new() { Name = "looser" }, Spec = KubernetesJson.Deserialize<V1PodSpec>(KubernetesJson.Serialize(pod.Spec)) };
            looser.Spec.NodeName = null;
            loosen(looser.Spec);
            var refused = await Should.ThrowAsync<k8s.Autorest.HttpOperationException>(here.Client.CoreV1.CreateNamespacedPodAsync(looser, here.Namespace, dryRun: "All", cancellationToken: here.Token));
            refused.Response.Content.ShouldContain("violates PodSecurity", customMessage: refused.Response.Content);
        }
    }

    private static readonly Action<V1PodSpec>[] Loosened =
    [
        spec => spec.HostNetwork = true, spec => spec.HostPID = true, spec => spec.HostIPC = true,
        spec => spec.Volumes.Add(new V1Volume { Name = "node", HostPath = new V1HostPathVolumeSource { Path = "/" } }),
        spec => (spec.InitContainers[1].SecurityContext.Privileged, spec.InitContainers[1].SecurityContext.AllowPrivilegeEscalation) = (true, true), spec => spec.InitContainers[1].SecurityContext.AllowPrivilegeEscalation = true,
        spec => spec.InitContainers[1].SecurityContext.Capabilities.Add = ["NET_ADMIN"], spec => spec.InitContainers[1].SecurityContext.RunAsUser = 0,
        spec => spec.InitContainers[1].SecurityContext.RunAsNonRoot = false, spec => spec.InitContainers[1].SecurityContext.SeccompProfile = new V1SeccompProfile { Type = "Unconfined" },
        spec => spec.InitContainers[1].Ports = [new V1ContainerPort { ContainerPort = 80, HostPort = 80 }],
        spec => spec.SecurityContext.Sysctls = [new V1Sysctl { Name = "kernel.msgmax", Value = "1" }], spec => spec.SecurityContext.SeLinuxOptions = new V1SELinuxOptions { User = "root" },
    ];
}
