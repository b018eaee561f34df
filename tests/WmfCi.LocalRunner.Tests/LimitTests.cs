using System.Diagnostics;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

public sealed class LimitTests
{
    // Twice the limit, and then it stays as it is until somebody sees it: without control groups nothing else keeps it from taking all that the machine has.
    private const string MemoryHog = "mkfifo /tmp/pipe; exec 3<>/tmp/pipe; head -c 420000000 /dev/zero >&3 & exec tail <&3";
    private const string Fill = "i=0; while :; do i=$((i+1)); head -c 4194304 /dev/zero > fill-$i; done";

    public LimitTests() => Needs.Bubblewrap();

    [Fact]
    public async Task A_stage_that_exceeds_its_time_is_stopped_with_all_its_children_and_says_so()
    {
        await using var bench = new Bench();
        var told = await bench.RunOutOfTimeAsync(Bench.StageOf("(setsid nohup tail -f /dev/null &) ; tail -f /dev/null & echo begun; wait", "echo never"), "begun");
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut);
        told.Report.Explanation.ShouldContain("longer than the 60 min");
        told.Report.FailedStep.ShouldBe("step 1");
        told.Steps.Count.ShouldBe(1);
    }

    [Fact]
    public async Task The_time_of_a_stage_is_counted_by_the_clock()
    {
        await using var bench = new Bench();
        var begun = Stopwatch.GetTimestamp();
        var told = await bench.RunAsync(Bench.StageOf("exec tail -f /dev/null") with { Timeout = TimeSpan.FromSeconds(1) });
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut);
        told.Report.Explanation.ShouldContain("longer than the 1 s");
        Stopwatch.GetElapsedTime(begun).ShouldBeGreaterThanOrEqualTo(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task The_time_of_a_stage_is_that_of_all_its_steps_together()
    {
        await using var bench = new Bench();
        var told = await bench.RunOutOfTimeAsync(Bench.StageOf("true", "echo second; exec tail -f /dev/null", "echo never"), "second");
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut);
        told.Report.FailedStep.ShouldBe("step 2");
    }

    [Fact]
    public async Task What_is_stopped_may_tidy_up_and_what_it_leaves_is_kept_after_a_timeout()
    {
        await using var bench = new Bench(options => options with { StopGrace = TimeSpan.FromSeconds(60) });
        const string script = "mkfifo /tmp/pipe; sh -c 'trap \"echo tidy > result.txt; exit 3\" TERM; echo ready; exec 3<>/tmp/pipe; while :; do read x <&3; done'";
        var told = await bench.RunOutOfTimeAsync(Bench.StageOf(script) with { Artifacts = ["result.txt"] }, "ready");
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut);
        (await bench.TextOfAsync(told.Report.Files.ShouldHaveSingleItem())).ShouldBe("tidy\n");
    }

    [Fact]
    public async Task What_ignores_the_request_to_end_is_killed_after_the_grace()
    {
        await using var bench = new Bench(options => options with { StopGrace = TimeSpan.FromMilliseconds(300) });
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("trap '' TERM; echo ready; tail -f /dev/null; tail -f /dev/null"));
        var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        (await running).Kind.ShouldBe(OutcomeKind.Stopped);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_memory_hog_is_stopped_and_told_which_limit_it_met(bool useControlGroups)
    {
        await using var bench = new Bench(options => options with { MemoryBytes = 200L << 20, UseControlGroups = useControlGroups });
        var told = await bench.RunAsync(MemoryHog);
        told.Report.Kind.ShouldBe(OutcomeKind.OutOfMemory, told.Report.Explanation + told.Output);
        told.Report.Explanation.ShouldContain("200 MiB");
        told.Report.Explanation.ShouldContain("MemoryBytes");
        told.Report.FailedStep.ShouldBe("step 1");
    }

    [Fact]
    public async Task Shared_memory_is_bounded()
    {
        await using var bench = new Bench(options => options with { SharedMemoryBytes = 1 << 20 });
        var told = await bench.RunAsync("head -c 2000000 /dev/zero > /dev/shm/x");
        told.Report.Kind.ShouldBe(OutcomeKind.Failed);
        told.Output.ShouldContain("No space left");
    }

    [Fact]
    public async Task A_fork_bomb_meets_the_limit_of_processes_and_ends_with_the_stage()
    {
        await using var bench = new Bench(options => options with { MaxProcesses = 50, StopGrace = TimeSpan.FromMilliseconds(100) });
        var told = await bench.RunAsync(Bench.StageOf("i=0; while [ $i -lt 200 ]; do tail -f /dev/null & i=$((i+1)); done; echo all"));
        told.Report.Kind.ShouldBe(OutcomeKind.Failed);
        told.Output.ShouldContain("fork");
        told.Output.ShouldNotContain("all\n");
    }

    [Fact]
    public async Task A_fork_bomb_that_never_ends_is_ended_by_the_time()
    {
        await using var bench = new Bench(options => options with { MaxProcesses = 100, StopGrace = TimeSpan.FromMilliseconds(100) });
        var told = await bench.RunOutOfTimeAsync(Bench.StageOf("bomb() { bomb 2>/dev/null | bomb 2>/dev/null & }; bomb; echo thrown; exec tail -f /dev/null"), "thrown");
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut);
    }

    [Fact]
    public async Task A_stage_that_fills_the_disk_is_stopped_and_told_which_limit_it_met()
    {
        await using var bench = new Bench(options => options with { DiskBytes = 100L << 20 });
        var told = await bench.RunAsync(Bench.StageOf(Fill) with { Artifacts = ["nothing"] });
        told.Report.Kind.ShouldBe(OutcomeKind.DiskFull, told.Report.Explanation);
        told.Report.Explanation.ShouldContain("100 MiB");
        told.Report.Explanation.ShouldContain("DiskBytes");
    }

    [Theory]
    [InlineData("head -c 200000000 /dev/zero > big")]
    [InlineData("head -c 200000000 /dev/zero > /tmp/big")]
    [InlineData("head -c 200000000 /dev/zero > ~/big")]
    public async Task No_file_is_larger_than_the_disk_limit(string script)
    {
        await using var bench = new Bench(options => options with { DiskBytes = 20L << 20 });
        var told = await bench.RunAsync(script);
        told.Report.Kind.ShouldBe(OutcomeKind.DiskFull, told.Report.Explanation + told.Output);
    }

    [Fact]
    public async Task Too_many_small_files_count_as_a_full_disk()
    {
        await using var bench = new Bench(options => options with { MaxDiskEntries = 1000 });
        var told = await bench.RunAsync("mkdir d; cd d; seq 1 2000 | xargs touch; exit 1");
        told.Report.Kind.ShouldBe(OutcomeKind.DiskFull);
        told.Report.Explanation.ShouldContain("1000 files");
    }

    [Fact]
    public async Task When_the_workers_disk_is_nearly_full_the_stage_is_not_to_blame()
    {
        await using var bench = new Bench(options => options with { ReservedDiskBytes = long.MaxValue });
        var told = await bench.RunAsync("exec tail -f /dev/null");
        told.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        told.Report.Explanation.ShouldContain("worker's disk");
    }

    [Fact]
    public async Task A_flood_of_output_is_cut_with_one_note_and_the_stage_goes_on()
    {
        await using var bench = new Bench(options => options with { LogBytes = 100_000 });
        var told = await bench.RunAsync("head -c 5000000 /dev/zero; echo done > result", "echo second; cat result > /work/copy");
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded);
        told.Output.Length.ShouldBe(100_000);
        told.Steps.Count.ShouldBe(2);
        told.Notes.Count.ShouldBe(2);
        told.Notes[0].ShouldContain("100000 bytes");
        told.Notes[1].ShouldContain($"{5_000_000 - 100_000 + "second\n".Length} bytes");
    }
}
