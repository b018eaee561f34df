using System.Diagnostics;
using System.Formats.Tar;
using System.Text;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

/// <summary>Figures: the tests' output has what was measured. What is asserted is that nothing is lost on the way; times are no facts on a busy machine.</summary>
public sealed class SpeedTests(ITestOutputHelper output)
{
    [Fact]
    public async Task The_first_command_of_a_stage_runs_at_once()
    {
        Needs.Bubblewrap();
        await using var bench = new Bench();
        var snapshot = await bench.SnapshotAsync(("README", "hello"), ("src/a.c", "int a;"));
        var (firsts, wholes) = (new List<double>(), new List<double>());
        for (var i = 0; i < 20; i++)
        {
            var told = new Told();
            var spec = await bench.SpecAsync(Bench.StageOf("echo ready"), snapshot);
            var begun = Stopwatch.GetTimestamp();
            var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
            await told.PrintedAsync("ready");
            firsts.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
            (await running).Kind.ShouldBe(OutcomeKind.Succeeded);
            wholes.Add(Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }

        firsts.Sort();
        wholes.Sort();
        output.WriteLine($"first output after {firsts[0]:0.0} ms at best, {firsts[10]:0.0} ms median; report after {wholes[0]:0.0} ms, {wholes[10]:0.0} ms");
    }

    [Fact]
    public async Task Thousands_of_files_are_laid_out_without_losing_one()
    {
        Needs.Bubblewrap();
        var files = int.Parse(Environment.GetEnvironmentVariable("WMFCI_TEST_FILES") ?? "5000");
        await using var bench = new Bench();
        var snapshot = await bench.SnapshotAsync(tar =>
        {
            for (var i = 0; i < files; i++)
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"d{i / 1000}/e{i / 100 % 10}/f{i}") { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat($"line {i}\n", 100)))) });
        });
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("echo ready; ls -R | grep -c '^f'"), snapshot);
        var begun = Stopwatch.GetTimestamp();
        var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        var first = Stopwatch.GetElapsedTime(begun);
        (await running).Kind.ShouldBe(OutcomeKind.Succeeded);
        output.WriteLine($"{files} files: first output after {first.TotalSeconds:0.00} s");
        told.Output.ShouldBe($"ready\n{files}\n");
    }
}
