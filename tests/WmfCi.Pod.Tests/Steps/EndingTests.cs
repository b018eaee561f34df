using System.Diagnostics;

namespace WmfCi.Pod.Tests.Steps;

public sealed class EndingTests
{
    // Far less than what the scripts would sleep, far more than a slow machine needs.
    private static readonly TimeSpan Soon = TimeSpan.FromMinutes(4);

    // In which a shell surely comes to hear of signals.
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(8);

    [Fact]
    public async Task At_the_timeout_everything_may_tidy_up()
    {
        using var box = new StepBox { Order = StepBox.Plain with { Timeout = Short } };
        var step = await box.RunAsync("trap 'echo tidied; exit 9' TERM; (trap 'echo child tidied; exit' TERM; while :; do sleep 0.1; done) & while :; do sleep 0.1; done");
        step.End.TimedOut.ShouldBeTrue();
        step.End.Exit.ShouldBe(9);
        step.Text.ShouldContain("tidied\n");
        step.Text.ShouldContain("child tidied\n");
    }

    [Fact]
    public async Task What_ignores_SIGTERM_is_killed_after_the_grace()
    {
        using var box = new StepBox { Order = StepBox.Plain with { Timeout = Short, StopGrace = TimeSpan.FromSeconds(1) } };
        var begun = Stopwatch.GetTimestamp();
        var step = await box.RunAsync("trap '' TERM; (setsid sh -c 'trap \"\" TERM; while :; do sleep 600; done' &); while :; do sleep 600; done");
        step.End.TimedOut.ShouldBeTrue();
        step.End.Exit.ShouldBe(137);
        Stopwatch.GetElapsedTime(begun).ShouldBeLessThan(Soon);
    }

    [Fact]
    public async Task The_stages_time_counts_from_the_first_step()
    {
        using var box = new StepBox { Order = StepBox.Plain with { Timeout = TimeSpan.FromSeconds(60) } };
        // The first step moves its own beginning a minute back, as if it had taken that long.
        const string wait = "began=$(cat /wmfci/control/started); printf $((began - 60000000000)) > /wmfci/control/started; echo $began";
        var steps = await box.RunAllAsync(wait, "echo begun");
        steps[0].End.Exit.ShouldBe(0, steps[0].ToString());
        long.Parse(steps[0].Text).ShouldBeInRange(60 * Stopwatch.Frequency, Stopwatch.GetTimestamp());
        steps[1].End.TimedOut.ShouldBeTrue();
        steps[1].End.Exit.ShouldBeNull();
    }

    [Fact]
    public async Task Nothing_begins_when_the_time_is_over()
    {
        using var box = new StepBox { Order = StepBox.Plain with { Timeout = TimeSpan.Zero } };
        var step = await box.RunAsync("echo begun");
        step.End.TimedOut.ShouldBeTrue();
        step.End.Exit.ShouldBeNull();
        step.Kept.ShouldBeNull();
    }

    [Fact]
    public async Task SIGTERM_to_the_container_ends_the_step()
    {
        using var box = new StepBox();
        var step = await box.RunAsync("trap 'echo told; exit 4' TERM; kill -TERM 1; while :; do sleep 0.1; done");
        step.End.Exit.ShouldBe(4);
        step.End.TimedOut.ShouldBeFalse();
        step.Text.ShouldContain("told\n");
    }

    [Fact]
    public async Task Orphans_are_reaped_while_the_step_runs()
    {
        using var box = new StepBox();
        const string script = """
            i=0; while [ $i -lt 100 ]; do (sh -c 'echo $$ >> ended' &); i=$((i+1)); done
            while [ "$(wc -l < ended)" -lt 100 ]; do sleep 0.05; done
            left() { grep -l "^PPid:.$PPID$" /proc/[0-9]*/status 2>/dev/null | wc -l; }
            tries=0; while [ "$(left)" -gt 1 ] && [ $tries -lt 1000 ]; do tries=$((tries+1)); sleep 0.05; done
            left
            """;
        // The supervisor's children, ended ones that it has not reaped too: the step's shell alone.
        (await box.RunAsync(script)).Text.ShouldBe("1\n");
    }

    [Fact]
    public async Task A_daemon_that_holds_the_output_does_not_hold_up_the_end()
    {
        using var box = new StepBox();
        var begun = Stopwatch.GetTimestamp();
        var step = await box.RunAsync("setsid sh -c 'trap \"\" HUP TERM; echo daemon; while :; do sleep 600; done' & while ! pgrep -f daemon >/dev/null; do :; done; exit 3");
        step.End.Exit.ShouldBe(3);
        step.End.TimedOut.ShouldBeFalse();
        Stopwatch.GetElapsedTime(begun).ShouldBeLessThan(Soon);
    }
}
