using System.Net;
using System.Net.Sockets;
using System.Text;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Ports;

namespace WmfCi.LocalRunner.Tests;

public sealed class RunningTests
{
    public RunningTests() => Needs.Bubblewrap();

    [Fact]
    public async Task Steps_run_one_after_another_in_the_workspace()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync("pwd; cat README; echo more > made", "cat made");
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output + told.Report.Explanation);
        told.Output.ShouldBe("/work\nhello\nmore\n");
        told.Steps.ShouldBe(["step 1", "step 2"]);
        told.Report.Explanation.ShouldBeEmpty();
    }

    [Fact]
    public async Task The_first_failing_step_ends_the_stage_and_is_named()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync("true", "exit 7", "echo never");
        told.Report.Kind.ShouldBe(OutcomeKind.Failed);
        told.Report.FailedStep.ShouldBe("step 2");
        told.Report.ExitCode.ShouldBe(7);
        told.Report.Explanation.ShouldContain("exit status 7");
        told.Steps.ShouldBe(["step 1", "step 2"]);
        told.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_stage_with_services_is_told_that_they_do_not_run_here()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Bench.StageOf("echo never") with { Services = [new StageService { Name = "db", Image = "mariadb" }, new StageService { Name = "cache", Image = "redis" }] });
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        told.Report.Explanation.ShouldContain("services (db, cache)");
        told.Report.Explanation.ShouldContain("Kubernetes");
        told.Output.ShouldBeEmpty();
        told.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failing_line_ends_its_step()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync("false\necho never");
        told.Report.ExitCode.ShouldBe(1);
        told.Output.ShouldBeEmpty();
    }

    [Fact]
    public async Task Output_and_errors_come_in_the_order_of_printing()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync("for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done");
        told.Output.ShouldBe(string.Concat(Enumerable.Range(1, 5).Select(i => $"out {i}\nerr {i}\n")));
    }

    [Fact]
    public async Task Output_is_told_while_the_step_still_runs()
    {
        await using var bench = new Bench();
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("echo begun; exec tail -f /dev/null"));
        var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("begun\n");
        running.IsCompleted.ShouldBeFalse();
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        (await running).Kind.ShouldBe(OutcomeKind.Stopped);
    }

    [Fact]
    public async Task The_environment_is_a_small_base_the_stages_own_and_the_facts()
    {
        await using var bench = new Bench();
        Environment.SetEnvironmentVariable("WMFCI_TEST_CANARY", "a secret of the service");
        var stage = Bench.StageOf("env; tr '\\0' '\\n' < /proc/1/environ; cat /proc/self/cmdline | tr '\\0' ' '") with
        {
            Environment = [new Variable("COLOUR", "dark \"green\" $HOME\nand more"), new Variable("LANG", "de_DE.UTF-8"), new Variable("WMFCI_COMMIT", "faked")],
        };
        var told = new Told();
        var spec = await bench.SpecAsync(stage) with { Facts = [new Variable("WMFCI_COMMIT", "abc")] };
        var report = await bench.Runner.RunAsync(spec, told, Bench.Patience);
        report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output);
        told.Output.ShouldContain("COLOUR=dark \"green\" $HOME\nand more\n");
        told.Output.ShouldContain("LANG=de_DE.UTF-8\n");
        told.Output.ShouldContain("WMFCI_COMMIT=abc\n");
        told.Output.ShouldContain("CI=true\n");
        told.Output.ShouldContain("HOME=/home/ci\n");
        told.Output.ShouldNotContain("secret of the service");
        told.Output.ShouldNotContain("CANARY");
    }

    [Theory]
    [InlineData("A B", "x")]
    [InlineData("1A", "x")]
    [InlineData("", "x")]
    [InlineData("LD=", "x")]
    [InlineData("FINE", "nul\0inside")]
    public async Task A_variable_that_cannot_be_one_is_told_as_a_mistake(string name, string value)
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Bench.StageOf("true") with { Environment = [new Variable(name, value)] });
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        told.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_variable_as_long_as_a_program_takes_arrives_and_a_longer_one_is_a_mistake()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Bench.StageOf("echo ${#LONG}") with { Environment = [new Variable("LONG", new string('x', 120_000))] });
        told.Output.ShouldBe("120000\n", told.Report.Explanation);
        told = await bench.RunAsync(Bench.StageOf("true") with { Environment = [new Variable("LONG", new string('x', 140_000))] });
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        told.Report.Explanation.ShouldContain("128 KiB");
    }

    [Fact]
    public async Task A_script_of_any_length_runs()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(string.Concat(Enumerable.Repeat("# a long remark\n", 100_000)) + "echo end");
        told.Output.ShouldBe("end\n", told.Report.Explanation);
    }

    [Fact]
    public async Task Each_step_has_a_temporary_folder_and_a_home_of_its_own_and_only_the_workspace_stays()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(
            "touch /tmp/a ~/a /dev/shm/a here; ls -d /var/tmp/a; (setsid tail -f /dev/null >/dev/null 2>&1 </dev/null &)",
            "ls -A /tmp ~ /dev/shm; ls here; for p in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $p; done");
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output);
        told.Output.ShouldContain("/var/tmp/a\n");
        told.Output.ShouldContain("/dev/shm:\n\n/home/ci:\n\n/tmp:\nhere\n");
        told.Output.ShouldNotContain("tail -f");
    }

    [Fact]
    public async Task Artifacts_of_earlier_stages_lie_beside_the_workspace_read_only()
    {
        await using var bench = new Bench();
        var blob = await bench.Store.PutAsync(new MemoryStream("a package"u8.ToArray()), 100, Bench.Patience);
        var told = new Told();
        var spec = await bench.SpecAsync(Bench.StageOf("cat '/artifacts/commit [php=8.1]/dist/a.deb'; echo; echo x > /artifacts/x || echo closed")) with
        {
            Inputs = [new InputFile("commit [php=8.1]", "dist/a.deb", blob.Digest)],
        };
        (await bench.Runner.RunAsync(spec, told, Bench.Patience)).Kind.ShouldBe(OutcomeKind.Succeeded, told.Output);
        told.Output.ShouldStartWith("a package\n");
        told.Output.ShouldEndWith("closed\n");
    }

    [Theory]
    [InlineData("..", "a")]
    [InlineData("commit", "../a")]
    [InlineData("commit", "/etc/a")]
    [InlineData("a/b", "c")]
    public async Task An_input_that_leads_out_of_its_folder_is_refused(string stage, string path)
    {
        await using var bench = new Bench();
        var blob = await bench.Store.PutAsync(new MemoryStream([1]), 100, Bench.Patience);
        var spec = await bench.SpecAsync(Bench.StageOf("true")) with { Inputs = [new InputFile(stage, path, blob.Digest)] };
        var report = await bench.Runner.RunAsync(spec, new Told(), Bench.Patience);
        report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        report.Explanation.ShouldContain("leads out of its folder");
    }

    [Fact]
    public async Task There_is_no_network_unless_the_stage_declares_it()
    {
        await using var bench = new Bench();
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var script = $"python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", {port}), 5); print(\"connected\")'";
        Assert.SkipUnless(File.Exists("/usr/bin/python3"), "python3, which the steps connect with, is not installed");
        var alone = await bench.RunAsync(script);
        alone.Report.Kind.ShouldBe(OutcomeKind.Failed);
        alone.Output.ShouldContain("refused");
        listener.Pending().ShouldBeFalse();
        var connected = await bench.RunAsync(Bench.StageOf(script) with { HasNetwork = true });
        connected.Output.ShouldBe("connected\n");
    }

    [Fact]
    public async Task A_stage_without_its_snapshot_in_the_store_is_our_failure()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Bench.StageOf("true"), new string('a', 64));
        told.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        told.Report.Explanation.ShouldContain("does not have the source snapshot");
    }

    [Fact]
    public async Task An_observer_that_fails_ends_the_stage_as_our_failure()
    {
        await using var bench = new Bench();
        var report = await bench.Runner.RunAsync(await bench.SpecAsync(Bench.StageOf("echo x; exec tail -f /dev/null")), new BrokenObserver(), Bench.Patience);
        report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        report.Explanation.ShouldContain("the database is away");
    }

    [Fact]
    public async Task Without_bubblewrap_the_runner_says_what_to_install()
    {
        await using var bench = new Bench(options => options with { BubblewrapProgram = "no-such-bwrap", PodmanProgram = "no-such-podman" });
        var check = await bench.Runner.CheckAsync(Bench.Patience);
        check.HostProblem!.ShouldContain("apt-get install bubblewrap");
        check.ImageProblem!.ShouldContain("apt-get install podman");
        var told = await bench.RunAsync("true");
        told.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        told.Report.Explanation.ShouldContain("no-such-bwrap");
    }

    [Fact]
    public async Task With_bubblewrap_the_runner_finds_nothing_missing()
    {
        await using var bench = new Bench();
        (await bench.Runner.CheckAsync(Bench.Patience)).HostProblem.ShouldBeNull();
    }

    [Fact]
    public async Task Nothing_of_an_attempt_stays_on_the_disk()
    {
        var folder = Directory.CreateTempSubdirectory("wmfci-test-").FullName;
        await using (var bench = new Bench(folder: folder))
        {
            var told = await bench.RunAsync("mkdir -p shut/in; touch shut/in/x; chmod 0 shut/in shut; printf 'x' > \"$(printf 'bad\\377name')\"");
            told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output);
        }

        Directory.EnumerateFileSystemEntries(Path.Combine(folder, "run", "attempts")).ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(Path.Combine(folder, "run", "trash")).ShouldBeEmpty();
        Directory.Delete(folder, recursive: true);
    }

    private sealed class BrokenObserver : IAttemptObserver
    {
        public Task StepStartedAsync(string step, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
            throw new InvalidOperationException($"the database is away, at {Encoding.UTF8.GetString(bytes.Span).Trim()}");

        public Task WaitingAsync(string reason, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task AsideAsync(string title, CancellationToken cancellationToken) => Task.CompletedTask;

        public Task RestartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task NoteAsync(string line, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
