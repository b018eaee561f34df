using System.Text;

namespace WmfCi.Config.Tests;

public sealed class ValidationReportTests
{
    [Fact]
    public void A_mistake_is_shown_with_its_line_and_a_caret() => Of("image: host\ncommit:\n  steps: make\n  timeout: 5\n").ShouldBe(
    [
        "f.yaml:4:12: `timeout` is a number without a unit. Write `5m` for minutes or `5s` for seconds.",
        "    4 |   timeout: 5",
        "      |            ^",
    ]);

    [Fact]
    public void A_long_line_is_cut_around_the_mistake()
    {
        var lines = Of("image: host\ncommit: {environment: {A: " + new string('x', 1_000) + "}, timeout: 5, steps: make, artifacts: " + new string(
            'y',
            200) + "}");
        lines.Count.ShouldBe(3);
        lines[1].Length.ShouldBeLessThan(140);
        lines[1][lines[2].IndexOf('^')].ShouldBe('5');
    }

    [Fact]
    public void Nothing_of_a_file_reaches_the_terminal_as_a_command()
    {
        var lines = Of("image: \"\u001b]0;x\u0007\u202e\"\ncommit: make\u009b31m\n");
        lines.ShouldNotBeEmpty();
        lines.ShouldAllBe(line => !line.Any(c => char.IsControl(c) || c == '\u202e'));
    }

    [Fact]
    public void A_mistake_in_a_tabbed_line_has_its_caret_below() =>
        Of("image: host\ncommit: make # \ttab\ntimeout:\t5\n")[1..].ShouldBe(["    3 | timeout: 5", "      |          ^"]);

    [Fact]
    public void A_valid_file_is_summed_up_by_its_stages() => Of("""
        image: host
        commit: [make, make test]
        acceptance: {steps: a, network: true, history: true, timeout: 1h30m}
        deployment: d
        stages:
          php: {image: "php:${php}", steps: p, matrix: {php: [8.1, 8.3]}, needs: [], voting: false}
        """).ShouldBe(
    [
        "f.yaml: valid, 4 stages in 5 cells",
        "  commit      at once, in host, 2 steps, at most 5m",
        "  acceptance  after commit, in host, 1 step, at most 1h30m, network, history",
        "  deployment  after acceptance, in host, 1 step, at most 30m",
        "              Deployment comes in a later version; the stage is checked, but does not run.",
        "  php         at once, in 2 images, 1 step, at most 30m, not voting",
        "              [php=8.1] in php:8.1",
        "              [php=8.3] in php:8.3",
    ]);

    [Fact]
    public void A_site_is_summed_up() =>
        Site("state: s\ndatabase: Host=x\ngerrit: {url: https://g/r, user: ci, password-file: p}\ntrust: {hold-strangers: true}").ShouldBe(
        [
            "/etc/site.yaml: valid, http://127.0.0.1:8080/ with https://g/r/ as ci",
            "  votes Verified +1 or -1 on *",
            "  strangers' first patch sets wait for a trusted person",
            "  2 stages at once, each 2GiB of memory and 4GiB of disk",
        ]);

    [Theory]
    [InlineData("database: Host=x;Password=hunter2")]
    [InlineData("password: hunter2")]
    [InlineData("database: postgres://wmfci:hunter2@x/y")]
    [InlineData("url: https://wmfci:hunter2@x/y")]
    public void A_secret_is_never_repeated(string line) => string.Concat(Site(line)).ShouldNotContain("hunter2");

    private static List<string> Of(string yaml) => [.. ValidationReport.OfPipeline("f.yaml", Encoding.UTF8.GetBytes(yaml)).Lines];

    private static List<string> Site(string yaml) => [.. ValidationReport.OfSite("/etc/site.yaml", Encoding.UTF8.GetBytes(yaml)).Lines];
}
