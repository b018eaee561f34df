using System.Text;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using WmfCi.Commands;
using WmfCi.Config.Pipelines;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;
using WmfCi.Fakes;
using WmfCi.Git;

namespace WmfCi.Benchmarks;

/// <summary>What is too quick for a stop watch.</summary>
internal static class SmallBenchmarks
{
    public static async Task RunAsync<T>()
    {
        var folder = Directory.CreateTempSubdirectory("wmfci-benchmark-");
        try
        {
            var config = ManualConfig.CreateEmpty()
                .AddJob(Job.Default.WithToolchain(InProcessEmitToolchain.Instance).WithWarmupCount(3).WithIterationCount(15))
                .AddColumnProvider(DefaultColumnProviders.Descriptor, DefaultColumnProviders.Params)
                .AddColumn(StatisticColumn.Median, StatisticColumn.P95, StatisticColumn.Max).WithArtifactsPath(folder.FullName);
            var summary = BenchmarkRunner.Run<T>(config);
            Console.WriteLine();
            MarkdownExporter.GitHub.ExportToLog(summary, new ConsoleLogger());
            foreach (var error in summary.ValidationErrors) await Console.Error.WriteLineAsync(error.Message);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}

public class MergeBenchmark
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("wmfci-benchmark-");
    private string _tip = "", _clean = "", _conflicting = "";

    [GlobalSetup]
    public async Task SetUpAsync()
    {
        await GitLargeRepository.Make(Git, CancellationToken.None);
        using var repository = new LibGit2Sharp.Repository(Git);
        (_tip, _clean, _conflicting) = (Tip(repository, GitLargeRepository.Branch), Tip(repository, GitLargeRepository.Clean), Tip(repository, GitLargeRepository.Conflicting));
    }

    [GlobalCleanup]
    public void CleanUp() => _folder.Delete(recursive: true);

    [Benchmark(Description = "merge into 50,000 files, clean")]
    public object Clean() => Merge(_clean);

    [Benchmark(Description = "merge into 50,000 files, conflicting")]
    public object Conflicting() => Merge(_conflicting);

    private string Git => Path.Combine(_folder.FullName, "large.git");

    private MergeResult Merge(string change)
    {
        using var repository = BareRepository.Open(Git);
        return SpeculativeMerge.Run(repository, _tip, change, MergeSettings.Default);
    }

    private static string Tip(LibGit2Sharp.Repository repository, string name) => repository.Refs[name].ResolveToDirectReference().TargetIdentifier;
}

public class ConfigBenchmark
{
    private static readonly Dictionary<string, byte[]> Files = new(StringComparer.Ordinal)
    {
        ["good"] = Encoding.UTF8.GetBytes("image: host\nenvironment: {A: b}\ncommit:\n  steps:\n    - make\n    - name: unit tests\n      run: make test\n  reports: report.xml\nacceptance:\n  steps: make acceptance\n  timeout: 20m\nstages:\n  docs:\n    needs: commit\n    steps: make docs\n"),
        ["an alias bomb"] = Encoding.UTF8.GetBytes("a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nimage: host\ncommit: make\n"),
        ["100,000 brackets"] = Encoding.UTF8.GetBytes("commit: " + new string('[', 100_000)),
        ["20,000 keys"] = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 20_000).Select(i => $"k{i}: 1\n"))),
        ["4,900 misspelt keys"] = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 4_900).Select(i => $"environmen{i}: 1\n"))),
        ["200 KiB of one text"] = Encoding.UTF8.GetBytes("image: host\ncommit: |\n" + string.Concat(Enumerable.Repeat(" word\n", 40_000))),
    };

    public static IEnumerable<string> Names => Files.Keys;

    [ParamsSource(nameof(Names))]
    public string File { get; set; } = "";

    [Benchmark(Description = "read a pipeline file")]
    public object Read() => PipelineFile.Read(PipelineFile.Path, Files[File]);
}

public class RulesBenchmark
{
    private static readonly ChangeId Id = new("project", 1);
    private static readonly Account Alice = new("1000001", "alice", "Alice", "alice@example.org");
    private static readonly Policy Policy = new() { Self = new Account("1", "wmfci", "WmfCi", ""), Links = new Links("http://ci.example.org") };
    private readonly DecisionContext _context = new(DateTimeOffset.UtcNow, 1, Policy, CommandList.Interpret);
    private readonly Event _poked = new Event.ChangePoked("patchset-created");
    private readonly ChangeLane _reading = new() { IsReading = true };
    private Event _seen = null!;

    [GlobalSetup]
    public void SetUp()
    {
        var now = DateTimeOffset.UtcNow;
        var change = new Change
        {
            Id = Id,
            Branch = "main",
            Subject = "Add sums",
            Url = "http://review.example.org/1",
            Owner = Alice,
            Status = ChangeStatus.Open,
            Updated = now,
            Current = new PatchSet(1, new string('a', 40), "refs/changes/01/1/1", PatchSetKind.Rework, Alice, now),
        };
        _seen = new Event.ChangeSeen(change, [new Comment("1", Alice, now, 1, "Uploaded patch set 1.", "autogenerated:gerrit:newPatchSet", [])]);
    }

    [Benchmark(Description = "decide: poked")]
    public object Poked() => ChangeRules.Decide(new ChangeLane(), Id, _poked, _context);

    [Benchmark(Description = "decide: new change seen")]
    public object Seen() => ChangeRules.Decide(_reading, Id, _seen, _context);
}
