using System.Diagnostics;
using System.Security.Cryptography;

namespace WmfCi.Pod.Tests.Steps;

public sealed class HostileStepTests
{
    [Theory]
    [InlineData("cat /proc/1/environ")]
    [InlineData("cat /proc/1/maps")]
    [InlineData("cat /proc/1/mem")]
    [InlineData("ls /proc/1/fd")]
    [InlineData("ls /proc/1/fd/")]
    [InlineData("readlink /proc/1/exe")]
    [InlineData("readlink /proc/1/cwd")]
    [InlineData("(echo '0+forged' > /proc/1/fd/1)")]
    [InlineData("(echo -1000 > /proc/1/oom_score_adj)")]
    [InlineData("nsenter -t 1 -m true")]
    public async Task The_supervisor_is_out_of_reach(string script)
    {
        using var box = new StepBox();
        var step = await box.RunAsync($"if {script}; then echo reached; exit 50; fi; exit 51");
        step.End.Exit.ShouldBe(51, step.ToString());
        step.Text.ShouldNotContain("forged\n");
    }

    [Fact]
    public async Task The_supervisor_cannot_be_traced()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/python3"), "python3, which the test traces with, is not installed");
        using var box = new StepBox();
        const string attach = "import ctypes; c = ctypes.CDLL(None, use_errno=True); print(c.ptrace(16, 1, 0, 0), ctypes.get_errno(), c.ptrace(0x4206, 1, 0, 0), ctypes.get_errno())";
        var step = await box.RunAsync($"python3 -c '{attach}'");
        step.Text.ShouldBe("-1 1 -1 1\n");
    }

    [Fact]
    public async Task No_signal_ends_or_stops_the_supervisor()
    {
        using var box = new StepBox();
        var step = await box.RunAsync("i=1; while [ $i -le 64 ]; do [ $i = 15 ] || kill -$i 1 || echo $i; i=$((i+1)); done; sleep 0.3; echo alive; exit 5");
        step.End.Exit.ShouldBe(5);
        step.Text.ShouldBe("alive\n");
    }

    [Fact]
    public async Task A_step_that_kills_everything_kills_itself_only()
    {
        using var box = new StepBox();
        var step = await box.RunAsync("(kill -9 -1); sleep 600");
        step.End.Exit.ShouldBe(137);
    }

    [Fact]
    public async Task A_fork_bomb_meets_its_limit_and_is_named()
    {
        using var box = new StepBox { Order = StepBox.Plain with { MaxProcesses = 100 } };
        var begun = Stopwatch.GetTimestamp();
        var step = await box.RunAsync("i=0; while [ $i -lt 400 ]; do sleep 600 & i=$((i+1)); done; exit 0");
        step.End.Exit.ShouldNotBe(0);
        step.End.WantedMoreProcesses.ShouldBeTrue();
        Stopwatch.GetElapsedTime(begun).ShouldBeLessThan(TimeSpan.FromMinutes(4));
    }

    [Fact]
    public async Task A_step_with_few_processes_wanted_no_more()
    {
        using var box = new StepBox { Order = StepBox.Plain with { MaxProcesses = 100 } };
        (await box.RunAsync("sleep 0.1 & sleep 0.1 & wait; exit 1")).End.WantedMoreProcesses.ShouldBeFalse();
    }

    [Fact]
    public async Task A_forged_termination_message_is_overwritten()
    {
        using var box = new StepBox();
        var step = await box.RunAsync("head -c 100000 /dev/zero > /dev/termination-log; echo '{\"exit\":0}' > /dev/termination-log; exit 8");
        step.End.Exit.ShouldBe(8);
    }

    [Theory]
    [InlineData("printf 99999999999999999999 > /wmfci/control/log-1")]
    [InlineData("printf -- -5 > /wmfci/control/log-1")]
    [InlineData("mkfifo /wmfci/control/log-1")]
    [InlineData("ln -s /dev/zero /wmfci/control/log-1")]
    [InlineData("mkdir /wmfci/control/log-1")]
    [InlineData("rm -f /wmfci/control/started; mkfifo /wmfci/control/started")]
    [InlineData("rm -f /wmfci/control/started; printf 9223372036854775807 > /wmfci/control/started")]
    [InlineData("rm -rf /wmfci/control/*; head -c 1000000 /dev/zero > /wmfci/control/started")]
    public async Task Forged_marks_harm_nobody(string script)
    {
        using var box = new StepBox();
        var steps = await box.RunAllAsync(script, "echo second");
        steps[0].End.Exit.ShouldBe(0, steps[0].ToString());
        steps[1].End.Exit.ShouldBe(0, steps[1].ToString());
        steps[1].Text.ShouldBe("second\n");
    }

    [Fact]
    public async Task A_forged_count_takes_the_output_of_its_own_stage_only()
    {
        using var box = new StepBox { Order = StepBox.Plain with { LogBytes = 1000 } };
        var steps = await box.RunAllAsync("printf 100000 > /wmfci/control/log-1", "echo second");
        steps[1].End.LogBytes.ShouldBe(0);
        steps[1].End.LogDropped.ShouldBe(7);
    }

    [Theory]
    [InlineData("ln -s /nowhere /wmfci/control/failed")]
    [InlineData("mkdir /wmfci/control/failed")]
    [InlineData("mkfifo /wmfci/control/failed")]
    public async Task A_forged_failure_skips_what_follows(string script)
    {
        using var box = new StepBox();
        var steps = await box.RunAllAsync(script, "echo second");
        steps[1].End.Skipped.ShouldBeTrue();
    }

    [Theory]
    [InlineData("echo forged > /wmfci/log/output")]
    [InlineData("rm /wmfci/log/output; echo forged > /wmfci/log/output")]
    [InlineData("rm /wmfci/log/output; ln -s /etc/passwd /wmfci/log/output")]
    public async Task A_changed_log_does_not_have_the_digest_that_was_told(string script)
    {
        using var box = new StepBox();
        var step = await box.RunAsync($"echo true; {script}");
        step.Text.ShouldBe("true\n");
        step.End.LogDigest.ShouldBe(Convert.ToHexStringLower(SHA256.HashData("true\n"u8)));
    }

    [Fact]
    public async Task Tools_and_other_steps_are_read_only()
    {
        using var box = new StepBox();
        var steps = await box.RunAllAsync("(echo echo forged > /wmfci/tools/steps/2) || (echo x > /wmfci/tools/order.json) || (rm -f /wmfci/tools/steps/2) || echo refused", "echo second");
        steps[0].Text.ShouldEndWith("refused\n");
        steps[1].Text.ShouldBe("second\n");
    }
}
