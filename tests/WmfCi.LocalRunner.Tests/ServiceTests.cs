using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

/// <summary>An image that answers on the port of a database.</summary>
public sealed class AnsweringImage : IDisposable
{
    private readonly TinyImage _image = new() { Command = """["/bin/sh", "-c", "echo begun as $(id -u) with $COLOUR; exec nc -ll -p 3306 -e echo hello"]""" };

    public string Name => _image.Name;

    public void Dispose() => _image.Dispose();
}

/// <summary>Services beside a stage on this machine.</summary>
[Collection(nameof(PodmanTests))]
public sealed class ServiceTests(TinyImage image, AnsweringImage answering) : IClassFixture<TinyImage>, IClassFixture<AnsweringImage>
{
    [Fact]
    public async Task A_stage_reaches_its_services_by_name_when_they_are_ready_and_nothing_else()
    {
        await using var bench = new Bench(options => options with { HasServices = true });
        var told = await bench.RunAsync(Stage("nc db 3306; ls /sys/class/net", Database with { Environment = [new Variable("COLOUR", "blue")] }));
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output + told.Report.Explanation);
        told.Output.ShouldBe("hello\nlo\nbegun as 999 with blue\n");
        bench.Containers().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_service_is_ready_when_its_command_says_so()
    {
        await using var bench = new Bench(options => options with { HasServices = true });
        var told = await bench.RunAsync(Stage("nc db 3306", Database with { ReadyPort = null, ReadyCommand = "nc -w 1 127.0.0.1 3306" }));
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output + told.Report.Explanation);
    }

    [Fact]
    public async Task A_service_that_ends_too_early_is_named_and_what_it_printed_is_told()
    {
        using var broken = new TinyImage { Command = """["/bin/sh", "-c", "echo no disk; exit 3"]""" };
        await using var bench = new Bench(options => options with { HasServices = true });
        var told = await bench.RunAsync(Stage("echo never", Database with { Image = broken.Name }));
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        told.Report.Explanation.ShouldContain("The service db ended before it was ready.");
        told.Output.ShouldBe("no disk\n");
        bench.Containers().ShouldBeEmpty();
    }

    [Fact]
    public async Task A_service_is_never_root_unseen()
    {
        await using var bench = new Bench(options => options with { HasServices = true });
        var told = await bench.RunAsync(Stage("echo never", Database with { User = null }));
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        told.Report.Explanation.ShouldContain("begins as root");
    }

    [Fact]
    public async Task Services_are_gone_when_the_stage_is_stopped()
    {
        await using var bench = new Bench(options => options with { HasServices = true });
        var told = await bench.RunOutOfTimeAsync(Stage("echo waiting; nc -l -p 4000", Database), "waiting");
        told.Report.Kind.ShouldBe(OutcomeKind.TimedOut, told.Report.Explanation);
        bench.Containers().ShouldBeEmpty();
    }

    [Fact]
    public async Task Steps_of_the_host_have_no_services()
    {
        await using var bench = new Bench(options => options with { HasServices = true });
        var told = await bench.RunAsync(Stage("echo never", Database) with { Image = "host" });
        told.Report.Kind.ShouldBe(OutcomeKind.Misconfigured);
        told.Report.Explanation.ShouldContain("Give it a named image instead of `host`.");
    }

    private StageService Database => new() { Name = "db", Image = answering.Name, ReadyPort = 3306, User = 999 };

    private Stage Stage(string script, params StageService[] services) => Bench.StageOf(script) with { Image = image.Name, Services = [.. services] };
}
