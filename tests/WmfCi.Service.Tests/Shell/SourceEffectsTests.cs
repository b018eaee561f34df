using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Git;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Tests.Pages;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Shell;

public sealed class SourceEffectsTests : ShellTest
{
    private const string Pipeline = "image: host\ncommit:\n  steps: [make]\n";
    private readonly TempFolder _folder = new();
    private readonly MemoryStore _store = new();

    public override async ValueTask DisposeAsync()
    {
        _folder.Dispose();
        await base.DisposeAsync();
    }

    /// <summary>Prepares a change whose branch and patch set went apart from a common commit.</summary>
    private async Task<Event> PrepareAsync(Dictionary<string, GitFile> branch, Dictionary<string, GitFile> patchSet, IArtifactStore? store = null, TimeSpan? mergeTime = null, string branchName = "main", int attempts = 1)
    {
        var remote = Path.Combine(_folder.Path, "remote", "tools", "beaver");
        Directory.CreateDirectory(Path.GetDirectoryName(remote)!);
        using var import = new GitFastImport();
        var root = import.Commit(new GitFastImportCommit("refs/heads/main", "root", 1, []), new Dictionary<string, GitFile> { ["shared.txt"] = GitFile.Text("one\n") });
        import.Commit(new GitFastImportCommit("refs/heads/main", "branch", 2, [root]), branch);
        import.Commit(new GitFastImportCommit("refs/changes/07/7/1", "change", 3, [root]), patchSet);
        await import.Run(remote, Cancel);
        var revision = (await CliWrap.Buffered.BufferedCommandExtensions.ExecuteBufferedAsync(
            CliWrap.Cli.Wrap("git").WithArguments(["--git-dir=" + remote, "rev-parse", "refs/changes/07/7/1"]), Cancel)).StandardOutput.Trim();

        using var mirror = new Mirror(new MirrorOptions { Folder = _folder["mirrors"], BaseUrl = "file://" + Path.Combine(_folder.Path, "remote") }, TimeProvider.System);
        using var keeper = new MirrorKeeper(mirror, Surroundings());
        var effects = new SourceEffects(mirror, new FakeReview(), store ?? _store, new Artifacts(Source), new MergeIdentity("WmfCi", "wmfci@example.org"), keeper)
        {
            MergeTime = mergeTime ?? SourceEffects.MaxMergeTime,
        };
        var wanted = new Effect.PrepareSource(new RunId(1), Change, branchName, PatchSet() with { Revision = revision });
        var claim = new EffectClaim(1, Change.Lane, wanted, attempts, 1, false, Noon);
        return (await WithinAsync(effects.HandleAsync(claim, Task.CompletedTask, Cancel))).Events.ShouldHaveSingleItem();
    }

    private static Dictionary<string, GitFile> Files(string shared, params (string Path, string Text)[] more)
    {
        var files = new Dictionary<string, GitFile>(StringComparer.Ordinal) { ["shared.txt"] = GitFile.Text(shared) };
        foreach (var (path, text) in more) files[path] = GitFile.Text(text);
        return files;
    }

    private static (string, string) Config(string text) => (".pipeline/config.yaml", text);

    [Fact]
    public async Task Both_sides_changing_the_same_line_is_a_conflict_that_names_the_file()
    {
        var came = (await PrepareAsync(Files("two\n"), Files("three\n"))).ShouldBeOfType<Event.SourceConflicted>();
        came.Paths.ShouldHaveSingleItem().ShouldContain("shared.txt");
    }

    [Fact]
    public async Task A_repository_without_a_pipeline_asks_for_nothing_and_is_not_published()
    {
        var came = (await PrepareAsync(Files("one\n", ("a", "a")), Files("three\n"))).ShouldBeOfType<Event.SourcePrepared>();
        came.Pipeline.ShouldBeNull();
        came.Mistakes.ShouldBeEmpty();
        came.Source.Snapshot.ShouldBeEmpty();
    }

    [Fact]
    public async Task Mistakes_in_the_pipeline_are_told_with_their_lines()
    {
        var came = (await PrepareAsync(Files("one\n", ("a", "a")), Files("one\n", Config("stages: [")))).ShouldBeOfType<Event.SourcePrepared>();
        came.Mistakes.ShouldNotBeEmpty();
        came.Pipeline.ShouldBeNull();
    }

    [Fact]
    public async Task A_huge_pipeline_file_is_a_mistake_and_is_not_read()
    {
        var came = (await PrepareAsync(Files("one\n", ("a", "a")), Files("one\n", Config(new string('#', 4_000_000))))).ShouldBeOfType<Event.SourcePrepared>();
        came.Mistakes.ShouldHaveSingleItem().ToString().ShouldContain("larger than");
    }

    [Fact]
    public async Task A_merge_that_takes_too_long_is_refused_with_a_word_of_advice()
    {
        var came = (await PrepareAsync(Files(LongText("x")), Files(LongText("y")), mergeTime: TimeSpan.Zero)).ShouldBeOfType<Event.SourceRefused>();
        came.Reason.ShouldContain("Rebase");
    }

    [Fact]
    public async Task A_branch_that_is_not_there_is_looked_for_again_and_then_refused()
    {
        var soon = await Should.ThrowAsync<SourceException>(() => PrepareAsync(Files("two\n"), Files("one\n"), branchName: "gone"));
        soon.Failure.ShouldBe(FailureClass.Transient);
        Directory.Delete(_folder["remote"], recursive: true);
        var came = await PrepareAsync(Files("two\n"), Files("one\n"), branchName: "gone", attempts: SourceEffects.MaxLooks);
        came.ShouldBeOfType<Event.SourceRefused>().Reason.ShouldContain("gone");
    }

    [Fact]
    public async Task A_branch_whose_name_git_refuses_is_given_up_at_once()
    {
        var error = await Should.ThrowAsync<SourceException>(() => PrepareAsync(Files("two\n"), Files("one\n"), branchName: "a..b"));
        error.Failure.ShouldBe(FailureClass.Permanent);
    }

    [Fact]
    public async Task A_store_that_is_full_fails_the_effect_instead_of_holding_it_for_ever()
    {
        var random = new byte[1_000_000];
        new Random(1).NextBytes(random);
        var files = Files("one\n", Config(Pipeline));
        files["large"] = new GitFile(GitFile.Regular, random);
        await Should.ThrowAsync<IOException>(() => PrepareAsync(Files("one\n", ("a", "a")), files, new FullStore()));
    }

    private static string LongText(string word) => string.Concat(Enumerable.Range(0, 2000).Select(line => $"{word}{line}\n"));

    private sealed class FullStore : IArtifactStore
    {
        public async Task<Blob> PutAsync(Stream content, long maxBytes, CancellationToken cancellationToken)
        {
            await content.ReadExactlyAsync(new byte[10], cancellationToken);
            throw new IOException("No space left on device");
        }

        public Task<Stream?> OpenAsync(string digest, CancellationToken cancellationToken) => Task.FromResult<Stream?>(null);
    }
}
