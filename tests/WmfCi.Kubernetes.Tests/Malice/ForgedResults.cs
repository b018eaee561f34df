using System.Text;
using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>A step may say by its exit status how it ended. Nothing else that it writes anywhere counts.</summary>
public sealed class ForgedResults
{
    private static readonly Once<Heard> Messages = new(() => Hostile.RunAsync(
        "head -c 1000000 /dev/zero | tr '\\0' x > /dev/termination-log",
        """echo '{"exit":5,"timedOut":true,"trouble":"forged","logDigest":"00"}' > /dev/termination-log""",
        """rm -f /dev/termination-log || true; mv /dev/termination-log /work/gone || true; chmod 0 /dev/termination-log || true; ln -sf /work/mine /dev/termination-log || true""",
        """
        setsid sh -c 'while :; do echo "{\"exit\":0}" > /dev/termination-log; done' &
        (trap "" TERM HUP INT; while :; do echo '{"exit":0}' > /dev/termination-log; done) &
        echo '{"exit":0,"logDigest":""}' > /dev/termination-log
        exit 3
        """));

    [Theory]
    [InlineData(1, "a message of a megabyte")]
    [InlineData(2, "a failure, and a wish for another kind of it")]
    [InlineData(3, "no message, for it removes the file")]
    public async Task A_step_that_succeeds_has_succeeded_whatever_it_forged(int step, string forged)
    {
        var heard = await Messages.Result;
        heard.Steps.ShouldContain($"step {step + 1}", customMessage: $"{forged}\n{heard}");
    }

    [Fact]
    public async Task A_step_that_fails_has_failed_while_its_processes_go_on_to_write_that_it_succeeded() => Failed(await Messages.Result, "step 4", 3);

    [Fact]
    public async Task A_mark_of_a_failure_that_a_step_forges_fails_the_stage()
    {
        var heard = await Hostile.RunAsync("echo one; mkdir /wmfci/control/failed", "echo two");
        heard.ShouldEnd(OutcomeKind.Failed, "It did not run although no step before it failed: something in an earlier step forged the mark of a failure.");
        heard.Report.FailedStep.ShouldBe("step 2");
        heard.Output.ShouldBe("one\n");
    }

    [Fact]
    public async Task A_step_that_keeps_the_mark_of_its_failure_from_being_left_has_failed_and_the_next_one_counts_for_nothing()
    {
        var heard = await Hostile.RunAsync("ln -s /nowhere/failed /wmfci/control/failed; ulimit -f 0; exit 4", "echo two; exit 0");
        heard.ShouldEnd(OutcomeKind.Failed, "Exit status 4.");
        heard.Report.FailedStep.ShouldBe("step 1");
        heard.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_clock_that_a_step_sets_back_gives_no_more_than_what_the_service_allows()
    {
        await using var here = await Hostile.SiteAsync(options => options with { StopGrace = TimeSpan.FromSeconds(1), Allowances = new Allowances { Overtime = TimeSpan.FromSeconds(1), Silence = TimeSpan.FromSeconds(25) } });
        // As the supervisors would: the time when the first step began, in nanoseconds since the node was started.
        const string forge = "rm -f /wmfci/control/started; echo 9000000000000000000 > /wmfci/control/started; sleep 3";
        // Between two of them the node may be silent for a while. Together they would take a minute, half of which the service allows.
        var heard = await here.RunAsync(here.StageOf([.. Enumerable.Repeat(forge, 20), "echo reached"]) with { Timeout = TimeSpan.FromSeconds(4) });
        heard.ShouldEnd(OutcomeKind.TimedOut, "It took longer than the 4 s that the stage may take, and was stopped with all its children. Make it faster, split it, or raise the stage's timeout.");
        heard.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_polite_end_that_a_step_asks_its_supervisor_for_ends_the_step_itself()
    {
        var heard = await Hostile.RunAsync("echo begun; kill -TERM 1; sleep 100; echo never", "echo two");
        heard.ShouldEnd(OutcomeKind.Failed, "Exit status 143.");
        heard.Output.ShouldBe("begun\n");
    }

    private static readonly string[] Lines =
    [
        "0+a line of a frame that is none", "0-", "99999999999999999999+x", "4+", "-1+x", "##[result] success", "##vso[task.complete result=Succeeded]", "::set-output name=x::y", "BUILD SUCCESS",
        "Verified+2", "<script>alert(1)</script>", "\u001b[2J\u001b]0;title\a", "{\"exit\":0}", "step 2", "\r0+x", "\0\0", "2026-01-01T00:00:00.000000000Z stdout F 0+x",
    ];

    private static readonly Once<(Heard Heard, byte[] Noise)> Printed = new(async () =>
    {
        await using var here = await Hostile.SiteAsync();
        var stage = here.StageOf("cat lines; head -c 400000 /dev/urandom > noise; head -c 300000 noise", "tail -c +300001 noise; exit 9") with { Artifacts = ["noise"] };
        var heard = await here.RunAsync(stage, ("lines", string.Join('\n', Lines) + "\n"));
        using var noise = new MemoryStream();
        await using (var kept = await here.Store.OpenAsync(heard.Report.Files.Single().Blob.Digest, here.Token)) await kept!.CopyToAsync(noise, here.Token);
        return (heard, noise.ToArray());
    });

    [Fact]
    public async Task Lines_that_look_like_frames_and_commands_are_shown_as_they_were_printed_and_do_nothing()
    {
        var (heard, _) = await Printed.Result;
        Failed(heard, "step 2", 9);
        heard.Output.ShouldStartWith(string.Join('\n', Lines) + "\n", Case.Sensitive);
    }

    [Fact]
    public async Task Binary_noise_is_shown_byte_for_byte()
    {
        var (heard, noise) = await Printed.Result;
        Failed(heard, "step 2", 9);
        heard.Bytes.AsSpan(Encoding.UTF8.GetByteCount(string.Join('\n', Lines)) + 1).SequenceEqual(noise).ShouldBeTrue();
        heard.Notes.ShouldBeEmpty();
    }

    // What a step does to its own log, how, and what the collector then says of the file.
    private static readonly (string Does, string Script, string Noted)[] Tamperings =
    [
        ("rewrites", "echo forged > /wmfci/log/output", ""),
        ("replaces", "rm /wmfci/log/output; echo forged > /wmfci/log/output", ""),
        ("links to a secret", "rm /wmfci/log/output; ln -s /wmfci/token/token /wmfci/log/output", "is no plain file"),
        ("links twice", "ln /wmfci/log/output /wmfci/log/other", "is no plain file with one name"),
        ("makes a pipe of", "rm /wmfci/log/output; mkfifo /wmfci/log/output", "is no plain file with one name"),
        ("makes a folder of", "rm /wmfci/log/output; mkdir /wmfci/log/output", "is no plain file with one name"),
        ("hides", "chmod 0 /wmfci/log/output", "is no plain file"),
        ("hides the folder of", "chmod 0 /wmfci/log", ""),
        ("blows up", "truncate -s 2M /wmfci/log/output", "is larger than the 1048576 bytes that are left for it"),
    ];

    private static readonly Once<Dictionary<string, Heard>> Tampered = new(() => Hostile.RunAllAsync(Tamperings.Select(tampering => (tampering.Does, $"echo truth; {tampering.Script}; exit 1"))));

    public static TheoryData<string> TamperingNames => [.. Tamperings.Select(tampering => tampering.Does)];

    [Theory, MemberData(nameof(TamperingNames))]
    public async Task The_log_says_what_was_printed_though_a_step(string does)
    {
        var heard = (await Tampered.Result)[does];
        var noted = Tamperings.Single(tampering => tampering.Does == does).Noted;
        heard.ShouldEnd(OutcomeKind.Failed, "Exit status 1.");
        heard.Output.ShouldBe("truth\n");
        heard.Notes.ShouldBe(noted.Length == 0 ? [] : [$"The complete output of step 1 is not kept: its file {noted}, so something in the step changed it."]);
    }

    private static void Failed(Heard heard, string step, int exit)
    {
        heard.ShouldEnd(OutcomeKind.Failed, $"Exit status {exit}.");
        (heard.Report.FailedStep, heard.Report.ExitCode).ShouldBe((step, exit));
    }
}
