using System.Net;
using System.Net.Sockets;
using k8s;
using k8s.Models;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Kubernetes.Tests.Runner;
using WmfCi.Ports;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>What a stage can reach: the exchange, where it gets nothing; with <c>network: true</c> the world; with services its own. Everything else is aimed at, and must not see a packet.</summary>
public sealed class NetworkAttacks
{
    private const int Api = 16443, Kubelet = 10250, Registry = 15000, Listening = 8080;
    private const string ApiService = "10.96.0.1";

    private sealed record Aim(string Name, string Address, int Port, string Arrives);

    private sealed record Attacker(string Address, string Output);

    private sealed record Battle(IReadOnlyList<Aim> Aims, Dictionary<string, Attacker> Attackers, Dictionary<string, string[]> Seen, string Host, Uri Exchange, Uri OtherExchange, string Victim, string Service, string HostSide);

    private static readonly Once<Battle> Fought = new(FightAsync);

    private static IEnumerable<(string Name, string Address, int Port)> Targets(string host, int bait) =>
    [
        ("metadata", Watcher.Metadata, 80), ("names", Watcher.Names, 53), ("API server", ApiService, 443), ("API server's address", host, Api), ("kubelet", host, Kubelet),
        ("registry", host, Registry), ("something on the node", host, bait),
    ];

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var attacker in (string[])["a closed stage", "an open stage", "a stage of another namespace"])
                foreach (var target in (string[])[.. Targets("", 0).Select(target => target.Name), "another stage", "another stage's service"]) cases.Add(attacker, target);
            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task Is_not_reached(string by, string target)
    {
        var battle = await Fought.Result;
        battle.Attackers[by].Output.ShouldContain($"{target}: nothing\n", customMessage: battle.Attackers[by].Output);
        battle.Attackers["a pod without rules"].Output.ShouldContain(target.StartsWith("another", StringComparison.Ordinal) ? $"{target}: nothing\n" : target is "names" or "registry" or "kubelet" ? $"{target}:" : $"{target}: reached\n");
    }

    [Theory]
    [InlineData("a closed stage")]
    [InlineData("a stage of another namespace")]
    public async Task Of_a_closed_stage_no_packet_arrives_but_at_the_exchange(string by)
    {
        var battle = await Fought.Result;
        var exchange = by == "a closed stage" ? battle.Exchange : battle.OtherExchange;
        battle.Seen[by].ShouldBe([$"Tcp {battle.Host}:{exchange.Port}"]);
        battle.Attackers[by].Output.ShouldContain("world: nothing\n");
        battle.Attackers[by].Output.ShouldContain("its own exchange: 401\n");
    }

    [Fact]
    public async Task Of_an_open_stage_packets_arrive_at_the_exchange_and_in_the_world()
    {
        var battle = await Fought.Result;
        battle.Seen["an open stage"].ShouldBe([$"Tcp {battle.Host}:{battle.Exchange.Port}", $"Tcp {Watcher.World}:80"]);
        battle.Attackers["an open stage"].Output.ShouldContain("world: reached\n");
    }

    [Fact]
    public async Task Of_a_pod_without_rules_everything_arrives_so_that_the_watcher_is_awake()
    {
        var battle = await Fought.Result;
        battle.Seen["a pod without rules"].ShouldBe(
            battle.Aims.Where(aim => aim.Arrives.Length > 0).Select(aim => aim.Arrives).Append($"Tcp {Watcher.World}:80").Append($"Udp {Watcher.Names}:53").Append($"Udp {Watcher.Metadata}:123")
                .Append($"Tcp {battle.Host}:{battle.Exchange.Port}").Append($"Tcp {battle.Host}:{battle.OtherExchange.Port}").Distinct().Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_stage_and_its_service_hear_from_the_node_and_one_another_and_nobody_else()
    {
        var battle = await Fought.Result;
        battle.Victim.ShouldBe($"own service: reached\nheard {battle.HostSide}\n");
        battle.Service.Split('\n', StringSplitOptions.RemoveEmptyEntries).Distinct().ShouldBe([$"heard {battle.Attackers["the victim"].Address}", $"heard {battle.HostSide}"], ignoreOrder: true);
    }

    [Fact]
    public async Task The_exchange_gives_a_step_nothing_whatever_it_says()
    {
        var battle = await Fought.Result;
        battle.Attackers["a closed stage"].Output.ShouldContain("without a token: 401\nwith a guess: 401\nas another attempt: 401\nfor a blob: 401\nout of its folder: 401\n", customMessage: battle.Attackers["a closed stage"].Output);
    }

    private static async Task<Battle> FightAsync()
    {
        await using var here = await Hostile.SiteAsync();
        await using var elsewhere = await Hostile.SiteAsync();
        var host = here.Site.Host;
        var bait = FreePorts.Take(IPAddress.Parse(host));
        await using var watcher = await Watcher.OpenAsync(host, bait);
        var spec = await here.SpecAsync(here.StageOf("") with { Name = "victim" });
        var service = await ServiceAsync(here, spec);
        spec = spec with { Stage = spec.Stage with { Steps = [new Step("listen", $"{Reach("own service", service.Status.PodIP, Listening)}\n{Listen}")] } };
        var victim = new Heard();
        var listening = here.Runner.RunAsync(spec, victim, here.Token);
        await victim.PrintedAsync("own service: reached\n", listening, here.Token);
        var victimAddress = (await PodOfAsync(here, spec))!.Status.PodIP;
        var aims = Targets(host, bait).Append(("another stage", victimAddress, Listening)).Append(("another stage's service", service.Status.PodIP, Listening))
            .Select(target => new Aim(target.Item1, target.Item2, target.Item3, target.Item1.StartsWith("another", StringComparison.Ordinal) ? "" : $"Tcp {(target.Item2 == ApiService ? $"{host}:{Api}" : $"{target.Item2}:{target.Item3}")}")).ToList();

        string ScriptOf(Uri exchange) => $"{string.Join('\n', aims.Select(aim => Try(aim.Name, aim.Address, aim.Port)))}\n{Try("world", Watcher.World, 80)}\n{Rest(exchange, Marks.NameOf(here.Options.Site, spec.Id))}";
        var attackers = new Dictionary<string, Attacker>(StringComparer.Ordinal) { ["the victim"] = new(victimAddress, "") };
        await using var free = await TestSpace.InAsync(here.Site.Kubeconfig);
        var runs = await Task.WhenAll(
            AttackAsync(here, ScriptOf(here.Runner.ExchangeUrl!), isOpen: false),
            AttackAsync(here, ScriptOf(here.Runner.ExchangeUrl!), isOpen: true),
            AttackAsync(elsewhere, ScriptOf(elsewhere.Runner.ExchangeUrl!), isOpen: false),
            FreelyAsync(free, ScriptOf(here.Runner.ExchangeUrl!) + $"\n{Try("other exchange", host, elsewhere.Runner.ExchangeUrl!.Port)}"));
        foreach (var (name, run) in ((string[])["a closed stage", "an open stage", "a stage of another namespace", "a pod without rules"]).Zip(runs)) attackers[name] = run;

        var hostSide = await ConnectAsync(victimAddress, here.Token);
        await ConnectAsync(service.Status.PodIP, here.Token);
        await victim.PrintedAsync("heard", listening, here.Token);
        await here.Runner.StopAsync(spec.Id, here.Token);
        await listening;
        using var log = await here.Client.CoreV1.ReadNamespacedPodLogAsync(service.Name(), here.Namespace, cancellationToken: here.Token);
        using var reader = new StreamReader(log);
        return new Battle(aims, attackers, attackers.ToDictionary(pair => pair.Key, pair => watcher.SeenFrom(pair.Value.Address)), host, here.Runner.ExchangeUrl!, elsewhere.Runner.ExchangeUrl!, victim.Output, await reader.ReadToEndAsync(here.Token), hostSide);
    }

    private static string Try(string name, string address, int port) =>
        $"""if timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null; then echo "{name}: reached"; else echo "{name}: nothing"; fi""";

    // A cluster may take a moment to let a new pod through.
    private static string Reach(string name, string address, int port) =>
        $"""until timeout 3 bash -c 'exec 3<>/dev/tcp/{address}/{port}' 2>/dev/null; do sleep 0.1; done; echo "{name}: reached" """;

    private static readonly string Listen = $$"""
        exec perl -MSocket -e '$| = 1; socket(L, PF_INET, SOCK_STREAM, 0); setsockopt(L, SOL_SOCKET, SO_REUSEADDR, 1); bind(L, sockaddr_in({{Listening}}, INADDR_ANY)) or die; listen(L, 9); while ($a = accept(C, L)) { print "heard ", inet_ntoa((sockaddr_in($a))[1]), "\n"; close C }'
        """;

    // Datagrams are answered by nobody: the watcher alone tells.
    private static string Rest(Uri exchange, string other) => $"""
        bash -c 'echo x > /dev/udp/{Watcher.Metadata}/123; echo x > /dev/udp/{Watcher.Names}/53' 2>/dev/null || true
        timeout 2 getent hosts a-name.example || true
        ask() {"{"} n=$1; shift; echo "$n: $(curl -s -m 30 -o /dev/null -w '%{"{"}http_code{"}"}' "$@")"; {"}"}
        ask 'its own exchange' -X POST -d '' {exchange}attempts/{other}/claim || true
        ask 'without a token' -X POST -d '' {exchange}attempts/{other}/claim || true
        ask 'with a guess' -X POST -d '' -H 'Authorization: Bearer {new string('0', 64)}' -H 'Wmfci-Pod: x' {exchange}attempts/{other}/claim || true
        ask 'as another attempt' -X POST -d '' -H 'Authorization: Bearer {other}' -H 'Wmfci-Pod: x' {exchange}attempts/{other}/collect || true
        ask 'for a blob' -H 'Authorization: Bearer x' -H 'Wmfci-Pod: x' {exchange}attempts/{other}/blobs/{new string('0', 64)} || true
        ask 'out of its folder' --path-as-is {exchange}attempts/../../etc/passwd || true
        """;

    private static async Task<Attacker> AttackAsync(Worksite site, string script, bool isOpen)
    {
        var spec = await site.SpecAsync(site.StageOf(script) with { Name = "attacker", HasNetwork = isOpen });
        var heard = new Heard();
        var report = await site.Runner.RunAsync(spec, heard, site.Token);
        report.Kind.ShouldBe(OutcomeKind.Succeeded, heard.ToString());
        return new Attacker((await PodOfAsync(site, spec))!.Status.PodIP, heard.Output);
    }

    private static async Task<Attacker> FreelyAsync(TestSpace space, string script)
    {
        await space.PodAsync("free", $"({script}); echo over; exec sleep 1000");
        while (true)
        {
            var pod = await space.Client.CoreV1.ReadNamespacedPodAsync("free", space.Name, cancellationToken: space.Token);
            if (pod.Status.ContainerStatuses?.FirstOrDefault()?.State.Running is null)
            {
                await Hostile.UntilAsync(space.Client, space.Name, "free", found => found.Status.ContainerStatuses?.FirstOrDefault()?.State.Running is not null, space.Token);
                continue;
            }
            using var log = new StreamReader(await space.Client.CoreV1.ReadNamespacedPodLogAsync("free", space.Name, follow: true, cancellationToken: space.Token));
            var output = "";
            while (await log.ReadLineAsync(space.Token) is { } line && line != "over") output += line + "\n";
            return new Attacker(pod.Status.PodIP, output);
        }
    }

    // As the runner would make it; the image of the tests has no server of its own, so it is told to be one.
    private static async Task<V1Pod> ServiceAsync(Worksite here, AttemptSpec spec)
    {
        var attempt = Marks.NameOf(here.Options.Site, spec.Id);
        var plan = new ServicePlan(here.Options, attempt, new StageService { Name = "db", Image = here.Site.Image, ReadyPort = Listening, User = 1234 });
        var pod = plan.Pod(spec.Id.ToString(), new V1OwnerReference());
        pod.Metadata.OwnerReferences = null;
        pod.Spec.Containers[0].Command = ["/bin/sh", "-c", Listen];
        var policy = ServicePlan.Policy(here.Options, attempt, new V1OwnerReference());
        policy.Metadata.OwnerReferences = null;
        await here.Client.NetworkingV1.CreateNamespacedNetworkPolicyAsync(policy, here.Namespace, cancellationToken: here.Token);
        await here.Client.AccountIsThereAsync(here.Namespace, here.Token);
        await here.Client.CoreV1.CreateNamespacedPodAsync(pod, here.Namespace, cancellationToken: here.Token);
        return await Hostile.UntilAsync(here.Client, here.Namespace, plan.Name, found => found.Status.ContainerStatuses?.FirstOrDefault()?.Ready == true, here.Token);
    }

    private static async Task<V1Pod?> PodOfAsync(Worksite site, AttemptSpec spec) =>
        (await site.Client.CoreV1.ListNamespacedPodAsync(site.Namespace, labelSelector: $"{Marks.Attempt}={Marks.NameOf(site.Options.Site, spec.Id)},{Marks.Role}={Marks.StageRole}", cancellationToken: site.Token)).Items.SingleOrDefault();

    /// <returns>The address that this machine has for it.</returns>
    private static async Task<string> ConnectAsync(string address, CancellationToken cancellationToken)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Parse(address), Listening, cancellationToken);
        return ((IPEndPoint)client.Client.LocalEndPoint!).Address.MapToIPv4().ToString();
    }
}
