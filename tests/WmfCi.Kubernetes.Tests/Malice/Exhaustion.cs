using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>A stage that takes more than it may is stopped, is told what it took too much of, and harms nobody beside it.</summary>
public sealed class Exhaustion
{
    private const string TooMuchMemory = "It needed more than the 256 MiB of memory of the worker class default. Let it run less in parallel, or choose another `worker:`.";

    [Fact]
    public async Task A_fork_bomb_meets_its_limit_and_its_neighbour_goes_on()
    {
        await using var here = await Hostile.SiteAsync();
        var neighbour = new Heard();
        // It starts programs all the time: were processes scarce for it, it would fail.
        var beside = here.Runner.RunAsync(await here.SpecAsync(here.StageOf("echo begun; while [ ! -e /work/never ]; do /bin/true || exit 9; i=$((i+1)); [ $i -lt 1500 ] || break; done; echo unharmed") with { Name = "beside" }), neighbour, here.Token);
        await neighbour.PrintedAsync("begun", beside, here.Token);
        var bomb = await here.RunAsync(here.StageOf("""perl -e 'while (1) { $p = fork(); $p // do { print "no more: $!\n"; exit 1 }; $p or sleep 100 }'"""));

        bomb.ShouldEnd(OutcomeKind.Failed, "Exit status 1. It wanted more than the 200 processes and threads that the worker class default allows: let it run less in parallel, or choose another `worker:`.");
        bomb.Output.ShouldBe("no more: Resource temporarily unavailable\n");
        (await beside).Kind.ShouldBe(OutcomeKind.Succeeded, neighbour.ToString());
        neighbour.Output.ShouldBe("begun\nunharmed\n");
    }

    [Fact]
    public async Task A_fork_bomb_that_nothing_waits_for_ends_with_its_stage()
    {
        await using var here = await Hostile.SiteAsync();
        var heard = await here.RunAsync(here.StageOf("bomb() { bomb 2>/dev/null | bomb 2>/dev/null & }; bomb; bomb; sleep 1000") with { Timeout = TimeSpan.FromSeconds(4) });
        // The shell itself may be the one that gets no process.
        heard.Report.Kind.ShouldBeOneOf(OutcomeKind.TimedOut, OutcomeKind.Failed);
        heard.Report.Explanation.ShouldStartWith(heard.Report.Kind == OutcomeKind.Failed ? "Exit status 2." : "It took longer than the 4 s that the stage may take, and was stopped with all its children.");
    }

    [Fact]
    public async Task A_stage_that_fills_its_memory_is_ended_and_told()
    {
        var heard = await Hostile.RunAsync("perl -e '$x = \"x\" x 1_000_000_000; print length $x'");
        heard.ShouldEnd(OutcomeKind.OutOfMemory, TooMuchMemory);
        heard.Output.ShouldNotContain("1000000000");
    }

    [Fact]
    public async Task Shared_memory_has_a_bound_that_leaves_the_collector_its_own()
    {
        await using var here = await Hostile.SiteAsync();
        var heard = await here.RunAsync("for i in 1 2 3 4 5; do head -c 50M /dev/zero > /dev/shm/$i || true; done; exit 0");
        if (!await here.Client.IsAtLeastAsync(ServerAge.SizesMemoryVolumes, here.Token))
        {
            // Only the stage's whole memory bounds it there, or the kubelet, whichever is first.
            heard.Report.Kind.ShouldBeOneOf([OutcomeKind.OutOfMemory, OutcomeKind.DiskFull], heard.ToString());
            return;
        }
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Output.ShouldBe(string.Concat(Enumerable.Repeat("head: error writing 'standard output': No space left on device\n", 3)));
        heard.Notes.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_file_larger_than_the_stages_disk_is_cut_off()
    {
        var heard = await Hostile.RunAsync("exec head -c 1G /dev/zero > big");
        heard.Report.Kind.ShouldBe(OutcomeKind.DiskFull, heard.ToString());
        // The volume is as large as the file then, and the kubelet may be as quick as the collector.
        heard.Report.Explanation.ShouldBeOneOf(
            "It wrote a file larger than the 256 MiB of disk that a stage of the worker class default may use. Write less, or choose another `worker:`.",
            Evicted("work", 256));
    }

    private static readonly (string Folder, string Volume, int Mebibytes)[] Volumes = [("/work", "work", 256), ("/tmp", "scratch", 256), ("/wmfci/control", "control", 16)];

    private static readonly Once<Dictionary<string, Heard>> Filled = new(() => Hostile.RunAllAsync(
        Volumes.Select(volume => (volume.Folder, $"cd {volume.Folder}; for i in $(seq 1 {volume.Mebibytes / 16 + 1}); do head -c 16M /dev/zero > f$i; done; sleep 1000"))));

    public static TheoryData<string> Folders => [.. Volumes.Select(volume => volume.Folder)];

    [Theory, MemberData(nameof(Folders))]
    public async Task A_stage_that_fills_a_volume_with_many_files_is_evicted_and_told(string folder)
    {
        var volume = Volumes.Single(volume => volume.Folder == folder);
        var heard = (await Filled.Result)[folder];
        heard.ShouldEnd(OutcomeKind.DiskFull, Evicted(volume.Volume, volume.Mebibytes));
        heard.Notes.ShouldBe(["This is the live copy of the log: the pod ended before the complete one was stored, and the last moments may be missing. Files were not kept either."]);
    }

    private static string Evicted(string volume, int mebibytes) =>
        $"It wrote more than the 256 MiB of disk that the worker class default allows, and was evicted: Usage of EmptyDir volume \"{volume}\" exceeds the limit \"{mebibytes << 20}\". Delete what is no longer needed as it goes on, or choose another `worker:`.";

    private static readonly (string What, string Script, long Bytes)[] Floods =
    [
        ("a gigabyte of lines", "yes 'the same again' | head -c 1G; exit 3", 1L << 30),
        ("a line of 100 megabytes", "head -c 100M /dev/zero | tr '\\0' a; exit 3", 100L << 20),
        ("noise without end", "head -c 20M /dev/urandom; exit 3", 20L << 20),
    ];

    private static readonly Once<Dictionary<string, Heard>> Flooded = new(() => Hostile.RunAllAsync(Floods.Select(flood => (flood.What, flood.Script))));

    public static TheoryData<string> FloodNames => [.. Floods.Select(flood => flood.What)];

    [Theory, MemberData(nameof(FloodNames))]
    public async Task A_log_is_kept_up_to_its_bound_and_the_stage_ends_as_it_would_with(string what)
    {
        var heard = (await Flooded.Result)[what];
        heard.ShouldEnd(OutcomeKind.Failed, "Exit status 3.");
        heard.Bytes.Length.ShouldBe(1 << 20);
        heard.Notes.ShouldBe([$"The log is full: it keeps 1 MiB of output. {Floods.Single(flood => flood.What == what).Bytes - (1 << 20)} bytes were not kept. Print less, or write to a file and keep it as an artifact."]);
    }

    [Fact]
    public async Task All_steps_together_have_one_log_though_one_forges_how_much_it_kept()
    {
        const string forge = "for i in 1 2 3 4; do echo 0 > /wmfci/control/log-$i; done 2>/dev/null || true; head -c 900000 /dev/zero | tr '\\0' a";
        var heard = await Hostile.RunAsync(forge, forge, forge, forge);
        heard.Report.Kind.ShouldBe(OutcomeKind.Succeeded, heard.Report.Explanation);
        heard.Bytes.Length.ShouldBe(1 << 20);
    }

    [Fact]
    public async Task Nothing_outlives_its_time_whatever_it_does_against_its_end()
    {
        await using var here = await Hostile.SiteAsync();
        const string hide = """
            trap "" TERM HUP INT QUIT
            nohup sleep 1000 >/dev/null 2>&1 &
            setsid sh -c 'trap "" TERM; exec sleep 1000' &
            perl -e 'use POSIX; $SIG{TERM} = "IGNORE"; fork and exit; POSIX::setsid(); fork and exit; close STDOUT; close STDERR; sleep 1000' &
            echo begun
            while :; do sleep 1000; done
            """;
        // Whatever waited for those that sleep would be given up by the site long before they wake.
        var heard = await here.RunAsync(here.StageOf(hide) with { Timeout = TimeSpan.FromSeconds(10) });
        heard.ShouldEnd(OutcomeKind.TimedOut, "It took longer than the 10 s that the stage may take, and was stopped with all its children. Make it faster, split it, or raise the stage's timeout.");
        heard.Output.ShouldBe("begun\n");
        // The collector begins when the last of them is gone, and it came to its end.
        heard.Notes.ShouldBeEmpty();
    }

    [Fact]
    public async Task Nothing_outlives_its_step()
    {
        const string look = "cat /work/beat > one; sleep 1; cat /work/beat > two; cmp one two && echo no beat; cat /proc/[0-9]*/comm | grep -c perl || true";
        var heard = await Hostile.RunAsync(
            """
            cat > daemon <<'EOF'
            use POSIX; $SIG{$_} = "IGNORE" for qw(TERM HUP INT); fork and exit; POSIX::setsid(); fork and exit; close $_ for *STDIN, *STDOUT, *STDERR;
            while (1) { open F, ">", "/work/beat"; print F rand(); close F; select undef, undef, undef, 0.05; }
            EOF
            perl daemon; nohup perl daemon & until [ -s beat ]; do sleep 0.1; done; cat beat > first; while cmp -s beat first; do sleep 0.1; done; echo beats
            """,
            look);
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Output.ShouldBe("beats\nno beat\n0\n");
    }
}
