using k8s;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>Databases and the like beside a stage, on a real cluster.</summary>
public sealed class ServiceTests
{
    // What a step says to get a page: images of languages have no common program for it. A cluster may take a moment to let a new pod through; until then it is not answered at all, and would ask for minutes.
    private const string Get = "get() { until page=$(timeout 6 bash -c \"exec 3<>/dev/tcp/$1/8080; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3\" | tail -n 1) && [ -n \"$page\" ]; do sleep 0.1; done; echo \"$page\"; }; ";

    [Fact]
    public async Task Services_are_reached_by_name_and_what_they_printed_is_kept_and_they_are_gone_after()
    {
        await using var here = await OpenAsync();
        var stage = here.StageOf(Get + "get web; get cache") with { Services = [await WebAsync("web"), await WebAsync("cache") with { ReadyPort = null, ReadyCommand = "test -e /tmp/ready" }] };
        var heard = await here.RunAsync(stage);

        heard.Report.Kind.ShouldBe(OutcomeKind.Succeeded, heard.ToString());
        heard.Output.ShouldContain("page of web");
        heard.Output.ShouldContain("page of cache");
        heard.Asides.ShouldBe(["service web", "service cache"]);
        heard.Output.ShouldContain("serves as 1234");
        heard.Notes.ShouldBeEmpty("no service ended too early");
        await here.NoServicesAsync();
    }

    [Fact]
    public async Task A_service_is_reached_by_its_own_stage_and_by_nobody_else()
    {
        await using var here = await OpenAsync();
        var spec = await here.SpecAsync(here.StageOf(Get + "get web; echo begun; sleep 1000") with { Services = [await WebAsync("web")] });
        var heard = new Heard();
        var running = here.Runner.RunAsync(spec, heard, here.Token);
        await heard.PrintedAsync("begun", running, here.Token);
        heard.Output.ShouldContain("page of web", customMessage: "the way is open for whom it is meant");
        var address = (await here.ServicesAsync()).ShouldHaveSingleItem().Status.PodIP;

        var attack = $"if timeout 3 bash -c '</dev/tcp/{address}/8080'; then echo connected; else echo refused; fi";
        var alone = here.RunAsync(here.StageOf(attack));
        var open = here.RunAsync(here.StageOf(attack) with { HasNetwork = true });
        var beside = here.RunAsync(here.StageOf(attack) with { Services = [await WebAsync("web")] });
        foreach (var other in new[] { await alone, await open, await beside }) other.Output.Split('\n')[0].ShouldBe("refused", other.ToString());
        await here.Runner.StopAsync(spec.Id, here.Token);
        (await running).Kind.ShouldBe(OutcomeKind.Stopped);
    }

    [Fact]
    public async Task What_the_cluster_would_expand_reaches_a_service_as_written()
    {
        await using var here = await OpenAsync();
        var web = await WebAsync("web") with { ReadyPort = null, ReadyCommand = "test \"$(cat /tmp/ready)\" = '' && test \"$$\" -gt 0 && test \"$(NAME 2>/dev/null)\" = ''" };
        var heard = await here.RunAsync(here.StageOf("true") with { Services = [web with { Environment = [.. web.Environment, new Variable("VALUE", "$(NAME) $$(NAME) pa$$word $")] }] });
        heard.Report.Kind.ShouldBe(OutcomeKind.Succeeded, heard.ToString());
        heard.Output.ShouldContain("value $(NAME) $$(NAME) pa$$word $\n");
    }

    [Fact]
    public async Task A_service_that_never_becomes_ready_is_told_with_its_log()
    {
        await using var here = await OpenAsync(options => options with { Services = options.Services with { ReadyWithin = TimeSpan.FromSeconds(40) } });
        var web = await WebAsync("web");
        var heard = await here.RunAsync(here.StageOf("echo never") with { Services = [web with { Environment = [.. web.Environment, new Variable("MUTE", "1")] }] });

        heard.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, heard.ToString());
        heard.Report.Explanation.ShouldStartWith("The service web: It was not ready within 40 s. Check its `ready:`.");
        heard.Steps.ShouldBeEmpty();
        heard.Asides.ShouldBe(["service web"]);
        heard.Output.ShouldContain("serves as");
        heard.Waits.ShouldContain(reason => reason.StartsWith("Waits for its services: web ", StringComparison.Ordinal));
        await here.NoServicesAsync();
    }

    [Fact]
    public async Task A_service_that_ends_before_it_is_ready_is_told_with_its_log()
    {
        await using var here = await OpenAsync();
        var web = await WebAsync("web");
        var heard = await here.RunAsync(here.StageOf("echo never") with { Services = [web with { Environment = [.. web.Environment, new Variable("FAIL", "1")] }] });

        heard.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, heard.ToString());
        heard.Report.Explanation.ShouldBe("The service web: It ended with status 3; its log says why.");
        heard.Output.ShouldContain("cannot begin: no data");
        await here.NoServicesAsync();
    }

    [Fact]
    public async Task An_image_that_is_not_there_and_one_that_wants_root_are_told_at_once()
    {
        await using var here = await OpenAsync();
        var web = await WebAsync("web");
        var missing = here.RunAsync(here.StageOf("true") with { Services = [web with { Image = here.Site.Image.Split('/')[0] + "/no-such-image:1" }] });
        var root = await here.RunAsync(here.StageOf("true") with { Services = [web with { User = null }] });
        root.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, root.ToString());
        root.Report.Explanation.ShouldContain("Write `user:` with a number other than 0");
        (await missing).Report.Kind.ShouldBe(OutcomeKind.Misconfigured, (await missing).ToString());
        (await missing).Report.Explanation.ShouldContain("no-such-image:1");
    }

    [Fact]
    public async Task A_service_that_dies_while_the_stage_runs_is_named_beside_the_stages_failure()
    {
        await using var here = await OpenAsync();
        var web = await WebAsync("web");
        var heard = new Heard();
        var running = here.Runner.RunAsync(await here.SpecAsync(here.StageOf("echo begun; while [ ! -e /work/go ]; do sleep 0.2; done; exit 9") with { Services = [web] }), heard, here.Token);
        await heard.PrintedAsync("begun", running, here.Token);
        await here.ExecuteAsync((await here.ServicesAsync()).ShouldHaveSingleItem().Name(), "touch /tmp/die");
        await here.ServiceDiedAsync();
        await here.ExecuteAsync((await here.PodAsync())!.Name(), "touch /work/go", "step-1");
        heard.Report = await running;
        heard.Report.Kind.ShouldBe(OutcomeKind.Failed, heard.ToString());
        heard.Notes.ShouldContain("While the stage ran: The service web: It ended with status 5; its log says why.");
        heard.Output.ShouldContain("dies");
    }

    [Fact]
    public async Task Another_runner_takes_over_a_stage_with_its_services_as_they_are()
    {
        await using var here = await OpenAsync();
        var spec = await here.SpecAsync(here.StageOf(Get + "get web; echo before; sleep 8; get web") with { Services = [await WebAsync("web")] });
        var first = new Heard();
        using var crash = new CancellationTokenSource();
        var running = here.Runner.RunAsync(spec, first, crash.Token);
        await first.PrintedAsync("before", running, here.Token);
        var service = (await here.ServicesAsync()).ShouldHaveSingleItem().Uid();
        await crash.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
        await here.RestartAsync();
        (await here.ServicesAsync()).ShouldHaveSingleItem().Uid().ShouldBe(service);

        var second = new Heard();
        second.Report = await here.Runner.RunAsync(spec with { IsRepeated = true }, second, here.Token);
        second.Report.Kind.ShouldBe(OutcomeKind.Succeeded, second.ToString());
        var pages = second.Output.Split('\n').Where(line => line.StartsWith("page of web", StringComparison.Ordinal)).ToList();
        (pages.Count, pages.Distinct().Count()).ShouldBe((2, 1), "it is the same service");
        await here.NoServicesAsync();
    }

    [Fact]
    public async Task Another_runner_goes_on_waiting_for_the_services_of_the_one_before()
    {
        await using var here = await OpenAsync();
        var spec = await here.SpecAsync(here.StageOf(Get + "get web") with { Services = [await WebAsync("web") with { ReadyPort = null, ReadyCommand = "test -e /tmp/go" }] });
        using var crash = new CancellationTokenSource();
        var first = new Heard();
        var running = here.Runner.RunAsync(spec, first, crash.Token);
        var service = await here.ServiceRunsAsync(running);
        await crash.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
        await here.RestartAsync();

        var second = new Heard();
        var again = here.Runner.RunAsync(spec with { IsRepeated = true }, second, here.Token);
        await second.UntilAsync(heard => heard.Waits.Count > 0, here.Token);
        (await here.ServicesAsync()).ShouldHaveSingleItem().Uid().ShouldBe(service.Uid());
        await here.ExecuteAsync(service.Name(), "touch /tmp/go");
        (second.Report = await again).Kind.ShouldBe(OutcomeKind.Succeeded, second.ToString());
    }

    [Fact]
    public async Task A_stage_that_is_stopped_while_it_waits_for_its_services_leaves_nothing()
    {
        await using var here = await OpenAsync();
        var web = await WebAsync("web");
        var spec = await here.SpecAsync(here.StageOf("echo never") with { Services = [web with { Environment = [.. web.Environment, new Variable("MUTE", "1")] }] });
        var heard = new Heard();
        var running = here.Runner.RunAsync(spec, heard, here.Token);
        await here.ServiceRunsAsync(running);
        await here.Runner.StopAsync(spec.Id, here.Token);
        (await running).Kind.ShouldBe(OutcomeKind.Stopped);
        heard.Steps.ShouldBeEmpty();
        await here.NoServicesAsync();
        (await here.Client.CoreV1.ListNamespacedSecretAsync(here.Namespace, labelSelector: "wmfci.org/attempt", cancellationToken: here.Token)).Items.ShouldBeEmpty();
        (await here.Client.BatchV1.ListNamespacedJobAsync(here.Namespace, cancellationToken: here.Token)).Items.ShouldBeEmpty();
    }

    [Fact]
    public async Task More_services_than_a_site_allows_are_refused_before_anything_starts()
    {
        await using var here = await OpenAsync(options => options with { Services = options.Services with { Most = 1 } });
        var heard = await here.RunAsync(here.StageOf("true") with { Services = [await WebAsync("web"), await WebAsync("cache")] });
        heard.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        heard.Report.Explanation.ShouldStartWith("It has 2 services, and a stage may have 1 here.");
        (await here.ServicesAsync()).ShouldBeEmpty();
    }

    private static async Task<Worksite> OpenAsync(Func<KubernetesRunnerOptions, KubernetesRunnerOptions>? configure = null)
    {
        var here = await Worksite.OpenAsync(Sites.Real(), configure);
        await here.Client.AccountIsThereAsync(here.Namespace, here.Token);
        return here;
    }

    private static async Task<StageService> WebAsync(string name) =>
        new() { Name = name, Image = await ServiceImage.ReferenceAsync(), Environment = [new Variable("NAME", name)], ReadyPort = 8080, User = 1234 };
}

/// <summary>What tests ask of services.</summary>
internal static class ServicesOfWorksite
{
    public static async Task<IList<V1Pod>> ServicesAsync(this Worksite here) =>
        (await here.Client.CoreV1.ListNamespacedPodAsync(here.Namespace, labelSelector: "wmfci.org/role=service", cancellationToken: here.Token)).Items;

    /// <summary>Waits until a service's program runs.</summary>
    public static async Task<V1Pod> ServiceRunsAsync(this Worksite here, Task running)
    {
        var found = here.SeenAsync(pods => pods.FirstOrDefault(pod => pod.Status?.ContainerStatuses?.FirstOrDefault()?.State?.Running is not null));
        if (await Task.WhenAny(found, running) == running) await running;
        return (await found)!;
    }

    /// <summary>Waits until a service's program has ended.</summary>
    public static Task ServiceDiedAsync(this Worksite here) => here.SeenAsync(pods => pods.FirstOrDefault(pod => pod.Status?.ContainerStatuses?.FirstOrDefault()?.State?.Terminated is not null));

    /// <summary>Waits until there are no services.</summary>
    public static Task NoServicesAsync(this Worksite here) => here.SeenAsync(pods => pods.Count == 0 ? new V1Pod() : null);

    public static async Task ExecuteAsync(this Worksite here, string pod, string command, string container = "service") =>
        (await here.Client.NamespacedPodExecAsync(pod, here.Namespace, container, ["/bin/sh", "-c", command], tty: false, (_, _, _) => Task.CompletedTask, here.Token)).ShouldBe(0);

    private static async Task<V1Pod> SeenAsync(this Worksite here, Func<IReadOnlyList<V1Pod>, V1Pod?> find)
    {
        await using var pods = new Reflector<V1Pod>(here.Cluster, new ReflectorOptions { Labels = "wmfci.org/role=service" });
        await pods.WaitSyncedAsync(here.Token);
        var changes = pods.ChangesAsync(null, here.Token).GetAsyncEnumerator(here.Token);
        await using (changes)
        {
            for (; ; )
            {
                if (find(pods.Items) is { } found) return found;
                await changes.MoveNextAsync();
            }
        }
    }
}
