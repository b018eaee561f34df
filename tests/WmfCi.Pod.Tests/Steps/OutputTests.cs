using System.Security.Cryptography;
using System.Text;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Tests.Steps;

public sealed class OutputTests
{
    [Theory]
    [InlineData("printf ''")]
    [InlineData("printf 'no end'")]
    [InlineData("printf '\\n\\n\\n'")]
    [InlineData("printf 'a\\000b\\r\\nc\\033[31m\\377'")]
    [InlineData("head -c 3900 /dev/zero | tr '\\000' x; echo; head -c 3901 /dev/zero | tr '\\000' x; echo; head -c 3899 /dev/zero | tr '\\000' x; echo")]
    [InlineData("head -c 3000000 /dev/urandom")]
    [InlineData("seq 1 300000")]
    [InlineData("i=0; while [ $i -lt 300 ]; do printf .; i=$((i+1)); done")]
    public async Task Frames_make_exactly_the_file_and_its_digest(string script)
    {
        using var box = new StepBox();
        var step = await box.RunAsync(script);
        step.Live.AsSpan().SequenceEqual(step.Kept).ShouldBeTrue();
        step.End.LogBytes.ShouldBe(step.Kept!.Length);
        step.End.LogDigest.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(step.Kept)));
    }

    [Fact]
    public async Task A_line_of_100_MB_comes_whole()
    {
        const int size = 100_000_000;
        using var box = new StepBox();
        var step = await box.RunAsync($"head -c {size} /dev/zero | tr '\\000' x");
        step.End.LogBytes.ShouldBe(size);
        step.Live.AsSpan().SequenceEqual(step.Kept).ShouldBeTrue();
        step.Frames.Count.ShouldBeGreaterThanOrEqualTo(size / LogFrame.MaxBytes);
    }

    [Fact]
    public async Task Output_beyond_the_bound_is_counted_and_the_step_goes_on()
    {
        const int bound = 100_000, printed = 5_000_000;
        using var box = new StepBox { Order = StepBox.Plain with { LogBytes = bound } };
        var step = await box.RunAsync($"head -c {printed} /dev/zero | tr '\\000' x; echo done > file; exit 6");
        step.End.Exit.ShouldBe(6);
        step.End.LogBytes.ShouldBe(bound);
        step.End.LogDropped.ShouldBe(printed - bound);
        step.Kept!.Length.ShouldBe(bound);
        step.Live.Length.ShouldBe(bound);
        File.Exists(Path.Combine(box.Work, "file")).ShouldBeTrue();
    }

    [Fact]
    public async Task Steps_share_the_bound()
    {
        using var box = new StepBox { Order = StepBox.Plain with { LogBytes = 1000 } };
        var steps = await box.RunAllAsync("head -c 600 /dev/zero", "head -c 600 /dev/zero", "head -c 600 /dev/zero");
        steps.Select(step => step.End.LogBytes).ShouldBe([600, 400, 0]);
        steps.Select(step => step.End.LogDropped).ShouldBe([0, 200, 600]);
    }

    [Fact]
    public async Task A_piece_of_a_line_is_seen_while_the_line_goes_on()
    {
        using var box = new StepBox();
        using var running = box.Start("mkfifo go; printf half; read -r word < go; echo \" and $word\"");
        await running.HearAsync("half");
        await File.WriteAllTextAsync(Path.Combine(box.Work, "go"), "whole\n", TestContext.Current.CancellationToken);
        var step = await running.EndAsync();
        step.Text.ShouldBe("half and whole\n");
        step.Frames.Count.ShouldBe(2);
    }

    [Fact]
    public async Task Where_nobody_listens_any_more_the_file_is_still_complete()
    {
        using var box = new StepBox();
        using var running = box.Start("mkfifo go; echo begun; read -r word < go; seq 1 100000");
        await running.HearAsync("begun");
        running.CloseLog();
        await File.WriteAllTextAsync(Path.Combine(box.Work, "go"), "on\n", TestContext.Current.CancellationToken);
        var step = await running.EndAsync(isLogOpen: false);
        step.End.Exit.ShouldBe(0);
        Encoding.UTF8.GetString(step.Kept!).ShouldEndWith("\n100000\n");
        step.End.LogDigest.ShouldBe(Convert.ToHexStringLower(SHA256.HashData(step.Kept!)));
    }
}
