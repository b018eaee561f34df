using System.Text;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Tests;

/// <summary>Files that were made to cost time or memory, or to be taken for something else. Each is refused with a mistake that names the reason.</summary>
public sealed class HostileFileTests
{
    private const string Good = "image: host\ncommit: make\n";

    /// <summary>Name, file, and a word of the mistake.</summary>
    public static TheoryData<string, string, string> Bombs => new()
    {
        { "billion laughs", "a: &a [x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" + Good, "alias" },
        { "an alias to itself", "commit: &c [*c]\n", "alias" },
        { "a merge key", Good + "base: &b {x: 1}\nother: {<<: *b}\n", "alias" },
        { "a tag of an object", "commit: !!python/object/apply:os.system ['id']\nimage: host\n", "tag" },
        { "a tag of a class", "commit: !System.IO.FileInfo make\nimage: host\n", "tag" },
        { "a binary tag", "commit: !!binary bWFrZQ==\nimage: host\n", "tag" },
        { "deep brackets", "commit: " + new string('[', 100_000), "deep" },
        { "deep closed brackets", "commit: " + new string('[', 50_000) + new string(']', 50_000), "deep" },
        { "deep brackets on lines", "commit: " + string.Concat(Enumerable.Repeat("[\n ", 50_000)), "deep" },
        { "deep braces", "commit: " + string.Concat(Enumerable.Repeat("{a: ", 50_000)), "deep" },
        { "deep lists", string.Concat(Enumerable.Repeat("- ", 100_000)), "deep" },
        { "deep indentation", string.Concat(Enumerable.Range(0, 600).Select(i => new string(' ', i) + "a:\n")), "deep" },
        { "complex keys", string.Concat(Enumerable.Repeat("? ", 100_000)), "deep" },
        { "many values", "commit: [" + string.Concat(Enumerable.Repeat("a,", 100_000)) + "]", "10000 values" },
        { "many keys", string.Concat(Enumerable.Range(0, 20_000).Select(i => $"k{i}: 1\n")), "10000 values" },
        { "many unknown keys", string.Concat(Enumerable.Range(0, 4_900).Select(i => $"environmen{i}: 1\n")), "no key" },
        { "many anchors", "commit: [" + string.Concat(Enumerable.Range(0, 20_000).Select(i => $"&a{i} a,")) + "]", "10000 values" },
        { "a large file", Good + "#" + new string('x', YamlLimits.FileBytes), "larger than 256 KiB" },
        { "a large key", new string('k', 200_000) + ": 1", "YAML" },
        { "a large quoted key", "\"" + new string('k', 200_000) + "\": 1", "" },
        { "a large plain text", "commit:\n" + string.Concat(Enumerable.Repeat(" word\n", 40_000)) + "image: host", "longer than" },
        { "a large block", "image: host\ncommit: |\n" + string.Concat(Enumerable.Repeat(" word\n", 40_000)), "longer than" },
        { "blank lines in a text", "image: host\ncommit: \"" + new string('\n', 200_000) + "\"", "" },
        { "many comments and no value", string.Concat(Enumerable.Repeat("#\n", 100_000)), "empty" },
        { "many directives", string.Concat(Enumerable.Repeat("%X a\n", 50_000)), "" },
        { "many tag directives", string.Concat(Enumerable.Range(0, 10_000).Select(i => $"%TAG !a{i}! x\n")) + "---\n" + Good.Replace(
            "make",
            "!a1!x make"), "tag" },
        { "many documents", string.Concat(Enumerable.Repeat("---\na\n", 40_000)), "second document" },
        { "two documents", Good + "---\n" + Good, "second document" },
        { "matrix of 32⁵ cells", "image: host\ncommit: {steps: x, matrix: {" + string.Join(
            ", ",
            "abcde".Select(axis => $"{axis}: [{string.Join(',', Enumerable.Range(0, 32))}]")) + "}}", "33554432 cells" },
        { "many stages", Good + "stages: {" + string.Concat(Enumerable.Range(0, 3_000).Select(i => $"s{i}: x, ")) + "}", "more than 30" },
        { "many cells", Good + "stages: {" + string.Concat(Enumerable.Range(0, 29).Select(i => $"s{i}: {{steps: x, matrix: {{a: [1,2,3,4]}}}}, ")) + "}", "117 cells" },
        { "many steps", "image: host\ncommit: [" + string.Concat(Enumerable.Repeat("a,", 5_000)) + "]", "more than 50" },
        { "many variables", Good + "environment: {" + string.Concat(Enumerable.Range(0, 3_000).Select(i => $"V{i}: x, ")) + "}", "more than 100" },
        { "a number without end", Good + "timeout: " + new string('9', 100_000), "" },
        { "a NUL", Good + "\0", "NUL" },
        { "an escaped NUL", "image: host\ncommit: \"a\\0b\"", "NUL" },
        { "half a character", "image: host\ncommit: \"a\\ud800b\"", "surrogates" },
        { "a tab before a key", "image: host\ncommit:\n\tsteps: make", "tab" },
        { "a tab before an item", "image: host\ncommit:\n  steps:\n  \t- make", "tab" },
        { "only quotes", new string('"', 100_001), "" },
        { "only stars", new string('*', 100_000), "" },
        { "only percent signs", new string('%', 100_000), "" },
    };

    [Theory]
    [MemberData(nameof(Bombs))]
    public void A_hostile_file_is_refused_with_the_reason(string name, string file, string reason)
    {
        var invalid = PipelineFile.Read(name, file).ShouldBeOfType<PipelineReading.Invalid>();
        invalid.Mistakes.ShouldContain(mistake => mistake.Problem.Contains(reason));
        invalid.Mistakes.Count.ShouldBeLessThanOrEqualTo(YamlLimits.Mistakes);
        invalid.Mistakes.ShouldAllBe(mistake => mistake.Problem.Length < 500 && mistake.Advice.Length < 500);
    }

    [Theory]
    [MemberData(nameof(Bombs))]
    public void Its_report_is_short(string name, string file, string reason)
    {
        var report = ValidationReport.OfPipeline(name, Encoding.UTF8.GetBytes(file));
        report.IsValid.ShouldBeFalse(reason);
        report.Lines.Sum(line => line.Length).ShouldBeLessThan(50_000);
    }

    [Fact]
    public void Bytes_that_are_not_UTF8_are_refused_at_their_place()
    {
        byte[] bytes = [.. Encoding.UTF8.GetBytes("image: host\ncommit: ü"), 0xFC, .. "\n"u8];
        var mistake = PipelineFile.Read("f", bytes).ShouldBeOfType<PipelineReading.Invalid>().Mistakes.ShouldHaveSingleItem();
        mistake.ToString().ShouldStartWith("f:2:10: The file is not UTF-8 here.");
    }

    [Theory]
    [InlineData("utf-16")]
    [InlineData("utf-16BE")]
    public void UTF16_is_refused_by_name(string name)
    {
        var encoding = Encoding.GetEncoding(name);
        byte[] bytes = [.. encoding.GetPreamble(), .. encoding.GetBytes(Good)];
        PipelineFile.Read("f", bytes).ShouldBeOfType<PipelineReading.Invalid>().Mistakes.ShouldHaveSingleItem().Problem.ShouldContain("UTF-16");
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n# nothing\n")]
    [InlineData("---\n...\n")]
    [InlineData("~")]
    public void An_empty_file_is_refused(string file) => Expect.Mistake(file, (1, 1), "The file is empty", "Write");

    [Theory]
    [InlineData("image: host\ncommit: [make\nacceptance: x\n", "not closed", "Close it")]
    [InlineData("image: host\ncommit: \"make\n", "not YAML", "quotation mark")]
    [InlineData("image: host\n commit: make\n", "not YAML", "colon")]
    [InlineData("image: host\ncommit:\n  steps: make\n timeout: 5m\n", "not YAML", "indentation")]
    [InlineData("image: host\ncommit: @make\n", "not YAML", "quotes")]
    [InlineData("image: host\ncommit: [ -f x ] && make\n", "the line goes on", "whole command in quotes")]
    [InlineData("image: host\ncommit:\n- 'a' b\n", "the line goes on", "whole command in quotes")]
    [InlineData("image: host\ncommit: \"\\d+\"\n", "not YAML", "backslash")]
    public void Broken_YAML_is_explained(string file, string problem, string advice)
    {
        var mistake = Expect.Mistakes(file).ShouldHaveSingleItem();
        mistake.Problem.ShouldContain(problem);
        mistake.Advice.ShouldContain(advice, Case.Insensitive, mistake.ToString());
        mistake.Line.ShouldBeInRange(1, 4, mistake.ToString());
    }

    [Fact]
    public void Strange_line_ends_do_not_move_the_place_of_a_mistake() =>
        Expect.Mistake("image: host\r\ncommit: \"a\u2028 b\u0085 c\"\r\ntimeout: 5\r\n", (3, 10), "without a unit", "");

    [Theory]
    [InlineData("image: host\ncommit:\n\tsteps: make\n", 3, 1)]
    [InlineData("image: host\ncommit:\n\t- make\n", 3, 1)]
    [InlineData("image: host\ncommit:\n  steps:\n  \t- make\n", 4, 3)]
    public void A_tab_is_told_where_it_stands(string file, int line, int column) => Expect.Mistake(file, (line, column), "A tab stands where", "spaces only");

    [Fact]
    public void A_tab_within_a_command_is_the_commands_own() =>
        Expect.Valid("image: host\ncommit: |\n  cat <<E\n  \tx\n  E\n")["commit"].Steps[0].Script.ShouldBe("cat <<E\n\tx\nE\n");
}
