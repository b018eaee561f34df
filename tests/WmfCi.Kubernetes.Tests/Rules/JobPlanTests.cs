using System.Text.Json;
using System.Text.RegularExpressions;
using k8s;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>What an attempt becomes in a cluster.</summary>
public sealed partial class JobPlanTests
{
    private const string FetchToken = "the-token-of-fetch", CollectToken = "the-token-of-collect";
    private static readonly ExchangeAddress Exchange = new(new Uri("https://exchange.example:8443/"));

    [Fact]
    public void Names_are_names_of_machines_and_values_of_labels_and_no_two_attempts_share_one()
    {
        var random = new Random(11);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var ids = new HashSet<AttemptId>();
        for (var i = 0; i < 100_000; i++)
        {
            var stage = string.Concat(Enumerable.Range(0, random.Next(0, 60)).Select(_ => random.Next(4) switch { 0 => (char)random.Next(0x20, 0xD7FF), 1 => '-', 2 => (char)random.Next('A', 'Z'), _ => (char)random.Next('a', 'z') }));
            var id = new AttemptId(new RunId(random.Next(5) == 0 ? random.NextInt64(1, long.MaxValue) : random.Next(1, 50)), stage, random.Next(10) == 0 ? int.MaxValue : random.Next(1, 4));
            if (!ids.Add(id)) continue;
            var name = Marks.NameOf("wmfci", id);
            name.Length.ShouldBeLessThanOrEqualTo(63);
            Label().IsMatch(name).ShouldBeTrue(name);
            names.Add(name).ShouldBeTrue($"{id} has the name of another");
        }
        names.Count.ShouldBeGreaterThan(90_000);
    }

    [Fact]
    public void The_same_attempt_has_the_same_name_everywhere_and_another_on_another_site()
    {
        var id = new AttemptId(new RunId(12), "acceptance [php=8.1]", 2);
        Marks.NameOf("wmfci", id).ShouldBe(Marks.NameOf("wmfci", id));
        Marks.NameOf("wmfci", id).ShouldStartWith("r12-acceptance--php-8-1-a2-");
        Marks.NameOf("other", id).ShouldNotBe(Marks.NameOf("wmfci", id));
    }

    [Fact]
    public void Users_are_of_the_sites_range()
    {
        var random = new Random(5);
        var users = Enumerable.Range(0, 10_000).Select(i => Marks.UserOf(new UserRange(1_000_000, 500), $"{i}-{random.Next()}")).ToList();
        users.ShouldAllBe(user => user >= 1_000_000 && user < 1_000_500);
        users.Distinct().Count().ShouldBe(500);
    }

    [Fact]
    public void No_step_sees_a_token_a_secret_or_an_account_whatever_the_stage_says()
    {
        foreach (var (options, spec, worker) in Everything())
        {
            var plan = new JobPlan(options, spec, worker);
            var job = Job(plan);
            var pod = job.Spec.Template.Spec;
            var secrets = pod.Volumes.Where(volume => volume.Secret is not null || volume.Projected is not null || volume.Csi is not null).Select(volume => volume.Name).ToList();
            secrets.Count.ShouldBe(2);
            foreach (var step in pod.InitContainers.Where(container => JobPlan.StepNumber(container.Name) is not null))
            {
                step.VolumeMounts.ShouldAllBe(mount => !secrets.Contains(mount.Name));
                step.Env.ShouldBeNull("the cluster expands variables in what it gives to containers");
                step.EnvFrom.ShouldBeNull();
                step.Command.ShouldBe([PodPaths.Program, "step", JobPlan.StepNumber(step.Name)!.Value.ToString(System.Globalization.CultureInfo.InvariantCulture)]);
                step.Args.ShouldBeNull();
            }
            pod.AutomountServiceAccountToken.ShouldBe(false);
            pod.ServiceAccountName.ShouldBeNull();
            pod.EnableServiceLinks.ShouldBe(false);
            var written = KubernetesJson.Serialize(job);
            written.ShouldNotContain(FetchToken);
            written.ShouldNotContain(CollectToken);
        }
    }

    [Fact]
    public void Each_trusted_container_sees_its_own_token_only()
    {
        var (options, spec, worker) = Everything().First();
        var pod = Job(new JobPlan(options, spec, worker)).Spec.Template.Spec;
        string TokenOf(V1Container container) => pod.Volumes.Single(volume => volume.Secret is not null && container.VolumeMounts.Any(mount => mount.Name == volume.Name)).Secret.Items.Single(item => item.Path == "token").Key;
        TokenOf(pod.InitContainers[0]).ShouldBe("fetch");
        TokenOf(pod.Containers.ShouldHaveSingleItem()).ShouldBe("collect");
        pod.Containers[0].VolumeMounts.Where(mount => mount.Name is "work" or "logs").ShouldAllBe(mount => mount.ReadOnlyProperty == true);
    }

    [Fact]
    public void Every_container_is_restricted_and_bounded()
    {
        foreach (var (options, spec, worker) in Everything())
        {
            var plan = new JobPlan(options, spec, worker);
            var service = spec.Stage.Services.Select(service => new ServicePlan(options, plan.Name, service).Pod(spec.Id.ToString(), new V1OwnerReference()));
            foreach (var pod in service.Select(one => one.Spec).Append(Job(plan).Spec.Template.Spec))
            {
                pod.SecurityContext.RunAsNonRoot.ShouldBe(true);
                pod.SecurityContext.SeccompProfile.Type.ShouldBe("RuntimeDefault");
                (pod.HostNetwork, pod.HostPID, pod.HostIPC, pod.ShareProcessNamespace).ShouldBe((null, null, null, null));
                (pod.Volumes ?? []).ShouldAllBe(volume => volume.HostPath == null && volume.PersistentVolumeClaim == null && (volume.EmptyDir == null || volume.EmptyDir.SizeLimit != null));
                foreach (var container in (pod.InitContainers ?? []).Concat(pod.Containers))
                {
                    var context = container.SecurityContext;
                    context.AllowPrivilegeEscalation.ShouldBe(false);
                    context.Privileged.ShouldBe(false);
                    context.Capabilities.Drop.ShouldBe(["ALL"]);
                    context.Capabilities.Add.ShouldBeNull();
                    (context.RunAsUser, context.RunAsNonRoot, context.SeccompProfile, context.ProcMount).ShouldBe((null, null, null, null), "nothing is loosened for one container");
                    container.Resources.Limits.Keys.ShouldContain("memory");
                    container.Resources.Limits.Keys.ShouldContain("ephemeral-storage");
                    container.Resources.Requests.Keys.Order().ShouldBe(["cpu", "ephemeral-storage", "memory"]);
                    (container.Ports ?? []).ShouldAllBe(port => port.HostPort == null);
                    (container.VolumeMounts ?? []).ShouldAllBe(mount => mount.MountPropagation == null);
                    if (container.Image == options.Image) context.ReadOnlyRootFilesystem.ShouldBe(true);
                }
            }
            var stage = Job(plan).Spec.Template.Spec;
            stage.SecurityContext.RunAsUser.ShouldBe(Marks.UserOf(options.Users, plan.Name));
            stage.RestartPolicy.ShouldBe("Never");
        }
    }

    [Fact]
    public void A_job_is_tried_once_and_its_limits_lie_one_in_another()
    {
        var (options, spec, worker) = Everything().First();
        var plan = new JobPlan(options, spec, worker);
        var job = Job(plan).Spec;
        (job.BackoffLimit, job.Completions, job.Parallelism).ShouldBe((0, 1, 1));
        var (pod, stage) = (job.Template.Spec.ActiveDeadlineSeconds!.Value, (long)spec.Stage.Timeout.TotalSeconds);
        pod.ShouldBeGreaterThan(stage + (long)(options.StopGrace + options.Allowances.Overtime + options.Allowances.Silence).TotalSeconds);
        job.ActiveDeadlineSeconds!.Value.ShouldBeGreaterThan(pod + (long)worker.Waits.TotalSeconds);
        job.Template.Spec.TerminationGracePeriodSeconds!.Value.ShouldBeGreaterThan((long)options.StopGrace.TotalSeconds);
    }

    [Fact]
    public void A_lost_node_is_borne_for_a_minute_unless_the_worker_class_says_otherwise()
    {
        var (options, spec, worker) = Everything().First();
        var usual = Job(new JobPlan(options, spec, worker with { Tolerations = [] })).Spec.Template.Spec.Tolerations;
        usual.Select(taint => (taint.Key, taint.Effect, taint.TolerationSeconds)).ShouldBe([("node.kubernetes.io/not-ready", "NoExecute", 60L), ("node.kubernetes.io/unreachable", "NoExecute", 60L)]);
        var own = Job(new JobPlan(options, spec, worker with { Tolerations = [new Toleration("node.kubernetes.io/unreachable", "Exists", null, "NoExecute", 5), new Toleration("dedicated", "Equal", "ci", "NoSchedule", null)] })).Spec.Template.Spec.Tolerations;
        own.Select(taint => (taint.Key, taint.TolerationSeconds)).ShouldBe([("node.kubernetes.io/unreachable", 5L), ("dedicated", null), ("node.kubernetes.io/not-ready", 60L)]);
    }

    [Fact]
    public void What_the_cluster_would_expand_in_a_services_variables_and_command_reaches_it_as_written()
    {
        string[] texts = ["$(HOME)", "$$(HOME)", "$$$(HOME)", "pa$$word", "$", "a$", "$(", "$$", "${HOME}", "$(A)$(B)$$(C)$"];
        var service = new StageService
        {
            Name = "db",
            Image = "db:1",
            Environment = [new Variable("HOME", "/root"), .. texts.Select((text, i) => new Variable($"V{i}", text))],
            ReadyCommand = "test $$ = $(HOME)",
        };
        var container = new ServicePlan(Everything().First().Options, "r1", service).Pod("1/a/1", new V1OwnerReference()).Spec.Containers.ShouldHaveSingleItem();
        container.Env.Skip(1).Select(variable => Expanded(variable.Value)).ShouldBe(texts);
        Expanded(container.ReadinessProbe.Exec.Command[2]).ShouldBe(service.ReadyCommand);
    }

    [Fact]
    public void Orders_say_what_the_steps_do_as_it_was_written()
    {
        var (options, spec, worker) = Everything().First();
        var orders = new JobPlan(options, spec, worker).Orders();
        orders.Fetch.Steps.Steps.ShouldBe(spec.Stage.Steps.ToArray());
        var again = JsonSerializer.Deserialize(JsonSerializer.SerializeToUtf8Bytes(orders.Fetch, WireJson.Default.FetchOrder), WireJson.Default.FetchOrder)!;
        again.Steps.Environment.ShouldContain(new Variable("DOLLAR", "$(HOME) $$"));
        again.Steps.Environment.Count(variable => variable.Name == "WMFCI_RUN").ShouldBe(1);
        again.Steps.Environment.Single(variable => variable.Name == "WMFCI_RUN").Value.ShouldBe("7", "facts are not the stage's to change");
        orders.Collect.Steps.ShouldBe(spec.Stage.Steps.Count);
    }

    [Fact]
    public void What_it_takes_of_a_quota_is_what_its_pods_ask_for()
    {
        foreach (var (options, spec, worker) in Everything())
        {
            var plan = new JobPlan(options, spec, worker);
            List<V1PodSpec> pods = [Job(plan).Spec.Template.Spec, .. spec.Stage.Services.Select(service => new ServicePlan(options, plan.Name, service).Pod("x", new V1OwnerReference()).Spec)];
            decimal Asked(string resource) => pods.Sum(pod => Math.Max(pod.Containers.Sum(container => container.Resources.Requests[resource].ToDecimal()), (pod.InitContainers ?? []).Select(container => container.Resources.Requests[resource].ToDecimal()).DefaultIfEmpty().Max()));
            plan.Demand.Of("pods").ShouldBe(pods.Count);
            plan.Demand.Of("requests.cpu").ShouldBe(Asked("cpu"));
            plan.Demand.Of("requests.memory").ShouldBe(Asked("memory"));
            plan.Demand.Of("requests.ephemeral-storage").ShouldBe(Asked("ephemeral-storage"));
            plan.Demand.Of("services").ShouldBeNull();
        }
    }

    // As kubelets do it.
    private static string Expanded(string text)
    {
        var result = new System.Text.StringBuilder();
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '$' || i + 1 == text.Length) result.Append(text[i]);
            else if (text[i + 1] == '$') result.Append(text[++i]);
            else if (text[i + 1] == '(' && text.IndexOf(')', i) is > 0 and var end) (_, i) = (result.Append("EXPANDED"), end);
            else result.Append('$');
        }
        return result.ToString();
    }

    private static V1Job Job(JobPlan plan) => plan.Job(new string('0', 64), (FetchToken, CollectToken), Exchange, [("db", "10.0.0.1")]);

    private static IEnumerable<(KubernetesRunnerOptions Options, AttemptSpec Spec, WorkerClass Worker)> Everything()
    {
        var options = Some.Options;
        var service = new StageService { Name = "db", Image = "mariadb:11", Environment = [new Variable("PASSWORD", "$(HOME)")], ReadyPort = 3306 };
        var stage = new Stage
        {
            Name = "acceptance",
            Image = "debian:12",
            Timeout = TimeSpan.FromMinutes(20),
            Steps = [new Step("one", "echo $(HOME) $$"), new Step("two", "true")],
            Environment = [new Variable("DOLLAR", "$(HOME) $$"), new Variable("WMFCI_RUN", "mine")],
            Artifacts = ["out/*"],
        };
        var spec = new AttemptSpec { Id = new AttemptId(new RunId(7), stage.Id, 1), Stage = stage, Snapshot = new string('1', 64), Facts = [new Variable("WMFCI_RUN", "7")] };
        WorkerClass[] workers =
        [
            Some.Worker with { Name = "small" },
            Some.Worker with { Name = "large", CpuMillis = 4000, CpuLimitMillis = 8000, Architecture = "arm64", NodeSelector = [KeyValuePair.Create("disk", "ssd")], Tolerations = [new Toleration("ci", "Exists", null, null, null)], RuntimeClass = "gvisor", PriorityClass = "gate" },
        ];
        return from worker in workers
               from services in new StageService[][] { [], [service], [service, service with { Name = "cache", User = 999, ReadyPort = null, ReadyCommand = "true" }] }
               from network in new[] { false, true }
               from site in new[] { options, options with { PullSecret = "pull", Exchange = options.Exchange with { AuthorityFile = "/ca" } } }
               select (site, spec with { Stage = stage with { Services = [.. services], HasNetwork = network } }, worker);
    }

    [GeneratedRegex("^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Label();
}
