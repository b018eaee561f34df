using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Malice;

/// <summary>What a stage leaves is data of a stranger: plain files of its workspace are kept, and nothing else.</summary>
public sealed class HostileFiles
{
    private const string Link = "it is a link, or cannot be read; only plain files are kept";

    // What it is called here, how it is made, the path as it is shown, and why it is not kept.
    private static readonly (string Name, string Script, string Shown, string Why)[] Files =
    [
        ("a link to a system file", "ln -s /etc/passwd a-passwd", "a-passwd", Link),
        ("a link to the collector's environment", "ln -s /proc/self/environ a-environ", "a-environ", Link),
        ("a link to the collector's token", "ln -s /wmfci/token/token a-token", "a-token", Link),
        ("a link to a folder of the collector", "ln -s /wmfci a-folder", "a-folder", Link),
        ("a link to a device", "ln -s /dev/zero a-zero", "a-zero", Link),
        ("a link to itself", "ln -s a-loop a-loop", "a-loop", Link),
        ("a hard link", "echo x > h; ln h a-hard; rm h; echo x > a-one; ln a-one .hidden", "a-one", "it is a hard link; copy the file instead"),
        ("a pipe", "mkfifo a-pipe", "a-pipe", "it is no plain file"),
        ("a socket", "perl -MSocket -e 'socket(S, 1, 1, 0); bind(S, sockaddr_un(\"a-socket\")) or die'", "a-socket", Link),
        ("a file that nobody may read", "echo x > a-closed; chmod 0 a-closed", "a-closed", Link),
        ("a folder that nobody may enter", "mkdir -p a-shut/in; chmod 0 a-shut", "a-shut", "the folder cannot be read"),
        ("a name with control characters", "touch \"$(printf 'a-line\\nforged\\033[2J')\"", "a-line?forged?[2J", "its name has control characters"),
        ("a name that is no text", "touch \"$(printf 'a-\\377\\376')\"", "a-\uFFFD\uFFFD", "its name is no valid UTF-8"),
        ("a sparse file of terabytes", "truncate -s 40M a-sparse", "a-sparse", "it is larger than 33554432 bytes"),
        ("a path that is too long", "d=$(head -c 250 /dev/zero | tr '\\0' l); mkdir -p $d/$d/$d/$d; touch $d/$d/$d/$d/$d", new string('l', 200) + "…", "its path is longer than 1024 bytes"),
        ("folders that never end", "p=deep; for i in $(seq 1 70); do p=$p/d; done; mkdir -p $p; touch $p/end", "deep" + string.Concat(Enumerable.Repeat("/d", 64)), "it lies more than 64 folders deep"),
    ];

    private static readonly string[] Patterns = ["**", "/etc/passwd", "../wmfci/token/token", "a/../../etc"];

    public static TheoryData<string> Names => [.. Files.Select(file => file.Name)];

    private static readonly Once<Heard> Left = new(async () =>
    {
        await using var here = await Hostile.SiteAsync(options => options with { Collection = options.Collection with { MaxNotes = 100 } });
        var script = string.Join('\n', Files.Select(file => file.Script)) + "\nmkdir ok; echo fine > ok/..evil; cp /bin/true ok/setuid; chmod 6755 ok/setuid; echo a > ok/Same; echo b > ok/same; echo c > 'ok/..\\..\\x'; echo d > \"ok/<script>\"";
        return await here.RunAsync(here.StageOf(script) with { Artifacts = [.. Patterns] });
    });

    [Theory, MemberData(nameof(Names))]
    public async Task Not_kept_is(string what)
    {
        var file = Files.Single(file => file.Name == what);
        (await Left.Result).Notes.ShouldContain($"Not kept: “{file.Shown}”, {file.Why}.", customMessage: (await Left.Result).ToString());
    }

    [Fact]
    public async Task Kept_are_plain_files_with_one_name_and_no_others()
    {
        var heard = await Left.Result;
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Report.Files.Select(file => file.Path).Order(StringComparer.Ordinal).ShouldBe(["README", "a-hard", "ok/..\\..\\x", "ok/..evil", "ok/<script>", "ok/Same", "ok/same", "ok/setuid"]);
    }

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("../wmfci/token/token")]
    [InlineData("a/../../etc")]
    public async Task A_pattern_that_leads_out_of_the_workspace_finds_nothing(string pattern) =>
        (await Left.Result).Notes.ShouldContain($"The pattern “{pattern}” is passed over: write a path relative to the workspace, without “..”.");

    [Fact]
    public async Task A_folder_that_becomes_a_link_between_steps_is_not_entered()
    {
        await using var here = await Hostile.SiteAsync();
        var heard = await here.RunAsync(here.StageOf("mkdir out; echo mine > out/passwd", "rm -r out; ln -s /etc out; ls out/passwd") with { Artifacts = ["out/*", "out/passwd", "out"] });
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Report.Files.ShouldBeEmpty();
        heard.Notes.ShouldBe(["No file matches “out/*” of artifacts.", "No file matches “out/passwd” of artifacts.", $"Not kept: “out”, {Link}."], ignoreOrder: true);
    }

    [Fact]
    public async Task Files_without_number_are_looked_at_up_to_a_bound_and_kept_up_to_another()
    {
        // A tenth of the defaults and less, so that it takes seconds.
        await using var here = await Hostile.SiteAsync(options => options with { Collection = options.Collection with { MaxVisited = 20_000, MaxFiles = 10, MaxNotes = 2 } });
        var heard = await here.RunAsync(here.StageOf("mkdir many; cd many; seq 1 30000 | xargs touch") with { Artifacts = ["many/**"] });
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Report.Files.Count.ShouldBe(10);
        heard.Notes.Count.ShouldBe(3, heard.ToString());
        heard.Notes[..2].ShouldAllBe(note => note.EndsWith("more than 10 files are not kept."));
        heard.Notes[2].ShouldEndWith(" more files were left out.");
    }

    [Fact]
    public async Task A_bomb_of_zeros_is_kept_as_the_few_bytes_that_it_is_and_many_of_them_only_up_to_the_sum()
    {
        await using var here = await Hostile.SiteAsync(options => options with { Collection = options.Collection with { MaxTotalBytes = 25L << 20, MaxFileBytes = 10L << 20 } });
        var heard = await here.RunAsync(here.StageOf("head -c 100M /dev/zero | gzip > bomb.gz; for i in 1 2 3; do truncate -s 10M big-$i; done; truncate -s 11M larger") with { Artifacts = ["bomb.gz", "big-*", "larger"] });
        heard.ShouldEnd(OutcomeKind.Succeeded, "");
        heard.Report.Files.Single(file => file.Path == "bomb.gz").Blob.Size.ShouldBeLessThan(200_000);
        heard.Report.Files.Sum(file => file.Blob.Size).ShouldBeLessThanOrEqualTo(25L << 20);
        heard.Notes.ShouldContain("Not kept: “larger”, it is larger than 10485760 bytes.");
        heard.Notes.Count(note => note.EndsWith("”, all files together are larger than 26214400 bytes.", StringComparison.Ordinal)).ShouldBe(1, heard.ToString());
    }
}
