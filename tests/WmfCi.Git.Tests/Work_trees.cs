using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Git.Tests;

/// <summary>What is recorded of a developer's working tree, and what is left as it was.</summary>
public sealed class Work_trees : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Are_recorded_as_they_are_now_not_as_they_were_committed()
    {
        await CommitAsync(("staged", "1\n"), ("edited", "1\n"), ("deleted", "1\n"), ("removed", "1\n"), ("old-name", "same\n"), ("sub/kept", "1\n"), (".gitignore", "*.o\n/build/\n"), ("tracked.o", "1\n"));
        Write("staged", "2\n");
        await GitAsync("add", "staged");
        Write("staged", "3\n");
        Write("edited", "2\n");
        File.Delete(At("deleted"));
        await GitAsync("rm", "-q", "removed");
        await GitAsync("mv", "old-name", "new-name");
        Write("tracked.o", "2\n");
        Write("ignored.o", "1\n");
        Write("build/out", "1\n");
        Write("sub/untracked", "1\n");
        Write("tool", "#!/bin/sh\n");
        await Cli.Wrap("chmod").WithArguments(["+x", At("tool")]).ExecuteAsync(Token);
        File.CreateSymbolicLink(At("link"), "no/such/place");

        using var tree = await WorkTree.RecordAsync(At("sub"), Token);

        Files(tree).ShouldBe([
            ".gitignore=*.o|/build/|", "edited=2|", "link->=no/such/place", "new-name=same|", "staged=3|", "sub/kept=1|", "sub/untracked=1|", "tool*=#!/bin/sh|", "tracked.o=2|"]);
        tree.Root.ShouldBe(_folder.Path);
    }

    [Fact]
    public async Task Stay_as_they_were_and_so_do_their_repositories()
    {
        await CommitAsync(("a", "1\n"));
        Write("a", "2\n");
        Write("b", "1\n");
        await GitAsync("add", "--intent-to-add", "b");
        var before = (Contents(), await GitAsync("status", "--porcelain"));
        using (await WorkTree.RecordAsync(_folder.Path, Token)) Contents().ShouldBe(before.Item1);
        (Contents(), await GitAsync("status", "--porcelain")).ShouldBe(before);
    }

    [Fact]
    public async Task That_differ_in_nothing_are_their_own_commit()
    {
        await CommitAsync(("a", "1\n"));
        using var tree = await WorkTree.RecordAsync(_folder.Path, Token);
        (tree.Commit, tree.Head).ShouldBe(((await GitAsync("rev-parse", "HEAD")).Trim(), tree.Commit));
    }

    [Fact]
    public async Task Are_the_same_commit_for_the_same_files()
    {
        await CommitAsync(("a", "1\n"));
        Write("a", "2\n");
        using var one = await WorkTree.RecordAsync(_folder.Path, Token);
        using var two = await WorkTree.RecordAsync(_folder.Path, Token);
        (one.Commit, one.Tree).ShouldBe((two.Commit, two.Tree));
        one.Commit.ShouldNotBe(one.Head);
    }

    [Fact]
    public async Task Without_any_commit_are_recorded_all_the_same()
    {
        await GitAsync("init", "-q", "-b", "main");
        Write("a", "1\n");
        using var tree = await WorkTree.RecordAsync(_folder.Path, Token);
        Files(tree).ShouldBe(["a=1|"]);
        tree.Head.ShouldBeNull();
    }

    [Fact]
    public async Task Name_the_commits_of_their_submodules_and_hold_nothing_of_them()
    {
        using var other = new TemporaryFolder();
        await CommitAsync(("a", "1\n"));
        await GitAsync("-c", "protocol.file.allow=always", "clone", "-q", _folder.Path, other.At("clone"));
        await GitAsync("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", other.At("clone"), "sub");
        Write("sub/more", "1\n");
        using var tree = await WorkTree.RecordAsync(_folder.Path, Token);
        var head = (await GitAsync("rev-parse", "HEAD")).Trim();
        Files(tree).ShouldContain($"sub@={head[..4]}");
        Files(tree).ShouldNotContain(file => file.StartsWith("sub/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task With_history_make_snapshots_on_which_git_works()
    {
        await CommitAsync(("a", "1\n"));
        await GitAsync("tag", "-a", "-m", "one", "v1.0");
        Write("a", "2\n");
        using var unpacked = await UnpackedAsync();
        (await GitAsync(["-C", unpacked.Path, "log", "--format=%s"])).ShouldBe("Uncommitted changes\nwork\n");
        (await GitAsync(["-C", unpacked.Path, "describe"])).ShouldStartWith("v1.0-1-g");
        (await GitAsync(["-C", unpacked.Path, "status", "--porcelain"])).ShouldBe("");
    }

    [Fact]
    public async Task Of_shallow_clones_have_the_history_that_is_there()
    {
        using var origin = new Work_trees();
        await origin.CommitAsync(("a", "1\n"));
        await origin.CommitAsync(("a", "2\n"));
        await GitAsync("clone", "-q", "--depth=1", "file://" + origin._folder.Path, ".");
        Write("a", "3\n");
        using var unpacked = await UnpackedAsync();
        (await GitAsync(["-C", unpacked.Path, "log", "--format=%s"])).ShouldBe("Uncommitted changes\nwork\n");
    }

    [Theory]
    [InlineData("ssh://alice@review.example.org:29418/tools/beaver.git", "tools/beaver")]
    [InlineData("https://review.example.org/r/a/tools/beaver", "tools/beaver")]
    [InlineData("review.example.org:tools/beaver", "tools/beaver")]
    [InlineData("/srv/git/beaver.git", "beaver")]
    public async Task Are_named_after_their_remote(string url, string project)
    {
        await CommitAsync(("a", "1\n"));
        await GitAsync("remote", "add", "origin", url);
        await GitAsync("config", "branch.main.merge", "refs/heads/stable");
        using var tree = await WorkTree.RecordAsync(_folder.Path, Token);
        (tree.Project, tree.Branch).ShouldBe((project, "stable"));
    }

    [Fact]
    public async Task Are_named_as_their_gitreview_says()
    {
        await CommitAsync((".gitreview", "[gerrit]\nhost=review.example.org\nproject=tools/beaver.git\ndefaultbranch=master\n"));
        await GitAsync("remote", "add", "origin", "https://mirror.example.org/x");
        await GitAsync("switch", "-q", "-c", "topic");
        using var tree = await WorkTree.RecordAsync(_folder.Path, Token);
        (tree.Project, tree.Branch).ShouldBe(("tools/beaver", "master"));
    }

    [Fact]
    public async Task That_are_none_are_refused()
    {
        (await Should.ThrowAsync<WorkTreeException>(() => WorkTree.RecordAsync(_folder.Path, Token))).Message.ShouldContain("is in no working tree of git");
        (await Should.ThrowAsync<WorkTreeException>(() => WorkTree.RecordAsync(At("nothing"), Token))).Message.ShouldContain("There is no folder");
        await GitAsync("init", "-q", "--bare", "bare");
        await Should.ThrowAsync<WorkTreeException>(() => WorkTree.RecordAsync(At("bare"), Token));
    }

    private static List<string> Files(WorkTree tree) =>
        [.. SourceFiles.Walk(tree.Repository, ObjectName.Parse(tree.Tree), 4096, 1000).Where(file => !file.Entry.IsTree).Select(file => Shown(tree.Repository, file.Path, file.Entry))];

    private static string Shown(BareRepository repository, byte[] path, TreeEntry entry)
    {
        var mode = entry.CanonicalMode switch { TreeEntry.ExecutableMode => "*", TreeEntry.SymlinkMode => "->", TreeEntry.GitlinkMode => "@", _ => "" };
        var content = entry.IsGitlink ? entry.Id.ToString()[..4] : Encoding.UTF8.GetString(repository.Read(entry.Id, ObjectKind.Blob));
        return $"{Encoding.UTF8.GetString(path)}{mode}={content.Replace('\n', '|')}";
    }

    private string At(string name) => _folder.At(name);

    private void Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(name))!);
        File.WriteAllText(At(name), text);
    }

    private async Task CommitAsync(params (string Path, string Text)[] files)
    {
        await GitAsync("init", "-q", "-b", "main");
        foreach (var (path, text) in files) Write(path, text);
        await GitAsync("add", "-A", "-f");
        await GitAsync("commit", "-q", "-m", "work");
    }

    private async Task<TemporaryFolder> UnpackedAsync()
    {
        using var tree = await WorkTree.RecordAsync(_folder.Path, Token);
        using var packed = new MemoryStream();
        await SourceSnapshot.Write(tree.Repository, tree.Commit, packed, new SnapshotOptions { IncludeHistory = true }, Token);
        var folder = new TemporaryFolder();
        using var plain = new ZstdSharp.DecompressionStream(new MemoryStream(packed.ToArray()), leaveOpen: false);
        await Cli.Wrap("tar").WithArguments(["-x", "-C", folder.Path]).WithStandardInputPipe(PipeSource.FromStream(plain)).ExecuteAsync(Token);
        return folder;
    }

    /// <summary>Everything in the folder, the repository's own files included.</summary>
    private string Contents() => string.Join('\n', Directory.EnumerateFiles(_folder.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)
        .Select(path => $"{path} {Convert.ToHexString(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)))}"));

    // git of 2.47 and later tidies up in the background, beside what comes next.
    private async Task<string> GitAsync(params string[] arguments) => (await Cli.Wrap("git").WithArguments(arguments).WithWorkingDirectory(_folder.Path)
        .WithEnvironmentVariables(set => set.Set("GIT_CONFIG_GLOBAL", "/dev/null").Set("GIT_CONFIG_NOSYSTEM", "1").Set("GIT_OPTIONAL_LOCKS", "0")
            .Set("GIT_CONFIG_COUNT", "1").Set("GIT_CONFIG_KEY_0", "maintenance.auto").Set("GIT_CONFIG_VALUE_0", "false")
            .Set("GIT_AUTHOR_NAME", "Alice").Set("GIT_AUTHOR_EMAIL", "a@example.org").Set("GIT_COMMITTER_NAME", "Alice").Set("GIT_COMMITTER_EMAIL", "a@example.org"))
        .ExecuteBufferedAsync(Token)).StandardOutput;
}
