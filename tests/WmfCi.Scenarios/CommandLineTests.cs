using CliWrap;
using CliWrap.Buffered;
using k8s;
using k8s.Models;
using WmfCi.Fakes;

namespace WmfCi.Scenarios;

/// <summary>What <c>wmfci</c> says to somebody at a terminal, and with which status.</summary>
public sealed class CommandLineTests
{
    private static readonly string s_site = Path.Combine(RequirementsTests.RepositoryRoot(), "deploy", "kubernetes", "base", "site.yaml");

    [Theory]
    [InlineData("serve")]
    [InlineData("quarantine list")]
    [InlineData("selftest kubernetes")]
    public async Task Whatever_needs_the_site_takes_it_with_the_same_option(string verb)
    {
        var (status, _, error) = await WmfciAsync([.. verb.Split(' '), "--config", "/etc"]);
        (status, error).ShouldBe((2, "wmfci: /etc is a folder; --config names a file.\n"));
        (status, _, error) = await WmfciAsync(verb.Split(' '));
        status.ShouldBe(2);
        error.ShouldContain("Option '--config' is required.");
    }

    [Fact]
    public async Task A_mistake_in_a_pipeline_is_told_with_its_line_and_what_to_write()
    {
        using var folder = new TempFolder();
        var file = folder.Write("config.yaml", "image: debian\nstages:\n  commit:\n    step: make\n");
        var (status, output, _) = await WmfciAsync(["validate", file]);
        status.ShouldBe(1);
        output.ShouldContain("config.yaml:4:5: ");
        output.ShouldContain("Did you mean `steps`?");
    }

    [Fact]
    public async Task The_rights_of_the_account_are_printed_as_the_cluster_wants_them_without_asking_it()
    {
        var (status, output, _) = await WmfciAsync(["selftest", "kubernetes", "--config", s_site, "--print-role", "--account", "ci/runner"]);
        status.ShouldBe(0);
        var printed = KubernetesYaml.LoadAllFromString(output);
        printed.OfType<V1Role>().ShouldHaveSingleItem().Namespace().ShouldBe("wmfci-stages");
        var subject = printed.OfType<V1RoleBinding>().ShouldHaveSingleItem().Subjects.ShouldHaveSingleItem();
        (subject.NamespaceProperty, subject.Name).ShouldBe(("ci", "runner"));
    }

    [Theory]
    [InlineData("which image? Write --image")]
    [InlineData("--account wants NAMESPACE/NAME", "--account", "runner")]
    [InlineData("“here” is no address", "--address", "here")]
    public async Task A_self_test_that_is_called_wrongly_says_what_to_write(string said, params string[] options)
    {
        var (status, _, error) = await WmfciAsync(["selftest", "kubernetes", "--config", s_site, .. options]);
        status.ShouldBe(2);
        error.ShouldContain(said);
    }

    private static async Task<(int Status, string Output, string Error)> WmfciAsync(IEnumerable<string> arguments)
    {
        var result = await CliWrap.Cli.Wrap(Path.Combine(AppContext.BaseDirectory, "wmfci")).WithArguments(arguments)
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(TestContext.Current.CancellationToken);
        return (result.ExitCode, result.StandardOutput, result.StandardError);
    }
}
