using System.Text;
using WmfCi.Service.Local;

namespace WmfCi.Service.Tests.Local;

/// <summary>The pipeline of a working tree on this machine.</summary>
public sealed class WorkTreeRunTests : IDisposable
{
    private const string Two = """
        image: host
        commit:
          steps: [sh ./build]
          artifacts: program
          reports: report.xml
        acceptance:
          steps: [test "$(sh /artifacts/commit/program)" = hello]
        """;

    private readonly Desk _desk = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _desk.Dispose();

    [Fact]
    public async Task What_is_not_committed_is_tested_too()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", Two), ("build", "exit 1"));
        _desk.Write("build", "cat part > program");
        _desk.Write("part", "echo hello");
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Green, _desk.Said);
        _desk.Rows.ShouldBe(["commit Passed", "acceptance Passed"]);
        _desk.Said.ShouldContain("==> acceptance: ");
    }

    [Fact]
    public async Task A_failed_stage_is_explained_and_those_behind_it_are_skipped()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", Two), ("build", "echo '<testsuite><testcase classname=\"sums\" name=\"adds\"><failure message=\"no\"/></testcase></testsuite>' > report.xml; echo FAIL; exit 3"));
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Red, _desk.Said);
        _desk.Rows.ShouldBe(["commit Failed", "acceptance Skipped"]);
        _desk.Said.ShouldContain("Exit status 3. 1 of 1 tests failed: sums.adds.");
        _desk.Said.ShouldContain("FAIL\n");
    }

    [Fact]
    public async Task Stages_run_in_the_order_of_their_needs_and_named_ones_with_what_they_need()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", """
            image: host
            stages:
              last: {needs: [middle], steps: [echo three]}
              middle: {needs: [commit], steps: [echo two $n], matrix: {n: [a, b]}}
              commit: [echo one]
              other: {needs: [], steps: [echo other]}
            """));
        (await _desk.RunAsync(Cancel, "last")).ShouldBe(LocalCommand.Green, _desk.Said);
        _desk.Started.ShouldBe(["commit", "middle [n=a]", "middle [n=b]", "last"]);
        (await _desk.RunAsync(Cancel, "middle [n=b]")).ShouldBe(LocalCommand.Green, _desk.Said);
        _desk.Started.ShouldBe(["commit", "middle [n=b]"]);
    }

    [Fact]
    public async Task What_cannot_run_here_is_named_as_not_run()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", "image: host\ncommit: 'true'\ndeployment: {steps: [echo never]}\n"));
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Green, _desk.Said);
        _desk.Rows.ShouldBe(["commit Passed", "deployment Not"]);
        (await _desk.RunAsync(Cancel, "deployment")).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("deployment is not run");
    }

    [Fact]
    public async Task A_stage_that_may_not_vote_fails_alone()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", "image: host\nstages: {commit: ['true'], docs: {steps: [exit 1], voting: false, needs: []}}\n"));
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Green, _desk.Said + _desk.Complaint);
        _desk.Rows.ShouldContain("docs Failed");
    }

    [Fact]
    public async Task With_several_at_once_each_line_says_whose_it_is()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", "image: host\nstages: {commit: [echo a; printf b], lint: {steps: [echo c], needs: []}}\n"));
        (await _desk.RunAsync(_desk.Request with { Jobs = 2 }, Cancel)).ShouldBe(LocalCommand.Green, _desk.Said + _desk.Complaint);
        var lines = _desk.Said.Split('\n');
        foreach (var line in new[] { "commit | a", "commit | b", "lint | c" }) lines.ShouldContain(line);
    }

    [Fact]
    public async Task A_stage_with_history_has_it()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", "image: host\ncommit: {history: true, steps: ['test \"$(git log -1 --format=%H)\" = $WMFCI_COMMIT']}\n"), ("a", "1"));
        _desk.Write("a", "2");
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Green, _desk.Said);
    }

    [Fact]
    public async Task Mistakes_are_shown_as_validate_shows_them_and_nothing_runs()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", "image: host\ncomit: make\n"));
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Said.ShouldContain("config.yaml:2:1:");
        _desk.Said.ShouldContain("^");
        _desk.Started.ShouldBeEmpty();
    }

    [Fact]
    public async Task What_cannot_be_run_at_all_is_said_in_words()
    {
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("is in no working tree of git");
        await _desk.CommitAsync(("a", "1"));
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("There is no ");
        _desk.Write(".pipeline/config.yaml", "image: host\ncommit: 'true'\n");
        _desk.Write(".gitignore", ".pipeline\n");
        (await _desk.RunAsync(Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("is ignored by git");
        _desk.Write(".gitignore", "");
        (await _desk.RunAsync(Cancel, "comit")).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("There is no stage “comit”. There is: commit.");
    }

    [Theory]
    [InlineData("host", "apt-get install bubblewrap")]
    [InlineData("debian:bookworm", "apt-get install podman")]
    public async Task A_machine_that_lacks_a_program_is_told_how_to_get_it(string image, string advice)
    {
        await _desk.CommitAsync((".pipeline/config.yaml", $"image: {image}\ncommit: 'true'\n"));
        (await _desk.RunAsync(_desk.Request, options => options with { BubblewrapProgram = "no-such-bwrap", PodmanProgram = "no-such-podman" }, Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain(advice);
    }

    [Fact]
    public async Task Stopped_it_leaves_nothing_running_and_nothing_behind()
    {
        // Other runs of these tests may have sleepers of their own.
        var mark = $"wmfci-mark-{Guid.NewGuid():N}";
        await _desk.CommitAsync((".pipeline/config.yaml", $"image: host\ncommit:\n  - touch {mark}; tail -f {mark} & tail -f {mark}\n"));
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = _desk.RunAsync(stop.Token);
        await _desk.UntilSaidAsync("==> commit", Cancel);
        await stop.CancelAsync();
        (await running).ShouldBe(LocalCommand.Interrupted);
        Directory.EnumerateDirectories("/proc").Where(folder => Command(folder).Contains(mark, StringComparison.Ordinal)).ShouldBeEmpty();
        Directory.EnumerateFileSystemEntries(Path.Combine(_desk.Cache, "work", "attempts")).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_workspace_is_kept_where_that_is_asked_for()
    {
        await _desk.CommitAsync((".pipeline/config.yaml", "image: host\ncommit:\n  - echo left > behind; exit 1\n"));
        (await _desk.RunAsync(_desk.Request with { Keep = true }, Cancel)).ShouldBe(LocalCommand.Red, _desk.Said);
        var kept = _desk.Said.Split('\n').First(line => line.Contains("The workspace is kept: ", StringComparison.Ordinal)).Split(": ")[1];
        (await File.ReadAllTextAsync(Path.Combine(kept, "behind"), Cancel)).ShouldBe("left\n");
    }

    private static string Command(string folder)
    {
        try
        {
            return Encoding.UTF8.GetString(File.ReadAllBytes(Path.Combine(folder, "cmdline")));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
