using WmfCi.Benchmarks;
using WmfCi.Benchmarks.Stages;

var benchmarks = new Dictionary<string, (string What, Func<Choices, CancellationToken, Task> Run)>(StringComparer.Ordinal)
{
    ["latency"] = ("from a push to the first command and to the vote, with the share of every step", LatencyBenchmark.RunAsync),
    ["events"] = ("events per second through inbox and loop, and how long each waits", EventsBenchmark.RunAsync),
    ["pages"] = ("overview, run, project and change page with 100,000 stored runs", PagesBenchmark.RunAsync),
    ["rest"] = ("memory and processor of a service that has nothing to do", RestBenchmark.RunAsync),
    ["kubernetes"] = ("from a push to the first step's container on a cluster and to the vote, with the share of every step", StartBenchmark.RunAsync),
    ["jobs"] = ("short stages on a cluster: how many a minute", ThroughputBenchmark.RunAsync),
    ["crowd"] = ("processor and memory of the service while 200 stages run on a cluster", CrowdBenchmark.RunAsync),
    ["follow"] = ("how far the logs of 50 stages on a cluster are behind, in the database and in browsers", FollowBenchmark.RunAsync),
    ["watch"] = ("memory and processor of a service that has nothing to do and watches a cluster", RestBenchmark.RunOnClusterAsync),
    ["merge"] = ("a speculative merge in a repository of 50,000 files", (_, _) => SmallBenchmarks.RunAsync<MergeBenchmark>()),
    ["config"] = ("reading a pipeline file, good and hostile", (_, _) => SmallBenchmarks.RunAsync<ConfigBenchmark>()),
    ["rules"] = ("one decision", (_, _) => SmallBenchmarks.RunAsync<RulesBenchmark>()),
};

if (Choices.TryRead(args, out var choices) && choices.Names.All(benchmarks.ContainsKey) && choices.Names.Count > 0)
{
    using var stop = new CancellationTokenSource();
    Console.CancelKeyPress += (_, pressed) =>
    {
        pressed.Cancel = true;
        stop.Cancel();
    };
    // Figures of a busy machine say little; whoever reads them shall see it.
    Console.WriteLine($"{Environment.ProcessorCount} processors, load average {(File.Exists("/proc/loadavg") ? File.ReadAllText("/proc/loadavg").Trim() : "unknown")}");
    foreach (var name in choices.Names) await benchmarks[name].Run(choices, stop.Token);
    return 0;
}
Console.WriteLine("Usage: list | NAME... [--count N] [--warm-up N] [--stand-in] [--verbose]\n");
foreach (var (name, (what, _)) in benchmarks) Console.WriteLine($"  {name,-10} {what}");
return args is ["list"] ? 0 : 2;
