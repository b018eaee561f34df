using System.Text;
using WmfCi.Core.Pipelines;

namespace WmfCi.Pod.Tests.Steps;

public sealed class RunningTests
{
    [Theory]
    [InlineData("true", 0)]
    [InlineData("exit 7", 7)]
    [InlineData("false; echo not reached", 1)]
    [InlineData("no-such-program", 127)]
    [InlineData("kill -9 $$", 137)]
    [InlineData("kill -SEGV $$", 139)]
    public async Task The_exit_status_is_told_and_the_container_ends_well(string script, int exit)
    {
        using var box = new StepBox();
        var step = await box.RunAsync(script);
        step.End.Exit.ShouldBe(exit, step.ToString());
        step.End.Trouble.ShouldBeNull();
        step.Text.ShouldNotContain("not reached\n");
    }

    [Fact]
    public async Task Output_and_errors_come_in_the_order_of_printing()
    {
        using var box = new StepBox();
        var step = await box.RunAsync("echo one; echo two >&2; echo three");
        step.Text.ShouldBe("one\ntwo\nthree\n");
        Encoding.UTF8.GetString(step.Kept!).ShouldBe(step.Text);
        step.End.LogBytes.ShouldBe(step.Kept!.Length);
        step.End.LogDropped.ShouldBe(0);
    }

    [Fact]
    public async Task A_step_begins_in_the_workspace_with_nothing_to_read_and_nothing_else_open()
    {
        using var box = new StepBox();
        var step = await box.RunAsync("pwd; wc -c; ls /proc/self/fd | wc -l; ulimit -c; grep -c Z /proc/1/stat || true");
        step.Text.ShouldBe("/work\n0\n4\n0\n0\n");
    }

    [Fact]
    public async Task The_environment_is_the_images_and_the_orders_without_the_clusters()
    {
        using var box = new StepBox { Order = StepBox.Plain with { Environment = [new Variable("PATH", "/order"), new Variable("FROM_BOTH", "order"), new Variable("EMPTY", ""), new Variable("LINES", "a\nb=c")] } };
        box.ImageVariables["FROM_BOTH"] = "image";
        box.ImageVariables["FROM_IMAGE"] = "ümläut";
        box.ImageVariables["KUBERNETES_SERVICE_HOST"] = "10.0.0.1";
        box.ImageVariables["WMFCI_EXCHANGE"] = "https://exchange/";
        var step = await box.RunAsync("/usr/bin/env -0 | /usr/bin/sort -z | /usr/bin/tr '\\0' '|'");
        step.Text.ShouldBe("EMPTY=|FROM_BOTH=order|FROM_IMAGE=ümläut|LINES=a\nb=c|PATH=/usr/bin:/bin|PWD=/work|");
    }

    [Theory]
    [InlineData("DOTNET_GCHeapHardLimit", "0x1000")]
    [InlineData("DOTNET_EnableDiagnostics", "nonsense")]
    [InlineData("LD_PRELOAD", "/no/such.so")]
    public async Task What_a_stage_sets_means_nothing_to_what_starts_it(string name, string value)
    {
        using var box = new StepBox { Order = StepBox.Plain with { Environment = [new Variable(name, value)] } };
        var step = await box.RunAsync($"unset LD_PRELOAD; echo started ${{{name}-}}");
        step.End.Exit.ShouldBe(0, step.ToString());
        step.Text.ShouldContain("started");
    }

    [Fact]
    public async Task Signals_have_their_usual_meaning_for_the_step()
    {
        using var box = new StepBox();
        // A pipe that nobody reads ends the writer silently only where SIGPIPE is not ignored.
        var step = await box.RunAsync("grep -E 'SigBlk|SigCgt' /proc/self/status; (yes; echo $? >&2) | head -n 1");
        step.Text.ShouldContain("SigBlk:\t0000000000000000");
        step.Text.ShouldContain("y\n");
        step.Text.ShouldNotContain("Broken pipe");
    }

    [Fact]
    public async Task Without_a_shell_the_trouble_is_named()
    {
        using var box = new StepBox { HasShell = false };
        var step = await box.RunAsync("true");
        step.End.Exit.ShouldBeNull();
        step.End.Trouble!.ShouldContain("/bin/sh");
    }

    [Fact]
    public async Task A_workspace_that_cannot_be_entered_is_named()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only where the account of the step is another");
        using var box = new StepBox();
        File.SetUnixFileMode(box.Work, UnixFileMode.UserRead);
        var step = await box.RunAsync("true");
        step.End.Exit.ShouldBeNull();
        step.End.Trouble!.ShouldContain("workspace");
    }

    [Fact]
    public async Task Steps_after_a_failed_one_are_skipped()
    {
        using var box = new StepBox();
        var steps = await box.RunAllAsync("echo one", "exit 3", "echo never > file", "echo never > file");
        steps.Select(step => step.End.Exit).ShouldBe([0, 3, null, null]);
        steps.Select(step => step.End.Skipped).ShouldBe([false, false, true, true]);
        steps[2].Kept.ShouldBeNull();
        File.Exists(Path.Combine(box.Work, "file")).ShouldBeFalse();
    }

    [Fact]
    public async Task A_file_beyond_the_bound_ends_its_writer()
    {
        const int fileTooLarge = 128 + 25;
        using var box = new StepBox { Order = StepBox.Plain with { MaxFileBytes = 1 << 20 } };
        var step = await box.RunAsync("exec head -c 2000000 /dev/zero > large");
        step.End.Exit.ShouldBe(fileTooLarge, step.ToString());
        new FileInfo(Path.Combine(box.Work, "large")).Length.ShouldBe(1 << 20);
    }
}
