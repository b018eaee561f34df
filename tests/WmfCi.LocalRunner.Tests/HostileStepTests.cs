using System.Diagnostics;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

public sealed class HostileStepTests
{
    public HostileStepTests() => Needs.Bubblewrap();

    [Theory]
    [InlineData("cat /etc/shadow")]
    [InlineData("cat /root/.ssh/*")]
    [InlineData("ls /root")]
    [InlineData("ls /var/lib/*")]
    [InlineData("ls /etc/ssl/private")]
    [InlineData("ls /sys/kernel")]
    [InlineData("cat /proc/1/root/etc/shadow")]
    [InlineData("cat /mnt/*")]
    [InlineData("ls /home/*/.ssh")]
    public async Task Nothing_of_the_machine_that_is_not_for_everybody_can_be_read(string script)
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(script);
        told.Report.Kind.ShouldBe(OutcomeKind.Failed, told.Output);
    }

    [Theory]
    [InlineData("echo x > /usr/bin/x")]
    [InlineData("echo x > /etc/x")]
    [InlineData("echo x > /etc/passwd")]
    [InlineData("echo x > /x")]
    [InlineData("echo x > /dev/x")]
    [InlineData("echo x > /proc/sys/kernel/core_pattern")]
    [InlineData("echo b > /proc/sysrq-trigger")]
    [InlineData("echo x > /.wmfci-step")]
    [InlineData("mount -t tmpfs none /tmp")]
    [InlineData("unshare --user --map-root-user true")]
    [InlineData("chroot /work /bin/true")]
    [InlineData("mknod /work/disk b 8 0")]
    [InlineData("chown 0 README")]
    [InlineData("kill -9 -1; exit 1")]
    [InlineData("test -w /proc/1/oom_score_adj && echo 0 > /proc/1/oom_score_adj; exit 1")]
    public async Task Nothing_outside_of_the_workspace_can_be_changed(string script)
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(script);
        told.Report.Kind.ShouldBe(OutcomeKind.Failed, told.Output + told.Report.Explanation);
    }

    [Fact]
    public async Task A_step_has_no_power_and_no_way_to_get_any()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync("id -u; id -g; grep -E '^(CapEff|CapPrm|CapBnd|NoNewPrivs)' /proc/self/status; hostname; id -un");
        told.Output.ShouldBe($"1000\n1000\nCapPrm:\t{0:x16}\nCapEff:\t{0:x16}\nCapBnd:\t{0:x16}\nNoNewPrivs:\t1\nci\nci\n");
    }

    [Fact]
    public async Task When_the_service_is_root_steps_are_another_user_outside_too()
    {
        Needs.Root();
        await using var bench = new Bench();
        var told = new Told();
        // The shell has no child that would still look like it and end meanwhile.
        var spec = await bench.SpecAsync(Bench.StageOf("mkfifo /tmp/pipe; exec 3<>/tmp/pipe; echo ready; read word <&3"));
        var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        var users = Directory.EnumerateDirectories("/proc").Select(folder => Path.Combine(folder, "cmdline")).Where(File.Exists)
            .Where(file => Read(file) == "/bin/sh\0-e\0/.wmfci-step\0").Select(file => Path.GetDirectoryName(file)!)
            // Those of other tests end while they are looked at.
            .Where(process => Read(Path.Combine(process, "mountinfo")).Contains($"{Path.GetFileName(bench.Folder)}/run/attempts", StringComparison.Ordinal))
            .Select(process => Read(Path.Combine(process, "status")).Split('\n').First(line => line.StartsWith("Uid:", StringComparison.Ordinal))).ToList();
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        await running;
        var user = bench.Options.StepUser;
        users.ShouldNotBeEmpty();
        users.ShouldAllBe(line => line == $"Uid:\t{user}\t{user}\t{user}\t{user}");
    }

    [Fact]
    public async Task Files_that_the_service_has_open_are_not_handed_down()
    {
        await using var bench = new Bench();
        await using var open = File.OpenRead("/etc/hostname");
        var told = await bench.RunAsync("for f in /proc/$$/fd/*; do readlink $f; done");
        told.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldAllBe(target => target == "/dev/null" || target.StartsWith("pipe:") || target == "/.wmfci-step", told.Output);
    }

    [Fact]
    public async Task A_daemon_that_lets_go_of_everything_ends_with_its_step()
    {
        await using var bench = new Bench();
        var mark = $"wmfci-mark-{Guid.NewGuid():N}";
        var told = await bench.RunAsync($"touch /tmp/{mark}; (setsid nohup tail -f /tmp/{mark} >/dev/null 2>&1 </dev/null & ) ; echo left");
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded);
        Directory.EnumerateDirectories("/proc").Select(folder => Path.Combine(folder, "cmdline")).Where(File.Exists).ShouldAllBe(file => !Read(file).Contains(mark));
    }

    [Fact]
    public async Task A_daemon_cannot_write_after_its_step_while_files_are_collected()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Bench.StageOf("echo 1 > out; (setsid sh -c 'while :; do echo 2 >> out; done' >/dev/null 2>&1 </dev/null &) ; echo ok") with { Artifacts = ["out"] });
        var kept = told.Report.Files.ShouldHaveSingleItem();
        (await bench.TextOfAsync(kept)).Length.ShouldBe((int)kept.Blob.Size);
    }

    [Fact]
    public async Task Other_attempts_and_processes_of_the_machine_cannot_be_seen()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync($"ls -d /proc/[0-9]*; test -e /proc/{Environment.ProcessId + 100000} || true; ls {bench.Folder} || echo hidden");
        told.Output.ShouldEndWith("hidden\n");
        told.Output.Split('\n').Count(line => line.StartsWith("/proc/", StringComparison.Ordinal)).ShouldBeLessThan(6);
    }

    [Fact]
    public async Task A_workspace_deeper_than_any_path_can_name_is_removed()
    {
        var folder = Directory.CreateTempSubdirectory("wmfci-test-").FullName;
        await using (var bench = new Bench(folder: folder))
        {
            var told = await bench.RunAsync(Bench.StageOf("d=$(printf 'd%.0s' $(seq 1 200)); i=0; while [ $i -lt 60 ]; do mkdir $d; cd -P $d || exit 1; i=$((i+1)); done; touch x") with { Artifacts = ["**"] });
            told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output);
            told.Notes.ShouldNotBeEmpty();
        }

        Directory.EnumerateFileSystemEntries(Path.Combine(folder, "run", "trash")).ShouldBeEmpty();
        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Hundreds_of_thousands_of_lines_pass_without_delay()
    {
        await using var bench = new Bench();
        var begun = Stopwatch.GetTimestamp();
        var told = await bench.RunAsync("seq 1 300000");
        told.Output.ShouldEndWith("\n300000\n");
        Stopwatch.GetElapsedTime(begun).ShouldBeLessThan(TimeSpan.FromMinutes(2));
    }

    private static string Read(string file)
    {
        try
        {
            return File.ReadAllText(file);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
