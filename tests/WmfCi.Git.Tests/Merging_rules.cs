using System.Text;
using WmfCi.Fakes;
using static WmfCi.Git.Tests.Three;

namespace WmfCi.Git.Tests;

/// <summary>Each of the rules by which Gerrit (JGit, without rename detection) merges trees, by example.</summary>
public sealed class Merging_rules
{
    private static readonly GitFile Binary = new(GitFile.Regular, [1, 0, 2]);

    [Fact]
    public async Task Changes_of_different_files_are_joined() =>
        (await Merge(Files(("a", "1\n"), ("b", "1\n")), Files(("a", "2\n"), ("b", "1\n")), Files(("a", "1\n"), ("b", "2\n")))).ShouldBe("a=2| b=2|");

    [Fact]
    public async Task Distant_lines_of_one_file_are_joined() =>
        (await Merge(Files(("a", "1\n2\n3\n")), Files(("a", "x\n2\n3\n")), Files(("a", "1\n2\ny\n")))).ShouldBe("a=x|2|y|");

    [Fact]
    public async Task Touching_edits_conflict() =>
        (await Merge(Files(("a", "1\n2\n3\n")), Files(("a", "x\n2\n3\n")), Files(("a", "1\ny\n3\n")))).ShouldBe("conflict: a");

    [Fact]
    public async Task The_same_edit_on_both_sides_is_one() =>
        (await Merge(Files(("a", "1\n2\n3\n4\n")), Files(("a", "x\n2\n3\n4\n")), Files(("a", "x\n2\n3\ny\n")))).ShouldBe("a=x|2|3|y|");

    [Fact]
    public async Task A_missing_last_line_end_stays_missing() =>
        (await Merge(Files(("a", "1\n2\n3")), Files(("a", "x\n2\n3")), Files(("a", "1\n2\n3\n4")))).ShouldBe("a=x|2|3|4");

    [Fact]
    public async Task A_rename_against_an_edit_conflicts_because_renames_are_not_looked_for() =>
        (await Merge(Files(("two", "1\n2\n")), Files(("new", "1\n2\n")), Files(("two", "1\n3\n")))).ShouldBe("conflict: two");

    [Fact]
    public async Task A_file_added_to_a_folder_that_the_other_side_renamed_stays_where_it_was_added() =>
        (await Merge(Files(("d/a", "1\n")), Files(("e/a", "1\n")), Files(("d/a", "1\n"), ("d/c", "2\n")))).ShouldBe("d/c=2| e/a=1|");

    [Fact]
    public async Task Deleted_against_edited_conflicts() =>
        (await Merge(Files(("a", "1\n"), ("b", "1\n")), Files(("b", "1\n")), Files(("a", "2\n"), ("b", "1\n")))).ShouldBe("conflict: a");

    [Fact]
    public async Task Deleted_against_another_mode_is_deleted() =>
        (await Merge(Files(("a", "1\n"), ("b", "1\n")), Files(("b", "1\n")), new(Files(("b", "1\n"))) { ["a"] = new(GitFile.Executable, "1\n"u8.ToArray()) })).ShouldBe("b=1|");

    [Fact]
    public async Task A_new_mode_here_and_new_lines_there_are_joined() =>
        (await Merge(Files(("a", "1\n")), new() { ["a"] = new(GitFile.Executable, "1\n"u8.ToArray()) }, Files(("a", "1\n2\n")))).ShouldBe("a*=1|2|");

    [Fact]
    public async Task One_new_file_with_two_modes_conflicts() =>
        (await Merge([], new() { ["a"] = new(GitFile.Executable, "1\n"u8.ToArray()) }, Files(("a", "1\n")))).ShouldBe("conflict: a");

    [Fact]
    public async Task Different_new_files_of_one_name_are_merged_with_an_empty_base() =>
        (await Merge([], Files(("a", "1\n2\n")), Files(("a", "1\n")))).ShouldBe("conflict: a");

    [Fact]
    public async Task A_file_where_the_other_side_changed_the_folder_conflicts() =>
        (await Merge(Files(("d/a", "1\n"), ("d/b", "1\n")), Files(("d", "file\n")), Files(("d/a", "1\n")))).ShouldBe("conflict: d");

    [Fact]
    public async Task A_file_where_the_other_side_left_the_folder_alone_takes_its_place() =>
        (await Merge(Files(("d/a", "1\n")), Files(("d", "file\n")), Files(("d/a", "1\n"), ("x", "1\n")))).ShouldBe("d=file| x=1|");

    [Fact]
    public async Task A_file_where_the_other_side_deleted_the_folder_conflicts() =>
        (await Merge(Files(("d/a", "1\n"), ("x", "1\n")), Files(("d", "file\n"), ("x", "1\n")), Files(("x", "1\n")))).ShouldBe("conflict: d");

    [Fact]
    public async Task A_folder_where_the_other_side_deleted_the_file_stays() =>
        (await Merge(Files(("d", "1\n"), ("x", "1\n")), Files(("d/a", "1\n"), ("x", "1\n")), Files(("x", "1\n")))).ShouldBe("d/a=1| x=1|");

    [Fact]
    public async Task A_new_file_and_a_new_folder_of_one_name_conflict_though_others_sort_between_them() =>
        (await Merge(Files(("d.c", "1\n")), Files(("d", "file\n"), ("d.c", "1\n")), Files(("d.c", "1\n"), ("d/a", "1\n")))).ShouldBe("conflict: d");

    [Fact]
    public async Task Links_are_never_merged_by_content()
    {
        static Dictionary<string, GitFile> Link(string to) => new() { ["l"] = new(GitFile.Link, Encoding.UTF8.GetBytes(to)) };
        (await Merge(Link("a\nb\nc\nd"), Link("x\nb\nc\nd"), Link("a\nb\nc\ny"))).ShouldBe("conflict: l");
        (await Merge(Link("a"), Link("b"), Link("a").With("x", "1\n"))).ShouldBe("l->=b x=1|");
    }

    [Fact]
    public async Task Submodules_conflict_when_both_sides_moved_them()
    {
        static Dictionary<string, GitFile> At(char digit) => new() { ["s"] = new(GitFile.Submodule, Encoding.ASCII.GetBytes(new string(digit, 40))) };
        (await Merge(At('1'), At('2'), At('3'))).ShouldBe("conflict: s");
        (await Merge(At('1'), At('2'), At('1').With("x", "1\n"))).ShouldBe("s@=2222 x=1|");
    }

    [Fact]
    public async Task Binary_files_conflict_when_both_sides_changed_them()
    {
        static Dictionary<string, GitFile> One(GitFile file) => new() { ["b"] = file };
        (await Merge(One(Binary), One(Binary with { Content = [1, 0, 3] }), One(Binary with { Content = [1, 0, 4] }))).ShouldBe("conflict: b");
        // A carriage return without a line feed is binary to JGit.
        (await Merge(One(GitFile.Text("1\n2\n3\n")), One(GitFile.Text("x\n2\n3\n")), One(GitFile.Text("1\n2\ry\n")))).ShouldBe("conflict: b");
        (await Merge(One(GitFile.Text("1\r\n2\r\n3\r\n")), One(GitFile.Text("x\r\n2\r\n3\r\n")), One(GitFile.Text("1\r\n2\r\ny\r\n")))).ShouldBe("b=x\r|2\r|y\r|");
    }

    [Fact]
    public async Task Without_content_merge_a_file_that_both_changed_conflicts() =>
        (await Merge(Files(("a", "1\n2\n3\n")), Files(("a", "x\n2\n3\n")), Files(("a", "1\n2\ny\n")), content: false)).ShouldBe("conflict: a");

    [Fact]
    public async Task Without_content_merge_the_same_change_on_both_sides_is_one() =>
        (await Merge(Files(("a", "1\n"), ("b", "1\n")), Files(("a", "2\n"), ("b", "2\n")), Files(("a", "2\n"), ("b", "1\n")), content: false)).ShouldBe("a=2| b=2|");

    [Fact]
    public async Task Every_path_in_conflict_is_named_in_order() =>
        (await Merge(Files(("b", "1\n"), ("a/x", "1\n"), ("c", "1\n")), Files(("b", "2\n"), ("a/x", "2\n"), ("c", "1\n")), Files(("b", "3\n"), ("a/x", "3\n"), ("c", "1\n"))))
            .ShouldBe("conflict: a/x b");

    [Fact]
    public async Task A_criss_cross_with_an_agreed_past_merges()
    {
        using var three = await CrissCross(("1\n2\n3\n4\n5\n", "x\n2\n3\n4\n5\n", "1\n2\n3\n4\ny\n"), ("x\n2\n3\n4\ny\n", "x\n2\n3\n4\ny\n"));
        three.Merge().ShouldBe("a=x|2|3|4|y| ours=1| theirs=1|");
    }

    [Fact]
    public async Task A_criss_cross_whose_past_conflicted_takes_the_side_that_went_on()
    {
        // Both bases changed the line; one tip kept the left, the other decided anew: against the markers in the virtual base both changed it.
        using var three = await CrissCross(("1\n", "x\n", "y\n"), ("x\n", "z\n"));
        three.Merge().ShouldBe("conflict: a");
        using var same = await CrissCross(("1\n", "x\n", "y\n"), ("z\n", "z\n"));
        same.Merge().ShouldBe("a=z| ours=1| theirs=1|");
    }

    [Fact]
    public async Task Several_merge_bases_are_refused_without_content_merge()
    {
        using var three = await CrissCross(("1\n", "x\n", "1\n"), ("x\n", "x\n"));
        var result = SpeculativeMerge.Run(three.Repository, three.Ours, three.Theirs, new MergeSettings { UseContentMerge = false }, TestContext.Current.CancellationToken);
        result.ShouldBeOfType<MergeResult.Conflict>().Reason.ShouldContain("merge bases");
    }

    [Theory]
    [InlineData("x", "ours=1| theirs=1| x=1|")] // the file stayed in the virtual base, so its deletion is a change
    [InlineData("d-x", "d=file| d-x=1| ours=1| theirs=1|")] // something sorts between d and d/: it did not
    public async Task A_file_in_place_of_a_folder_that_went_elsewhere_is_in_a_virtual_base_or_not(string neighbour, string expected)
    {
        var (without, with) = (Files((neighbour, "1\n")), Files((neighbour, "1\n"), ("d", "file\n")));
        using var three = await CrissCross((Files((neighbour, "1\n"), ("d/a", "1\n")), without, with), (with, without));
        three.Merge().ShouldBe(expected);
    }

    private static Task<Three> CrissCross((string Root, string Left, string Right) past, (string Ours, string Theirs) tips) =>
        CrissCross((Files(("a", past.Root)), Files(("a", past.Left)), Files(("a", past.Right))), (Files(("a", tips.Ours)), Files(("a", tips.Theirs))));

    private static async Task<Three> CrissCross(
        (Dictionary<string, GitFile> Root, Dictionary<string, GitFile> Left, Dictionary<string, GitFile> Right) past, (Dictionary<string, GitFile> Ours, Dictionary<string, GitFile> Theirs) tips)
    {
        using var import = new GitFastImport();
        var root = import.Commit(new GitFastImportCommit("refs/heads/w", "root", 1000, []), past.Root);
        var left = import.Commit(new GitFastImportCommit("refs/heads/w", "left", 1001, [root]), past.Left);
        var right = import.Commit(new GitFastImportCommit("refs/heads/w", "right", 1002, [root]), past.Right);
        import.Reset("refs/heads/ours", import.Commit(new GitFastImportCommit("refs/heads/w", "ours", 1003, [left, right]), tips.Ours.With("ours", "1\n")));
        import.Reset("refs/heads/theirs", import.Commit(new GitFastImportCommit("refs/heads/w", "theirs", 1004, [right, left]), tips.Theirs.With("theirs", "1\n")));
        return await Make(import);
    }
}

internal static class FilesOfATree
{
    public static Dictionary<string, GitFile> With(this Dictionary<string, GitFile> files, string path, string text) =>
        new(files, StringComparer.Ordinal) { [path] = GitFile.Text(text) };
}
