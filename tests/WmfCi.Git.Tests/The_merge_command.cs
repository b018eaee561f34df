using static WmfCi.Git.Tests.Three;

namespace WmfCi.Git.Tests;

public sealed class The_merge_command
{
    [Fact]
    public async Task Answers_a_pair_with_a_tree_or_the_paths_in_conflict()
    {
        using var three = await Make(Files(("a", "1\n")), Files(("a", "1\n"), ("b", "1\n")), Files(("a", "2\n")));
        (await Run(three.Path, (three.Ours, three.Theirs))).ShouldMatch("^0: tree [0-9a-f]{40}\n$");
        (await Run(three.Path, ("ours", "refs/heads/theirs"))).ShouldMatch("^0: tree [0-9a-f]{40}\n$");
        using var odd = await Make(Files(("a b", "1\n"), ("é\"", "1\n"), ("x", "1\n")), Files(("a b", "2\n"), ("é\"", "2\n"), ("x", "2\n")), Files(("a b", "3\n"), ("é\"", "3\n"), ("x", "3\n")));
        (await Run(odd.Path, (odd.Ours, odd.Theirs))).ShouldBe("1: conflict \"a b\" x \"\\303\\251\\\"\"\n");
    }

    [Fact]
    public async Task Reads_pairs_and_answers_a_line_each_also_after_an_error()
    {
        using var three = await Make(Files(("a", "1\n")), Files(("a", "2\n")), Files(("a", "3\n")));
        var answers = await Run(three.Path, null, $"{three.Ours} {three.Theirs}\n\nnonsense\n{new string('0', 40)} {three.Ours}\n--help x\n{three.Ours}\t{three.Ours}\n");
        var lines = answers.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        lines.Length.ShouldBe(5);
        lines[0].ShouldBe("2: conflict a");
        lines[1].ShouldStartWith("error give two commits");
        lines[2].ShouldStartWith("error Commit 0000");
        lines[3].ShouldStartWith("error ");
        lines[4].ShouldStartWith("tree ");
    }

    [Fact]
    public async Task Says_what_is_no_repository()
    {
        using var folder = new TemporaryFolder();
        (await Run(folder.Path, ("a", "b"))).ShouldStartWith("2: error '" + folder.Path + "' is not a git repository");
    }

    private static async Task<string> Run(string gitDirectory, (string Ours, string Theirs)? pair, string input = "")
    {
        using var output = new StringWriter { NewLine = "\n" };
        var status = await new MergeCommand(MergeSettings.Default).Run(gitDirectory, pair, new StringReader(input), output, TestContext.Current.CancellationToken);
        return $"{status}: {output}";
    }
}
