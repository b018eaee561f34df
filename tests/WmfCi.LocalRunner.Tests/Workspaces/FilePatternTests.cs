using WmfCi.Workspaces;

namespace WmfCi.LocalRunner.Tests.Workspaces;

public sealed class FilePatternTests
{
    [Theory]
    [InlineData("dist/**", "dist/a", true)]
    [InlineData("dist/**", "dist/a/b.c", true)]
    [InlineData("dist/**", "dist2/a", false)]
    [InlineData("dist", "dist/a/b", true)]
    [InlineData("dist/", "dist/a", true)]
    [InlineData("./dist", "dist/a", true)]
    [InlineData("*.xml", "a.xml", true)]
    [InlineData("*.xml", "b/a.xml", false)]
    [InlineData("*.xml", "a.xmlx", false)]
    [InlineData("**/*.xml", "a.xml", true)]
    [InlineData("**/*.xml", "b/c/a.xml", true)]
    [InlineData("a/**/z", "a/z", true)]
    [InlineData("a/**/z", "a/b/c/z", true)]
    [InlineData("a/**/**/z", "a/z", true)]
    [InlineData("**", "any/thing", true)]
    [InlineData("a?c", "abc", true)]
    [InlineData("a?c", "a/c", false)]
    [InlineData("a.c", "abc", false)]
    [InlineData("[a]+", "[a]+", true)]
    [InlineData("[a]+", "aa", false)]
    public void Patterns_mean_what_people_expect(string pattern, string path, bool isMeant) => FilePattern.TryParse(pattern)!.Matches(path).ShouldBe(isMeant);

    [Theory]
    [InlineData("")]
    [InlineData("/etc/passwd")]
    [InlineData("../a")]
    [InlineData("a/../../b")]
    [InlineData(".")]
    public void A_pattern_that_leads_out_of_the_workspace_is_none(string pattern) => FilePattern.TryParse(pattern).ShouldBeNull();

    [Theory]
    [InlineData("dist/**", "dist", true)]
    [InlineData("dist/**", "src", false)]
    [InlineData("a/b/c", "a/b", true)]
    [InlineData("a/b/c", "a/x", false)]
    [InlineData("**/x", "src", true)]
    [InlineData("**", ".git", false)]
    [InlineData(".git/config", ".git", true)]
    public void Folders_without_anything_meant_are_not_entered(string pattern, string folder, bool isEntered) =>
        FilePattern.TryParse(pattern)!.MayMatchIn(folder).ShouldBe(isEntered);
}
