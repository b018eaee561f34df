using System.Diagnostics;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

/// <summary>The same attempt asked for again: by this process, by another one, after a crash.</summary>
public sealed class AdoptionTests
{
    private const string ChildFolder = "WMFCI_TEST_CHILD_FOLDER";
    private static readonly AttemptId ChildAttempt = new(new RunId(999_999), "commit", 1);

    public AdoptionTests() => Needs.Bubblewrap();

    [Fact]
    public async Task Asked_twice_at_once_the_steps_run_once_and_both_get_the_answer()
    {
        await using var bench = new Bench();
        var (first, second) = (new Told(), new Told());
        var spec = await bench.SpecAsync(Bench.StageOf("echo ready; exec tail -f /dev/null"));
        var one = bench.Runner.RunAsync(spec, first, Bench.Patience);
        await first.PrintedAsync("ready");
        var two = bench.Runner.RunAsync(spec, second, Bench.Patience);
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        (await one).ShouldBe(await two);
        second.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task Asked_again_afterwards_the_answer_is_the_same_and_nothing_runs()
    {
        await using var bench = new Bench();
        var spec = await bench.SpecAsync(Bench.StageOf("echo x > out; exit 3") with { Artifacts = ["out"] });
        var first = await bench.Runner.RunAsync(spec, new Told(), Bench.Patience);
        var told = new Told();
        (await bench.Runner.RunAsync(spec, told, Bench.Patience)).ShouldBe(first);
        told.Steps.ShouldBeEmpty();
        first.Files.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task Another_runner_on_the_same_folder_waits_for_the_end_and_gives_the_same_answer()
    {
        await using var bench = new Bench();
        await using var other = new Bench(folder: bench.Folder);
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("echo ready; exec tail -f /dev/null"));
        var one = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        (await other.Runner.SweepAsync(Bench.Patience)).ShouldBe(0);
        var elsewhere = new Told();
        var two = other.Runner.RunAsync(spec, elsewhere, Bench.Patience);
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        (await two).ShouldBe(await one);
        elsewhere.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task Another_runner_on_the_same_folder_can_stop_an_attempt()
    {
        await using var bench = new Bench();
        await using var other = new Bench(folder: bench.Folder);
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("echo ready; exec tail -f /dev/null"));
        var one = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        await other.Runner.StopAsync(spec.Id, Bench.Patience);
        (await one).Kind.ShouldBe(OutcomeKind.Stopped);
    }

    [Fact]
    public async Task Stopping_what_does_not_run_is_harmless()
    {
        await using var bench = new Bench();
        var spec = await bench.SpecAsync(Bench.StageOf("true"));
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        (await bench.Runner.RunAsync(spec, new Told(), Bench.Patience)).Kind.ShouldBe(OutcomeKind.Succeeded);
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
    }

    [Fact]
    public async Task Detaching_ends_the_wait_and_the_attempt_counts_as_lost()
    {
        await using var bench = new Bench();
        using var detach = CancellationTokenSource.CreateLinkedTokenSource(Bench.Patience);
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("echo ready; exec tail -f /dev/null"));
        var running = bench.Runner.RunAsync(spec, told, detach.Token);
        await told.PrintedAsync("ready");
        await detach.CancelAsync();
        await Task.WhenAny(running);
        running.IsCanceled.ShouldBeTrue();
        var again = await bench.Runner.RunAsync(spec, new Told(), Bench.Patience);
        again.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        again.Explanation.ShouldContain("lost");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task When_the_service_is_killed_its_sandboxes_die_and_the_attempt_counts_as_lost(bool sweepFirst)
    {
        await using var bench = new Bench();
        using var child = StartChild(bench.Folder);
        var output = child.StandardOutput;
        while (await output.ReadLineAsync(Bench.Patience) is { } line && !line.Contains("the step runs"))
        {
        }

        child.HasExited.ShouldBeFalse();
        var sandbox = SandboxesIn(bench.Folder).ShouldHaveSingleItem();
        child.Kill();
        await child.WaitForExitAsync(Bench.Patience);
        await sandbox.WaitForExitAsync(Bench.Patience);
        var folder = Path.Combine(bench.Options.WorkFolder, "attempts");
        Directory.EnumerateDirectories(folder).ShouldNotBeEmpty();
        if (sweepFirst) (await bench.Runner.SweepAsync(Bench.Patience)).ShouldBe(1);
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("echo again")) with { Id = ChildAttempt };
        var report = await bench.Runner.RunAsync(spec, told, Bench.Patience);
        report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        report.Explanation.ShouldBe("The worker that ran it was lost.");
        told.Steps.ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(folder).ShouldBeEmpty();
        (await bench.Runner.RunAsync(spec, told, Bench.Patience)).ShouldBe(report);
    }

    [Fact]
    public async Task Reports_are_forgotten_after_their_time()
    {
        await using var bench = new Bench();
        await bench.RunAsync("true");
        var reports = Path.Combine(bench.Options.WorkFolder, "reports");
        await bench.Runner.SweepAsync(Bench.Patience);
        var report = Directory.EnumerateFiles(reports).ShouldHaveSingleItem();
        File.SetLastWriteTimeUtc(report, DateTime.UtcNow - bench.Options.ReportsKept - TimeSpan.FromMinutes(1));
        await bench.Runner.SweepAsync(Bench.Patience);
        Directory.EnumerateFiles(reports).ShouldBeEmpty();
    }

    /// <summary>What the killed process does; it is started by the test above only.</summary>
    [Fact(Explicit = true)]
    public async Task Child_that_is_killed()
    {
        var folder = Environment.GetEnvironmentVariable(ChildFolder);
        Assert.SkipWhen(folder is null, "only another test starts it");
        await using var bench = new Bench(folder: folder);
        var told = new Told();
        // The shell waits by itself: a child of it would look like a second one until it runs a program of its own.
        var spec = await bench.SpecAsync(Bench.StageOf("mkfifo /tmp/pipe; exec 3<>/tmp/pipe; echo ready; read word <&3")) with { Id = ChildAttempt };
        var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        await using var output = Console.OpenStandardOutput();
        await output.WriteAsync("\nthe step runs\n"u8.ToArray(), Bench.Patience);
        await output.FlushAsync(Bench.Patience);
        await running;
    }

    private static Process StartChild(string folder)
    {
        string[] arguments = ["-method", $"*.{nameof(Child_that_is_killed)}", "-explicit", "only"];
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments) { UseShellExecute = false, RedirectStandardOutput = true };
        start.Environment[ChildFolder] = folder;
        return Process.Start(start)!;
    }

    /// <summary>The bwrap processes whose command line names a folder, the outer ones.</summary>
    private static List<Process> SandboxesIn(string folder)
    {
        var found = new List<Process>();
        foreach (var process in Process.GetProcessesByName("bwrap").Concat(Process.GetProcessesByName("sh")))
        {
            var mounts = Read($"/proc/{process.Id}/mountinfo");
            if (mounts.Contains($"{folder}/run/attempts", StringComparison.Ordinal) && Read($"/proc/{process.Id}/cmdline").Contains("/.wmfci-step", StringComparison.Ordinal)
                && Read($"/proc/{process.Id}/cmdline").StartsWith("/bin/sh", StringComparison.Ordinal)) found.Add(process);
        }

        return found;
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
