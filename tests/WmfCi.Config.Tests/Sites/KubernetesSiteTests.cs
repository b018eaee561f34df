using System.Net;
using WmfCi.Config.Sites;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Tests.Sites;

/// <summary>What a site says of its cluster.</summary>
public sealed class KubernetesSiteTests
{
    private const string Head = "state: s\ndatabase: Host=x\ngerrit: {url: https://g, user: u, password-file: p}\nrunner:\n  kind: kubernetes\n  memory: 3GiB\n  kubernetes:\n";
    private static readonly string[] _needed = ["namespace: ci", "image: r.example.org/wmfci-pod:1", "exchange: {url: \"http://wmfci:8081\"}"];

    [Fact]
    public void Three_settings_are_a_cluster() => Valid().ShouldBe(new KubernetesSettings
    {
        Namespace = "ci",
        Image = "r.example.org/wmfci-pod:1",
        Exchange = new ExchangeSettings { Listen = new Uri("http://0.0.0.0:8081"), Url = new Uri("http://wmfci:8081/") },
        Workers = [new WorkerClass { Name = "default", Memory = 3L << 30 }],
        Worker = "default",
        Users = new UserRange(1_800_000_000, 65_536),
    });

    [Fact]
    public void A_cluster_has_every_setting_that_is_written() => Site(Head + """
            kubeconfig: ../kubeconfig
            context: admin@ci
            namespace: wmfci-stages
            image: registry.example.org:5000/wmfci-pod@sha256:0123456789012345678901234567890123456789012345678901234567890123
            exchange:
              listen: https://0.0.0.0:9443
              url: https://wmfci.example.org:9443/exchange
              certificate-file: tls.crt
              key-file: tls.key
              authority-file: /etc/ca.crt
            pull-secret: registry.example.org
            workers:
              small: {}
              large:
                cpu: 4
                cpu-limit: 8.5
                memory: 16GiB
                disk: 50GiB
                processes: 4096
                architecture: arm64
                node-selector: {example.org/disk: ssd, spare:, zone: 1}
                tolerations:
                  - {key: ci, value: yes, effect: NoExecute, seconds: 0}
                  - {operator: Exists}
                  - {key: example.org/dedicated, operator: Exists, effect: NoSchedule}
                runtime-class: gvisor
                priority-class: ci.stages
                waits: 2h
            worker: small
            users: {first: 100000, count: 1000}
            blocked: [192.0.2.10/32, "2001:db8:0::/32", 192.0.2.10/32]
            services: {cpu: 1500m, memory: 512MiB, disk: 1GiB, most: 0}
        """).Runner.Kubernetes.ShouldBe(new KubernetesSettings
    {
        Kubeconfig = "/etc/kubeconfig",
        Context = "admin@ci",
        Namespace = "wmfci-stages",
        Image = "registry.example.org:5000/wmfci-pod@sha256:0123456789012345678901234567890123456789012345678901234567890123",
        Exchange = new ExchangeSettings
        {
            Listen = new Uri("https://0.0.0.0:9443"),
            Url = new Uri("https://wmfci.example.org:9443/exchange/"),
            CertificateFile = "/etc/wmfci/tls.crt",
            KeyFile = "/etc/wmfci/tls.key",
            AuthorityFile = "/etc/ca.crt",
        },
        PullSecret = "registry.example.org",
        Workers =
        [
            new WorkerClass { Name = "small", Memory = 3L << 30 },
            new WorkerClass
            {
                Name = "large",
                MilliCpu = 4_000,
                MilliCpuLimit = 8_500,
                Memory = 16L << 30,
                Disk = 50L << 30,
                Processes = 4096,
                Architecture = "arm64",
                NodeSelector = [new NodeLabel("example.org/disk", "ssd"), new NodeLabel("spare", ""), new NodeLabel("zone", "1")],
                Tolerations =
                [
                    new Toleration { Key = "ci", Value = "yes", Effect = "NoExecute", Seconds = 0 },
                    new Toleration { Exists = true },
                    new Toleration { Key = "example.org/dedicated", Exists = true, Effect = "NoSchedule" },
                ],
                RuntimeClass = "gvisor",
                PriorityClass = "ci.stages",
                Waits = TimeSpan.FromHours(2),
            },
        ],
        Worker = "small",
        Users = new UserRange(100_000, 1_000),
        Blocked = [IPNetwork.Parse("192.0.2.10/32"), IPNetwork.Parse("2001:db8::/32")],
        Services = new ServiceLimits { MilliCpu = 1_500, Memory = 512L << 20, Disk = 1L << 30, Most = 0 },
    });

    [Fact]
    public void A_stage_that_names_no_class_runs_on_the_only_one() => Valid("workers: {big: {cpu: 4}}").Find("").ShouldNotBeNull().Name.ShouldBe("big");

    [Fact]
    public void A_stage_that_names_no_class_runs_on_the_one_called_default_unless_the_site_says_otherwise()
    {
        Valid("workers: {big: {}, default: {}}").Find("").ShouldNotBeNull().Name.ShouldBe("default");
        Valid("workers: {big: {}, default: {}}", "worker: big").Find("").ShouldNotBeNull().Name.ShouldBe("big");
        Valid("workers: {big: {}, default: {}}").Find("big").ShouldNotBeNull().Name.ShouldBe("big");
    }

    [Fact]
    public void A_class_that_the_site_does_not_have_is_not_found() => Valid().Find("large").ShouldBeNull();

    [Fact]
    public void A_class_without_an_upper_limit_may_use_what_is_free() => Valid("workers: {a: {cpu: 2}}").Workers[0].MilliCpuLimit.ShouldBeNull();

    [Fact]
    public void A_cluster_in_another_kind_of_site_is_a_mistake() => Only(
        Mistakes((Head + Lines([])).Replace("kubernetes\n", "local\n")),
        "`kubernetes` is written, but stages run on this machine", "`kind: kubernetes`");

    [Fact]
    public void A_cluster_without_a_kind_is_a_mistake() => Only(
        Mistakes((Head + Lines([])).Replace("  kind: kubernetes\n", "")),
        "`kubernetes` is written, but stages run on this machine", "`kind: kubernetes`");

    [Fact]
    public void The_kind_without_a_cluster_is_a_mistake() => Only(
        Mistakes(Head.Replace("  kubernetes:\n", "")),
        "`kind: kubernetes` needs `kubernetes`", "namespace: ");

    [Theory]
    [InlineData("namespace: CI", "`namespace` must be a name of lower-case letters", "`ci`")]
    [InlineData("namespace: -a", "begins and ends with a letter or digit", "`a`")]
    [InlineData("namespace: a.b", "not `a.b`", "`a-b`")]
    [InlineData("namespace: \"a\\n\"", "must be a name", "`a`")]
    [InlineData("pull-secret: a..b", "must be a name", "`a-b`")]
    [InlineData("image: host", "must be the reference of an image, not `host`", "wmfci-pod:")]
    [InlineData("image: r/p:${php}", "must be the reference of an image", "wmfci-pod:")]
    [InlineData("image: r/p --privileged", "must be the reference of an image", "wmfci-pod:")]
    [InlineData("context: x", "there is no `kubeconfig`", "path of the file")]
    [InlineData("token: abc", "`token` is no key", "file")]
    [InlineData("exchange: {listen: \"http://0.0.0.0:1\"}", "`exchange` lacks `url`", "url: ")]
    [InlineData("exchange: {url: wmfci}", "must be an address of the web", "http")]
    [InlineData("exchange: {url: \"http://u:p@x\"}", "name or password in it", "Remove")]
    [InlineData("exchange: {url: \"http://x\", listen: \"http://0.0.0.0/y\"}", "must end after the port", "`http://0.0.0.0`")]
    [InlineData("exchange: {url: \"https://x\", authority-file: a, listen: \"https://0.0.0.0\", key-file: k}", "there is no `certificate-file`", "PEM")]
    [InlineData("exchange: {url: \"https://x\", authority-file: a, listen: \"https://0.0.0.0\", certificate-file: k}", "there is no `key-file`", "PEM")]
    [InlineData("exchange: {url: \"http://x\", listen: \"https://0.0.0.0\", certificate-file: c, key-file: k}", "plain HTTP", "`https://` in `url`")]
    [InlineData("exchange: {url: \"https://x\", authority-file: a, key-file: k}", "`key-file` is not used", "remove")]
    [InlineData("exchange: {url: \"https://x\"}", "there is no `authority-file`", "PEM")]
    [InlineData("exchange: {url: \"http://x\", authority-file: k}", "`authority-file` is not used", "remove")]
    [InlineData("workers: {a: {}, b: {}}", "Nothing says which class", "`worker: a`")]
    [InlineData("worker: large", "There is no class of workers `large`", "`default`")]
    [InlineData("workers: {A: {}}", "The class `A` must be a name", "`a`")]
    [InlineData("workers: [a]", "`workers` must be a map", "workers: ")]
    [InlineData("workers: {a: {cpu: 2GiB}}", "`cpu` must be a number of CPUs, not `2GiB`", "`500m`")]
    [InlineData("workers: {a: {cpu: -1}}", "must be a number of CPUs", "`500m`")]
    [InlineData("workers: {a: {cpu: 1e3}}", "must be a number of CPUs", "`500m`")]
    [InlineData("workers: {a: {cpu: 0.0001}}", "must be a number of CPUs", "`500m`")]
    [InlineData("workers: {a: {cpu: 99999999999999999999999999}}", "must be a number of CPUs", "`500m`")]
    [InlineData("workers: {a: {cpu: 9m}}", "`cpu` is less than 10m", "`10m` or more")]
    [InlineData("workers: {a: {cpu: 257}}", "`cpu` is more than 256", "`256` or less")]
    [InlineData("workers: {a: {cpu: 2, cpu-limit: 1500m}}", "`cpu-limit` of `a` is less than its `cpu`", "`2` or more")]
    [InlineData("workers: {a: {cpu-limit: 499m}}", "less than its `cpu`", "`500m` or more")]
    [InlineData("workers: {a: {memory: 4G}}", "`memory` must be a size", "GiB")]
    [InlineData("workers: {a: {processes: 0}}", "whole number from 1", "processes: ")]
    [InlineData("workers: {a: {architecture: x86_64}}", "`architecture` cannot be `x86_64`", "`amd64`")]
    [InlineData("workers: {a: {node-selector: {\"a b\": c}}}", "is no key of a label", "kubernetes.io/os")]
    [InlineData("workers: {a: {node-selector: {a/b/c: c}}}", "is no key of a label", "kubernetes.io/os")]
    [InlineData("workers: {a: {node-selector: {Ä.org/c: c}}}", "is no key of a label", "kubernetes.io/os")]
    [InlineData("workers: {a: {node-selector: {a: \"b c\"}}}", "letters, digits, dashes", "`ssd`")]
    [InlineData("workers: {a: {tolerations: [{}]}}", "has no `key`", "Exists")]
    [InlineData("workers: {a: {tolerations: [{key: a, operator: Exists, value: b}]}}", "`value` is not used", "Remove")]
    [InlineData("workers: {a: {tolerations: [{key: a, operator: exists}]}}", "`operator` cannot be `exists`", "`Exists`")]
    [InlineData("workers: {a: {tolerations: [{key: a, seconds: 5}]}}", "`seconds` needs", "NoExecute")]
    [InlineData("workers: {a: {runtime-class: gVisor}}", "`runtime-class` must be a name", "`gvisor`")]
    [InlineData("workers: {a: {waits: 5s}}", "is shorter than 1m", "`1m` or more")]
    [InlineData("users: {first: 0}", "whole number from 1000", "first: ")]
    [InlineData("users: {count: 2}", "whole number from 256", "count: ")]
    [InlineData("users: {first: 2147480000, count: 4000}", "ends above 2147483647", "smaller")]
    [InlineData("users: {count: 400000000}", "ends above 2147483647", "smaller")]
    [InlineData("blocked: [10.1.2.3]", "range of addresses", "`10.1.2.3/32` for this one")]
    [InlineData("blocked: [10.1.2.3/8]", "begins with its first address", "`10.0.0.0/8` for the range, or `10.1.2.3/32` for one")]
    [InlineData("blocked: [\"2001:db8::1/32\"]", "begins with its first address", "`2001:db8::/32` for the range")]
    [InlineData("blocked: [10.1/16]", "begins with its first address", "`10.0.0.0/16`")]
    [InlineData("blocked: [010.0.0.0/8]", "begins with its first address", "`8.0.0.0/8`")]
    [InlineData("blocked: [10.0.0.0/33]", "range of addresses", "/32")]
    [InlineData("blocked: [0.0.0.0/0]", "takes in every address", "Leave it out")]
    [InlineData("blocked: [\"::/0\"]", "takes in every address", "Leave it out")]
    [InlineData("blocked: [\"::ffff:10.0.0.0/104\"]", "IPv4 address within an IPv6", "IPv4 range")]
    [InlineData("blocked: [\"fe80::%eth0/64\"]", "range of addresses", "/32")]
    [InlineData("blocked: [example.org]", "range of addresses, not `example.org`", "/32")]
    [InlineData("services: {most: 11}", "whole number from 0 to 10", "most: 5")]
    [InlineData("services: {cpu: none}", "number of CPUs", "`500m`")]
    public void A_mistake_is_told_with_advice(string line, string problem, string advice)
    {
        var key = line.Split(':')[0] + ":";
        var yaml = Head + Lines([line]);
        var mistake = Only(Mistakes(yaml), problem, advice);
        yaml.Split('\n')[mistake.Line - 1].ShouldStartWith("    " + key);
        mistake.File.ShouldBe("/etc/wmfci/site.yaml");
    }

    [Fact]
    public void Lists_and_maps_are_bounded()
    {
        var many = Enumerable.Range(0, 51).ToList();
        Only(Mistakes(Head + Lines([$"workers: {{{string.Join(", ", many.Select(i => $"w{i}: {{}}"))}}}"])), "51 entries, more than 50", "50");
        Only(Mistakes(Head + Lines([$"blocked: [{string.Join(", ", many.Select(i => $"10.0.{i}.0/24"))}]"])), "51 items, more than 50", "50");
        Only(Mistakes(Head + Lines([$"workers: {{a: {{tolerations: [{string.Join(", ", many.Select(i => $"{{key: t{i}}}"))}]}}}}"])), "51 items, more than 50", "50");
        Only(Mistakes(Head + Lines([$"workers: {{a: {{node-selector: {{{string.Join(", ", many.Select(i => $"l{i}: x"))}}}}}}}"])), "51 entries, more than 50", "50");
    }

    [Theory]
    [InlineData("500m", 500)]
    [InlineData("2", 2_000)]
    [InlineData("0.5", 500)]
    [InlineData("1.125", 1_125)]
    [InlineData("256", 256_000)]
    [InlineData("010m", 10)]
    public void CPUs_are_whole_ones_or_parts(string written, int thousandths) => Valid($"workers: {{a: {{cpu: {written}}}}}").Workers[0].MilliCpu.ShouldBe(thousandths);

    [Fact]
    public void A_cut_at_any_place_is_answered()
    {
        var whole = Head + Lines(["workers: {a: {cpu: 2, tolerations: [{key: x}], node-selector: {a/b: c}}}", "users: {first: 5000}", "blocked: [10.0.0.0/8, \"fd00::/8\"]"]);
        for (var length = 0; length < whole.Length; length++)
        {
            if (SiteFile.Read("/etc/f", whole[..length]) is SiteReading.Invalid invalid) invalid.Mistakes.Count.ShouldBeInRange(1, YamlLimits.Mistakes);
        }
    }

    private static string Lines(string[] lines)
    {
        var keys = lines.Select(line => line.Split(':')[0]).ToHashSet();
        return string.Concat(_needed.Where(line => !keys.Contains(line.Split(':')[0])).Concat(lines).Select(line => $"    {line}\n"));
    }

    private static KubernetesSettings Valid(params string[] lines) => Site(Head + Lines(lines)).Runner.Kubernetes.ShouldNotBeNull();

    private static Site Site(string yaml) => SiteFile.Read("/etc/wmfci/site.yaml", yaml) switch
    {
        SiteReading.Valid valid => valid.Site,
        SiteReading.Invalid invalid => throw new ShouldAssertException(string.Join('\n', invalid.Mistakes)),
        _ => throw new InvalidOperationException(),
    };

    private static ConfigMistake Only(ValueArray<ConfigMistake> mistakes, string problem, string advice)
    {
        var mistake = mistakes.ShouldHaveSingleItem();
        mistake.Problem.ShouldContain(problem);
        mistake.Advice.ShouldContain(advice);
        return mistake;
    }

    private static ValueArray<ConfigMistake> Mistakes(string yaml) => SiteFile.Read("/etc/wmfci/site.yaml", yaml).ShouldBeOfType<SiteReading.Invalid>(yaml).Mistakes;
}
