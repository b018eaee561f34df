using System.Text;
using WmfCi.Fakes;
using static WmfCi.Git.Tests.Three;

namespace WmfCi.Git.Tests;

/// <summary>What a merge results in under each submit type, and the commits that are made.</summary>
public sealed class Submitting
{
    private static readonly Dictionary<string, GitFile> Base = Files(("a", "1\n2\n3\n"));

    [Fact]
    public async Task A_change_on_the_tip_is_taken_as_it_is()
    {
        using var three = await OnTheTip();
        foreach (var type in new[] { SubmitType.MergeIfNecessary, SubmitType.FastForwardOnly, SubmitType.RebaseIfNecessary })
            Run(three, type).ShouldBeOfType<MergeResult.Merged>().Commit.ShouldBe(three.Theirs);
    }

    [Fact]
    public async Task A_merge_is_always_made_where_the_project_wants_one()
    {
        using var three = await OnTheTip();
        var merged = Run(three, SubmitType.MergeAlways).ShouldBeOfType<MergeResult.Merged>();
        Commit(three, merged).Parents.Select(parent => parent.Sha).ShouldBe([three.Ours, three.Theirs]);
        Commit(three, merged).Tree.Sha.ShouldBe(merged.Tree);
    }

    [Fact]
    public async Task A_change_beside_the_tip_is_refused_where_only_fast_forwards_go()
    {
        using var three = await Beside();
        Run(three, SubmitType.FastForwardOnly).ShouldBeOfType<MergeResult.NotFastForward>().Reason.ShouldContain("rebase it");
    }

    [Theory]
    [InlineData(SubmitType.RebaseIfNecessary)]
    [InlineData(SubmitType.RebaseAlways)]
    [InlineData(SubmitType.CherryPick)]
    public async Task A_change_beside_the_tip_is_moved_onto_it(SubmitType type)
    {
        using var three = await Beside();
        var commit = Commit(three, Run(three, type).ShouldBeOfType<MergeResult.Merged>());
        commit.Parents.Select(parent => parent.Sha).ShouldBe([three.Ours]);
        commit.Message.ShouldBe("theirs\n\nmore");
        commit.Author.Email.ShouldBe("fake@example.org");
        commit.Committer.Name.ShouldBe("WmfCi");
    }

    [Fact]
    public async Task A_series_is_rebased_commit_by_commit_but_only_the_change_itself_is_picked()
    {
        using var import = new GitFastImport();
        var root = import.Commit(new GitFastImportCommit("refs/heads/w", "root", 1000, []), Base);
        import.Reset("refs/heads/ours", import.Commit(new GitFastImportCommit("refs/heads/w", "ours", 1001, [root]), Base.With("o", "1\n")));
        var first = import.Commit(new GitFastImportCommit("refs/heads/w", "first", 1002, [root]), Base.With("first", "1\n"));
        import.Reset("refs/heads/theirs", import.Commit(new GitFastImportCommit("refs/heads/w", "second", 1003, [first]), Base.With("first", "1\n").With("second", "1\n")));
        using var three = await Make(import);
        three.Merge(new MergeSettings { SubmitType = SubmitType.RebaseIfNecessary }).ShouldBe("a=1|2|3| first=1| o=1| second=1|");
        three.Merge(new MergeSettings { SubmitType = SubmitType.CherryPick }).ShouldBe("a=1|2|3| o=1| second=1|");
    }

    [Fact]
    public async Task What_the_branch_has_is_already_merged()
    {
        using var three = await OnTheTip();
        SpeculativeMerge.Run(three.Repository, three.Theirs, three.Ours, MergeSettings.Default, TestContext.Current.CancellationToken).ShouldBeOfType<MergeResult.AlreadyMerged>().Commit.ShouldBe(three.Theirs);
        SpeculativeMerge.Run(three.Repository, three.Ours, three.Ours, MergeSettings.Default, TestContext.Current.CancellationToken).ShouldBeOfType<MergeResult.AlreadyMerged>();
    }

    [Fact]
    public async Task The_same_merge_has_the_same_id_at_any_time_and_says_what_it_is()
    {
        using var one = await Beside();
        using var two = await Beside();
        var first = Run(one, SubmitType.MergeIfNecessary).ShouldBeOfType<MergeResult.Merged>();
        Run(two, SubmitType.MergeIfNecessary).ShouldBe(first);
        var commit = Commit(one, first);
        commit.Message.ShouldBe($"Merge {one.Theirs} into {one.Ours}\n\ntheirs\n");
        commit.Committer.When.ToUnixTimeSeconds().ShouldBe(3000);
        commit.Author.When.ToUnixTimeSeconds().ShouldBe(3000);
    }

    [Fact]
    public async Task A_conflict_leaves_nothing_in_the_repository()
    {
        using var three = await Make(Base, Files(("a", "x\n2\n3\n"), ("b", "1\n")), Files(("a", "y\n2\n3\n"), ("c", "1\n")));
        var before = Directory.EnumerateFiles(three.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToList();
        three.Merge().ShouldBe("conflict: a");
        Directory.EnumerateFiles(three.Path, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ShouldBe(before);
    }

    [Fact]
    public async Task Git_finds_nothing_wrong_with_what_was_written()
    {
        using var three = await Make(Base.With("d/x", "1\n"), Files(("a", "x\n2\n3\n"), ("d/x", "1\n"), ("d.c", "1\n")), Files(("a", "1\n2\ny\n"), ("d/x", "1\n"), ("d/é", "1\n")));
        var merged = Run(three, SubmitType.MergeIfNecessary).ShouldBeOfType<MergeResult.Merged>();
        var check = await CliWrap.Cli.Wrap("git").WithArguments(["--git-dir=" + three.Path, "fsck", "--strict", "--no-dangling", merged.Commit])
            .WithValidation(CliWrap.CommandResultValidation.None).ExecuteAsync(TestContext.Current.CancellationToken);
        check.ExitCode.ShouldBe(0);
    }

    [Fact]
    public async Task Names_in_another_encoding_come_through_a_merge_unchanged()
    {
        using var three = await Make(Files(("a", "1\n")), Files(("a", "2\n")), Files(("a", "1\n")));
        var latin = new TreeEntry(TreeEntry.FileMode, (byte[])[0xE9, (byte)'t', 0xE9], three.Repository.Stage(ObjectKind.Blob, "x"u8.ToArray()));
        var before = three.Repository.Tree(three.Repository.Commit(ObjectName.Parse(three.Theirs)).Tree);
        var tree = three.Repository.Stage(ObjectKind.Tree, TreeEntry.Format([.. before, latin]));
        var merged = new TreeMerge(three.Repository, TreeMergeMode.Content, TestContext.Current.CancellationToken)
            .Merge(three.Repository.Commit(three.Repository.Commit(ObjectName.Parse(three.Ours)).Parents[0]).Tree, three.Repository.Commit(ObjectName.Parse(three.Ours)).Tree, tree);
        Encoding.Latin1.GetString(three.Repository.Tree(merged)[^1].Name.Span).ShouldBe("été");
    }

    [Fact]
    public async Task Folders_nested_without_end_are_refused()
    {
        using var three = await Beside();
        ObjectName Nested(string text)
        {
            var entry = new TreeEntry(TreeEntry.FileMode, "f"u8.ToArray(), three.Repository.Stage(ObjectKind.Blob, Encoding.UTF8.GetBytes(text)));
            for (var i = 0; i < 5000; i++) entry = new TreeEntry(TreeEntry.TreeMode, "d"u8.ToArray(), three.Repository.Stage(ObjectKind.Tree, TreeEntry.Format([entry])));
            return entry.Id;
        }

        var merge = new TreeMerge(three.Repository, TreeMergeMode.Content, TestContext.Current.CancellationToken);
        Should.Throw<GitObjectException>(() => merge.Merge(Nested("1\n"), Nested("2\n"), Nested("3\n"))).Message.ShouldContain("nested");
    }

    [Fact]
    public async Task A_commit_that_is_not_there_is_named()
    {
        using var three = await Beside();
        var missing = new string('1', 40);
        Should.Throw<GitObjectException>(() => SpeculativeMerge.Run(three.Repository, three.Ours, missing, MergeSettings.Default, TestContext.Current.CancellationToken)).Message.ShouldContain(missing);
        Should.Throw<GitObjectException>(() => SpeculativeMerge.Run(three.Repository, three.Ours, "main", MergeSettings.Default, TestContext.Current.CancellationToken)).Message.ShouldContain("main");
    }

    private static Task<Three> Beside() => Make(Base, Base.With("o", "1\n"), Base.With("t", "1\n"));

    private static async Task<Three> OnTheTip()
    {
        using var import = new GitFastImport();
        var ours = import.Commit(new GitFastImportCommit("refs/heads/ours", "ours", 1000, []), Base);
        import.Reset("refs/heads/theirs", import.Commit(new GitFastImportCommit("refs/heads/t", "theirs", 1001, [ours]), Base.With("t", "1\n")));
        return await Make(import);
    }

    private static MergeResult Run(Three three, SubmitType type) =>
        SpeculativeMerge.Run(three.Repository, three.Ours, three.Theirs, new MergeSettings { SubmitType = type });

    private static LibGit2Sharp.Commit Commit(Three three, MergeResult.Merged merged)
    {
        var sharp = new LibGit2Sharp.Repository(three.Path);
        return LibGit2Sharp.RepositoryExtensions.Lookup<LibGit2Sharp.Commit>(sharp, merged.Commit);
    }
}
