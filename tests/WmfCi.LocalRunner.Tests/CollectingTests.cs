using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Workspaces;

namespace WmfCi.LocalRunner.Tests;

public sealed class CollectingTests
{
    public CollectingTests() => Needs.Bubblewrap();

    [Fact]
    public async Task Artifacts_and_reports_are_kept_by_their_patterns()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("mkdir -p dist/sub target; echo a > dist/a; echo b > dist/sub/b; echo r > target/TEST-x.xml; echo no > other", ["dist/**"], ["**/TEST-*.xml"]));
        told.Report.Files.Select(file => (file.Path, file.IsReport)).ShouldBe([("dist/a", false), ("dist/sub/b", false), ("target/TEST-x.xml", true)]);
        (await bench.TextOfAsync(told.Report.Files[1])).ShouldBe("b\n");
        told.Notes.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_failed_stage_keeps_its_files_too()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("echo log > log; exit 1", ["log"]));
        told.Report.Kind.ShouldBe(OutcomeKind.Failed);
        told.Report.Files.ShouldHaveSingleItem().Path.ShouldBe("log");
    }

    [Fact]
    public async Task A_pattern_that_matches_nothing_is_said()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("true", ["dist/**"], ["*.xml"]));
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded);
        told.Notes.Count.ShouldBe(2);
        told.Notes[0].ShouldContain("dist/**");
    }

    [Theory]
    [InlineData("ln -s /etc/passwd out")]
    [InlineData("ln -s /etc real; mkdir d; ln -s ../real d/out; ln -s d/out out")]
    [InlineData("ln -s README out")]
    [InlineData("echo x > a; ln a out")]
    [InlineData("mkfifo out")]
    [InlineData("python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"out\")'")]
    public async Task Only_plain_files_of_one_name_are_kept(string script)
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage(script, ["out"]));
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output);
        told.Report.Files.ShouldBeEmpty();
        told.Notes.ShouldHaveSingleItem().ShouldStartWith("Not kept: “out”");
    }

    [Fact]
    public async Task No_file_is_reached_through_a_link_to_a_folder()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("ln -s /etc out; ln -s / root; ln -s . loop", ["out/passwd", "out/**", "root/etc/*", "loop/**", "**/passwd"]));
        told.Report.Files.ShouldBeEmpty();
    }

    [Fact]
    public async Task Names_with_control_characters_or_broken_letters_are_left_out()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("mkdir out; printf x > \"out/$(printf 'a\\033[31mb')\"; printf x > \"out/$(printf 'c\\377d')\"; printf x > 'out/fine ünï'", ["out/**"]));
        told.Report.Files.ShouldHaveSingleItem().Path.ShouldBe("out/fine ünï");
        told.Notes.Count.ShouldBe(2);
        told.Notes.ShouldAllBe(note => !note.Any(char.IsControl));
    }

    [Fact]
    public async Task Number_and_sizes_are_bounded_and_what_is_left_out_is_said_a_few_times_and_counted()
    {
        var bounds = new CollectionBounds { MaxFiles = 10, MaxFileBytes = 1000, MaxTotalBytes = 1500, MaxDepth = 3, MaxPathBytes = 40, MaxNotes = 3 };
        await using var bench = new Bench(options => options with { Collection = bounds });
        var told = await bench.RunAsync(Stage("mkdir many; for i in $(seq 1 30); do echo $i > many/$i; done", ["many/*"]));
        told.Report.Files.Count.ShouldBe(10);
        told.Notes.Count.ShouldBe(4);
        told.Notes[^1].ShouldBe("17 more files were left out.");

        told = await bench.RunAsync(Stage("head -c 1001 /dev/zero > big", ["big"]));
        told.Notes.ShouldHaveSingleItem().ShouldContain("larger than 1000 bytes");

        told = await bench.RunAsync(Stage("head -c 1000 /dev/zero > a; head -c 1000 /dev/zero > b", ["?"]));
        told.Report.Files.ShouldHaveSingleItem();
        told.Notes.ShouldHaveSingleItem().ShouldContain("1500 bytes");

        told = await bench.RunAsync(Stage("mkdir -p 1/2/3/4; echo x > 1/2/3/4/deep; echo x > 1/2/3/fine; echo x > 1/$(printf '%050d' 1)", ["1/**"]));
        told.Report.Files.ShouldHaveSingleItem().Path.ShouldBe("1/2/3/fine");
        told.Notes.Count.ShouldBe(2);
    }

    [Fact]
    public async Task A_stopped_stage_keeps_nothing()
    {
        await using var bench = new Bench();
        var told = new Told();
        var spec = await bench.SpecAsync(Stage("echo x > out; echo ready; exec tail -f /dev/null", ["out"]));
        var running = bench.Runner.RunAsync(spec, told, Bench.Patience);
        await told.PrintedAsync("ready");
        await bench.Runner.StopAsync(spec.Id, Bench.Patience);
        (await running).Files.ShouldBeEmpty();
    }

    [Fact]
    public async Task History_is_kept_only_when_it_is_asked_for_by_name()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync(Stage("mkdir .git; echo x > .git/config; echo y > a", ["**"]));
        told.Report.Files.Select(file => file.Path).ShouldBe(["README", "a"]);
    }

    private static Stage Stage(string script, string[] artifacts, string[]? reports = null) =>
        Bench.StageOf(script) with { Artifacts = [.. artifacts], Reports = [.. reports ?? []] };
}
