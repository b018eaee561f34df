using System.Text;
using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Sites;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Tests;

public sealed class PropertyTests
{
    private const string Sample = """
        type: go
        image: host
        environment: {A: b}
        commit:
          steps: [make, {name: x, run: "y"}]
          matrix: {php: [8.1, 8.2]}
          artifacts: out/**
        acceptance: |
          make
        stages:
          lint: {steps: a, needs: [], timeout: 5m, voting: false, worker: large, services: {db: "x:1", q: {image: y, ready: 80, user: 9}}}
        """;

    private const string SiteSample = """
        state: s
        database: Host=x
        gerrit: {url: http://g, user: u, password-file: p}
        runner:
          kind: kubernetes
          kubernetes:
            namespace: ci
            image: r/p:1
            exchange: {url: "https://x", listen: "https://0.0.0.0:1", certificate-file: c, key-file: k, authority-file: a}
            workers: {default: {cpu: 500m, cpu-limit: 2, node-selector: {a/b: c}, tolerations: [{key: a, seconds: 1, effect: NoExecute}]}, b: {memory: 1GiB}}
            worker: b
            users: {first: 2000, count: 300}
            blocked: [10.0.0.0/8, "fd00::/8"]
        """;

    private static readonly string[] _fragments =
    [
        "image", "commit", "steps", "stages", "matrix", "needs", "environment", "timeout", "type", "run", "name", ": ", ":\n", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ",
        "host", "go", "5m", "true", "*a", "&a ", "!t ", "|\n", ">-\n", "\"", "'", "\\", "#", "%", "@", "?", "---\n", "...\n", "\t", "\0", "\r", "\u2028", "\u0085", "\uFEFF", "é", "😀", "\ud800",
        "${php}", "..", "/", "~", "null", "<<", "url", "gerrit", "password", "2GiB", "-", "1e9", "0x1", "=",
    ];

    private static Gen<string> AnyText => Gen.Elements(_fragments).ListOf().Select(parts => string.Concat(parts));

    private static Gen<string> Damaged(string sample) =>
        from at in Gen.Choose(0, sample.Length)
        from length in Gen.Choose(0, 12)
        from instead in AnyText.Resize(4)
        select sample[..at] + instead + sample[Math.Min(sample.Length, at + length)..];

    private static Gen<byte[]> AnyBytes => Gen.OneOf(
        AnyText.Select(Encoding.UTF8.GetBytes),
        Damaged(Sample).Select(Encoding.UTF8.GetBytes),
        Gen.Choose(0, 255).Select(number => (byte)number).ArrayOf());

    [Property(MaxTest = 2_000)]
    public Property Any_bytes_are_answered_within_bounds() => Prop.ForAll(AnyBytes.ToArbitrary(), bytes =>
    {
        var lines = bytes.Count(b => b == (byte)'\n') + 1;
        var mistakes = PipelineFile.Read("f", bytes) switch
        {
            PipelineReading.Invalid invalid => Some(invalid.Mistakes),
            PipelineReading.Valid valid => Sound(valid.Pipeline),
            _ => throw new InvalidOperationException(),
        };
        mistakes.All(mistake => mistake.Line >= 1 && mistake.Line <= lines && mistake.Column >= 1 && mistake.Column <= bytes.Length + 1).ShouldBeTrue();
        mistakes.All(mistake => mistake.Problem.EndsWith('.') && mistake.Advice.Length > 0 && !mistake.ToString().Contains('\n')).ShouldBeTrue();
        var report = ValidationReport.OfPipeline("f", bytes);
        report.Lines.All(line => !line.Any(char.IsControl)).ShouldBeTrue();
        report.IsValid.ShouldBe(mistakes.Count == 0);
    });

    [Property(MaxTest = 1_000)]
    public Property Any_bytes_as_a_site_are_answered_within_bounds() => Prop.ForAll(Gen.OneOf(AnyBytes, Damaged(SiteSample).Select(Encoding.UTF8.GetBytes)).ToArbitrary(), bytes =>
    {
        if (SiteFile.Read("/etc/f", bytes) is SiteReading.Invalid invalid) Some(invalid.Mistakes);
        else if (SiteFile.Read("/etc/f", bytes) is SiteReading.Valid { Site.Runner: var runner }) Sound(runner);
        ValidationReport.OfSite("/etc/f", bytes).Lines.All(line => !line.Any(char.IsControl)).ShouldBeTrue();
    });

    [Property(MaxTest = 300)]
    public Property What_is_written_is_read_back() =>
        Prop.ForAll(Spec.ToArbitrary(), spec => Expect.Valid(spec.Yaml()).Stages.ShouldBe(spec.Model().Stages));

    private static Gen<string> Line =>
        Gen.Elements(
            "make",
            "a b",
            "x: y",
            "# c",
            "- d",
            "*",
            "yes",
            "8.10",
            "é",
            "😀",
            "\"q\"",
            "\\n",
            "\t",
            "{",
            "|",
            "'",
            "$x").NonEmptyListOf().Select(string.Concat);

    private static Gen<string> Text => Gen.OneOf(Line, Line.NonEmptyListOf().Select(lines => string.Join('\n', lines)), Gen.Constant(" \u0001\u2028\u00a0 x "));

    private static Gen<string> Value => Gen.Elements("8.1", "8.10", "no", "null", "~", "mariadb", "1e3", "0x1F", "01", "2026-01-01", "a.b-c");

    private static Gen<string[]> Patterns => Gen.SubListOf("out/*.deb", "**/*", "a b", "é/x", "...", "a..b", "{x}").Select(patterns => patterns.ToArray());

    private static Gen<ValueArray<Variable>> Variables(params string[] names) =>
        from chosen in Gen.SubListOf(names)
        from values in Gen.OneOf(Text, Gen.Constant("")).ArrayOf(chosen.Count)
        select chosen.Zip(values, (name, value) => new Variable(name, value)).ToValueArray();

    private static Gen<ValueArray<AxisSpec>> Axes =>
        from names in Gen.SubListOf("php", "DB", "_x1")
        from values in Value.NonEmptyListOf().Resize(3).Select(values => values.Distinct().ToValueArray()).ArrayOf(names.Count)
        select names.Zip(values, (name, some) => new AxisSpec(name, some)).ToValueArray();

    private static Gen<StageService> ServiceOf(string name, AxisSpec? axis) =>
        from own in Variables("MODE", "A_1")
        from ready in Gen.Elements<(int?, string?)>((null, null), (1, null), (65_535, null), (null, "-5"), (null, "test -e /x && true"))
        from user in Gen.Elements<int?>(null, 1, 65_534)
        select new StageService
        {
            Name = name,
            Image = axis is null ? $"r.example.org/{name}:1" : $"{name}:1-${{{axis.Name}}}-z",
            Environment = own,
            ReadyPort = ready.Item1,
            ReadyCommand = ready.Item2,
            User = user,
        };

    private static Gen<ValueArray<StageService>> Services(string stage, AxisSpec? axis) =>
        from names in Gen.SubListOf(stage == "commit" ? [] : new[] { "db", "search-2", "a1" })
        from services in Gen.CollectToList(names, name => ServiceOf(name, axis))
        select services.ToValueArray();

    private static Gen<StageSpec> StageOf(string name, IReadOnlyList<string> earlier) =>
        from needs in Gen.SubListOf(earlier.ToArray())
        from axes in Axes
        from own in Variables("MODE", "A_1", "path")
        from scripts in Text.Where(text => !string.IsNullOrWhiteSpace(text)).NonEmptyListOf().Resize(4)
        from artifacts in Patterns
        from reports in Patterns
        from seconds in Gen.Choose(1, 6 * 3600)
        from truths in ArbMap.Default.GeneratorFor<bool>().ArrayOf(3)
        let axis = axes.FirstOrDefault(axis => !axis.Values.Contains("~"))
        from services in Services(name, axis)
        from worker in Gen.Elements("", "large", "8-cores")
        select new StageSpec(
            new Stage
            {
                Name = name,
                Image = axis is not null ? "img/x:1-${" + axis.Name + "}-z" : "host",
                Needs = needs.ToValueArray(),
                Steps = scripts.Select((script, number) => new Step($"step {number}: é", script)).ToValueArray(),
                Artifacts = artifacts.ToValueArray(),
                Reports = reports.ToValueArray(),
                Timeout = TimeSpan.FromSeconds(seconds),
                IsVoting = truths[0],
                HasNetwork = truths[1],
                HasHistory = truths[2],
                Services = services,
                Worker = worker,
            },
            axes,
            own);

    private static Gen<PipelineSpec> Spec =>
        from environment in Variables("LANG", "TZ")
        from commit in StageOf("commit", [])
        from acceptance in StageOf("acceptance", ["commit"])
        from lint in StageOf("lint", ["commit", "acceptance"])
        from perf in StageOf("perf-2", ["lint", "acceptance"])
        from count in Gen.Choose(1, 4)
        let stages = new[] { commit, acceptance, lint, perf }.Take(count)
        where stages.Sum(stage => stage.Axes.Aggregate(1, (product, axis) => product * axis.Values.Count)) <= PipelineLimits.Cells
        select new PipelineSpec(environment, stages.ToValueArray());

    private static ValueArray<ConfigMistake> Some(ValueArray<ConfigMistake> mistakes)
    {
        mistakes.Count.ShouldBeInRange(1, YamlLimits.Mistakes);
        mistakes.Zip(mistakes.Skip(1)).All(pair => pair.First.Line <= pair.Second.Line).ShouldBeTrue();
        return mistakes;
    }

    /// <summary>What the runner relies on.</summary>
    private static void Sound(RunnerSettings runner)
    {
        (runner.Kubernetes is not null).ShouldBe(runner.Kind == SiteLimits.KubernetesRunner);
        if (runner.Kubernetes is not { } cluster) return;
        cluster.Find("").ShouldNotBeNull();
        cluster.Workers.Select(worker => worker.Name).ShouldBeUnique();
        cluster.Workers.ShouldAllBe(worker => worker.MilliCpu > 0 && worker.Memory > 0 && worker.Disk > 0 && (worker.MilliCpuLimit == null || worker.MilliCpuLimit >= worker.MilliCpu));
        cluster.Workers.SelectMany(worker => worker.Tolerations).ShouldAllBe(one => one.Exists || one.Key != null);
        ((long)cluster.Users.First + cluster.Users.Count).ShouldBeInRange(1, 1L << 31);
        cluster.Blocked.ShouldAllBe(range => range.PrefixLength > 0);
        (cluster.Exchange.CertificateFile is not null && cluster.Exchange.KeyFile is not null).ShouldBe(cluster.Exchange.Listen.Scheme == "https");
        (cluster.Exchange.AuthorityFile is not null).ShouldBe(cluster.Exchange.Url.Scheme == "https");
    }

    /// <summary>What the rest of the service relies on.</summary>
    private static ValueArray<ConfigMistake> Sound(Pipeline pipeline)
    {
        pipeline.Stages.Select(stage => stage.Id).ShouldBeUnique();
        var names = pipeline.Stages.Select(stage => stage.Name).Distinct().ToList();
        foreach (var stage in pipeline.Stages)
        {
            stage.Needs.All(need => names.Contains(need) && names.IndexOf(need) < names.IndexOf(stage.Name)).ShouldBeTrue();
            stage.Image.ShouldNotBeEmpty();
            stage.Steps.ShouldNotBeEmpty();
            stage.Steps.Select(step => step.Name).ShouldBeUnique();
            stage.Environment.Select(variable => variable.Name).ShouldBeUnique();
            (stage.Services.IsEmpty || stage.Name != "commit").ShouldBeTrue();
            stage.Services.Select(service => service.Name).ShouldBeUnique();
            stage.Services.ShouldAllBe(service => service.Image != "" && service.Image != "host" && (service.ReadyPort == null || service.ReadyCommand == null));
            stage.Services.ShouldAllBe(service => service.ReadyPort == null || (service.ReadyPort > 0 && service.ReadyPort < 65_536));
            stage.Services.ShouldAllBe(service => service.User == null || service.User > 0);
            stage.Timeout.ShouldBeInRange(PipelineLimits.ShortestTimeout, PipelineLimits.LongestTimeout);
        }

        return [];
    }
}
