using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

/// <summary>An image of nothing but busybox, made for these tests and removed after them.</summary>
public sealed class TinyImage : IDisposable
{
    private string? _name;

    public bool HasShell { get; init; } = true;

    /// <summary>Where it says that its programs are; null where it says nothing.</summary>
    public string? SearchPath { get; init; }

    /// <summary>What it runs by itself, as JSON; null for nothing.</summary>
    public string? Command { get; init; }

    public string Name => _name ??= Make();

    public void Dispose()
    {
        if (_name is not null) Needs.Run("podman", "rmi", "--force", _name);
    }

    private string Make()
    {
        Needs.Podman();
        var folder = Directory.CreateTempSubdirectory("wmfci-image-").FullName;
        try
        {
            Directory.CreateDirectory(Path.Combine(folder, "bin"));
            File.Copy("/bin/busybox", Path.Combine(folder, "bin", "busybox"));
            foreach (var tool in !HasShell ? [] : new[] { "sh", "cat", "echo", "id", "env", "ls", "head", "tail", "touch", "grep", "hostname", "ip", "pwd", "nc", "test" })
                File.CreateSymbolicLink(Path.Combine(folder, "bin", tool), "busybox");
            var name = $"localhost/wmfci-test-{Guid.NewGuid():N}:latest";
            var archive = folder + ".tar";
            Needs.Run("tar", "-C", folder, "-cf", archive, ".");
            Needs.Run("podman", ["import", .. SearchPath is null ? Array.Empty<string>() : [$"--change=ENV PATH={SearchPath}"], .. Command is null ? Array.Empty<string>() : [$"--change=CMD {Command}"], archive, name]);
            File.Delete(archive);
            return name;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

[Collection(nameof(PodmanTests))]
public sealed class PodmanTests(TinyImage image) : IClassFixture<TinyImage>
{
    [Fact]
    public async Task Steps_run_in_the_image_one_after_another_in_the_workspace()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("pwd; cat README; echo more > made; touch /tmp/a ~/a; echo err >&2; echo out", "cat made; ls /tmp ~") with { Artifacts = ["made"] });
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output + told.Report.Explanation);
        told.Output.ShouldBe("/work\nhello\nerr\nout\nmore\n/home/ci:\n\n/tmp:\n");
        (await bench.TextOfAsync(told.Report.Files.ShouldHaveSingleItem())).ShouldBe("more\n");
        bench.Containers().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failing_step_ends_the_stage()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("no-such-program", "echo never"));
        told.Report.Kind.ShouldBe(OutcomeKind.Failed, told.Report.Explanation);
        told.Report.ExitCode.ShouldBe(127);
        told.Steps.Count.ShouldBe(1);
    }

    [Fact]
    public async Task A_step_has_no_power_no_network_and_nothing_of_our_environment()
    {
        await using var bench = new Bench();
        Environment.SetEnvironmentVariable("WMFCI_TEST_CANARY", "a secret of the service");
        Environment.SetEnvironmentVariable("https_proxy", "http://secret@proxy");
        try
        {
            var told = await bench.RunAsync(Stage("env; grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp:)' /proc/self/status; ls /sys/class/net; echo x > /x || echo closed; id -u; ls /sys/fs/cgroup/memory/memory.limit_in_bytes >/dev/null 2>&1 && cat /sys/fs/cgroup/memory/memory.limit_in_bytes") with { Environment = [new Variable("COLOUR", "a b\nc")] });
            told.Output.ShouldContain("COLOUR=a b\nc\n");
            told.Output.ShouldNotContain("secret");
            told.Output.ShouldContain("CapEff:\t0000000000000000");
            told.Output.ShouldContain("CapBnd:\t0000000000000000");
            told.Output.ShouldContain("NoNewPrivs:\t1");
            told.Output.ShouldNotContain("eth0");
            told.Output.ShouldContain("closed\n");
            told.Output.Split('\n').ShouldNotContain("0");
        }
        finally
        {
            Environment.SetEnvironmentVariable("https_proxy", null);
        }
    }

    [Fact]
    public async Task A_stage_that_exceeds_its_time_is_stopped_with_its_container()
    {
        await using var bench = new Bench(options => options with { StopGrace = TimeSpan.FromMilliseconds(200) });
        var told = await bench.RunOutOfTimeAsync(Stage("echo begun; tail -f /dev/null"), "begun");
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut, told.Report.Explanation);
        told.Output.ShouldStartWith("begun\n");
        bench.Containers().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_memory_hog_is_stopped_and_told_which_limit_it_met()
    {
        await using var bench = new Bench(options => options with { MemoryBytes = 64L << 20 });
        var told = await bench.RunAsync(Stage("tail /dev/zero"));
        told.Report.Kind.ShouldBe(OutcomeKind.OutOfMemory, told.Report.Explanation + told.Output);
        told.Report.Explanation.ShouldContain("64 MiB");
    }

    [Fact]
    public async Task An_image_that_is_not_there_is_told_as_a_mistake_with_what_to_check()
    {
        Needs.Podman();
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("true") with { Image = "localhost/no-such-image:1" });
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, told.Report.Explanation);
        told.Report.Explanation.ShouldContain("localhost/no-such-image:1");
        told.Report.Explanation.ShouldContain("Check its name");
    }

    [Fact]
    public async Task A_registry_out_of_reach_is_our_failure()
    {
        Needs.Podman();
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("true") with { Image = "127.0.0.1:1/nothing:1" });
        told.Report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed, told.Report.Explanation);
        told.Report.Explanation.ShouldContain("127.0.0.1:1/nothing:1");
    }

    [Theory]
    [InlineData("--privileged")]
    [InlineData("-v=/:/host")]
    [InlineData("Bad Name")]
    [InlineData("")]
    [InlineData("docker-archive:/etc/passwd")]
    [InlineData("../../etc")]
    public async Task What_is_no_name_of_an_image_is_told_as_a_mistake(string name)
    {
        Needs.Bubblewrap();
        await using var bench = new Bench();
        var told = await bench.RunAsync(StageIn(name, "true"));
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, told.Report.Explanation);
    }

    [Fact]
    public async Task An_image_without_a_shell_is_told_as_a_mistake()
    {
        using var empty = new TinyImage { HasShell = false };
        await using var bench = new Bench();
        var told = await bench.RunAsync(StageIn(empty.Name, "true"));
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured, told.Report.Explanation);
        told.Report.Explanation.ShouldContain("/bin/sh");
    }

    [Fact]
    public async Task The_programs_are_where_the_image_says_unless_the_stage_says_otherwise()
    {
        using var own = new TinyImage { SearchPath = "/opt/tools:/bin" };
        await using var bench = new Bench();
        (await bench.RunAsync(StageIn(own.Name, "echo $PATH"))).Output.ShouldBe("/opt/tools:/bin\n");
        (await bench.RunAsync(StageIn(own.Name, "echo $PATH") with { Environment = [new Variable("PATH", "/bin:/mine")] })).Output.ShouldBe("/bin:/mine\n");
    }

    private Stage Stage(params string[] scripts) => StageIn(image.Name, scripts);

    private static Stage StageIn(string image, params string[] scripts) => Bench.StageOf(scripts) with { Image = image };
}
