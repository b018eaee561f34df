using WmfCi.Config.Sites;
using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Policies;

namespace WmfCi.Config.Tests.Sites;

public sealed class SiteFileTests
{
    private const string Good = "state: s\ndatabase: Host=x\ngerrit: {url: https://g, user: u, password-file: p}\n";

    [Fact]
    public void Three_settings_are_a_site() => Valid("state: /s\ndatabase: Host=x\ngerrit: {url: https://g/r, user: u, password-file: /p}").ShouldBe(new Site
    {
        Url = new Uri("http://127.0.0.1:8080/"),
        Listen = new Uri("http://127.0.0.1:8080/"),
        State = "/s",
        Database = new DatabaseSettings("Host=x", null),
        Gerrit = new GerritSettings { Url = new Uri("https://g/r/"), User = "u", PasswordFile = "/p" },
    });

    [Fact]
    public void A_site_has_every_setting_that_is_written() => Valid("""
        url: https://ci.example.org/wmfci
        listen: http://0.0.0.0:9000
        state: state
        database-file: ../secrets/database
        gerrit:
          url: https://gerrit.example.org/r/
          user: wmfci
          password-file: ~/password
          ssh: {host: ssh.example.org, port: 22, key-file: key, known-hosts-file: known_hosts}
          label: Tested
          pass: 2
          fail: -2
        trust: {hold-strangers: true, accounts: alice, emails: ["*@wikimedia.org"], groups: [Developers, "Release Engineering"]}
        projects: [mediawiki/*, -mediawiki/vendor]
        runner: {kind: local, slots: 8, memory: 512MiB, disk: 1TiB, processes: 99, log: 5MiB, artifacts: 3GiB, artifact-files: 7}
        polling: {every: 5m, overlap: 1m30s}
        """).ShouldBe(new Site
    {
        Url = new Uri("https://ci.example.org/wmfci/"),
        Listen = new Uri("http://0.0.0.0:9000"),
        State = "/etc/wmfci/state",
        Database = new DatabaseSettings(null, "/etc/secrets/database"),
        Gerrit = new GerritSettings
        {
            Url = new Uri("https://gerrit.example.org/r/"),
            User = "wmfci",
            PasswordFile = "/etc/wmfci/~/password",
            Ssh = new GerritSshSettings("ssh.example.org", 22, "/etc/wmfci/key", "/etc/wmfci/known_hosts"),
            Label = "Tested",
            Pass = 2,
            Fail = -2,
        },
        Trust = new TrustSettings { HoldsStrangers = true, Accounts = ["alice"], Emails = ["*@wikimedia.org"], Groups = ["Developers", "Release Engineering"] },
        Projects = new ProjectFilter(["mediawiki/*", "-mediawiki/vendor"]),
        Runner = new RunnerSettings
        {
            Slots = 8,
            Memory = 512L << 20,
            Disk = 1L << 40,
            Processes = 99,
            Log = 5L << 20,
            Artifacts = 3L << 30,
            ArtifactFiles = 7,
        },
        Polling = new PollingSettings { Every = TimeSpan.FromMinutes(5), Overlap = TimeSpan.FromSeconds(90) },
    });

    [Fact]
    public void The_event_stream_is_at_Gerrit_itself_by_default() =>
        Valid(Good.Replace("password-file: p", "password-file: p, ssh: {key-file: /k, known-hosts-file: /h}")).Gerrit.Ssh.ShouldBe(new GerritSshSettings(
            "g",
            29418,
            "/k",
            "/h"));

    [Theory]
    [InlineData("password: hunter2", "`password` is no key", "`password-file:`")]
    [InlineData("gerrit: {url: https://g, user: u, password-file: p, password: x}", "`password` is no key of `gerrit`", "`password-file:`")]
    [InlineData("gerrit: {url: https://g, user: u}", "`gerrit` lacks `password-file`", "password-file: /etc/")]
    [InlineData("gerrit: {url: https://g, usr: u, password-file: p}", "`usr` is no key", "`user`")]
    [InlineData("gerrit: {url: g, user: u, password-file: p}", "`url` must be an address of the web", "https://")]
    [InlineData("gerrit: {url: https://u:p@g, user: u, password-file: p}", "name or password in it", "Remove")]
    [InlineData("gerrit: {url: https://g, user: u, password-file: p, pass: -1}", "`fail` must be less than `pass`", "pass: 1")]
    [InlineData("gerrit: {url: https://g, user: u, password-file: p, pass: 11}", "whole number from -10 to 10", "pass: 1")]
    [InlineData("gerrit: {url: https://g, user: -oProxyCommand=x, password-file: p}", "`user` cannot be", "user: wmfci")]
    [InlineData(
        "gerrit: {url: https://g, user: u, password-file: p, ssh: {host: -oProxyCommand=x, key-file: k, known-hosts-file: h}}",
        "name or address of a machine",
        "host: ")]
    [InlineData("gerrit: {url: https://g, user: u, password-file: p, ssh: {key-file: k}}", "`ssh` lacks `known-hosts-file`", "known-hosts-file: ")]
    [InlineData("database: Host=x;Password=y", "has a password in it", "`database-file:`")]
    [InlineData("database-file: x", "Both `database` and `database-file`", "Keep one")]
    [InlineData("listen: https://x", "must begin with `http://`", "proxy")]
    [InlineData("listen: http://x/y", "must end after the port", "`http://x`")]
    [InlineData("listen: 8080", "must be an address of the web", "http://127.0.0.1:8080")]
    [InlineData("projects: [-a]", "only excludes", "\"*\"")]
    [InlineData("projects: []", "`projects` is empty", "projects: ")]
    [InlineData("projects: [*]", "", "quotes")]
    [InlineData("runner: {memory: 2G}", "`memory` must be a size, not `2G`", "`512MiB` or `2GiB`")]
    [InlineData("runner: {memory: 1KiB}", "is smaller than 1MiB", "`1MiB` or more")]
    [InlineData("runner: {disk: 1000000TiB}", "is larger than 16TiB", "or less")]
    [InlineData("runner: {kind: docker}", "`kind` cannot be `docker`", "`local` and `kubernetes`")]
    [InlineData("runner: {slots: 0}", "whole number from 1 to 256", "slots: 4")]
    [InlineData("polling: {every: 60}", "without a unit", "`60s`")]
    [InlineData("trust: {hold-strangers: yes}", "`true` or `false`", "Write `true`")]
    public void A_mistake_is_told_with_advice(string line, string problem, string advice)
    {
        var key = line.Split(':')[0];
        var lines = Good.Split(
            '\n',
            StringSplitOptions.RemoveEmptyEntries).Where(good => !good.StartsWith(key + ":", StringComparison.Ordinal)).Append(line).ToList();
        var mistake = Mistakes(string.Join('\n', lines)).ShouldHaveSingleItem();
        mistake.Problem.ShouldContain(problem);
        mistake.Advice.ShouldContain(advice);
        mistake.Line.ShouldBe(lines.Count);
    }

    [Fact]
    public void An_empty_site_is_told_all_that_it_lacks() =>
        Mistakes("url: https://x").Select(mistake => mistake.Problem).ShouldBe(
            ["The file lacks `state`.", "The file lacks `gerrit`.", "The file lacks `database`."],
            ignoreOrder: true);

    [Theory]
    [InlineData("mediawiki/core", true)]
    [InlineData("mediawiki/extensions/Cite", true)]
    [InlineData("mediawiki/vendor", false)]
    [InlineData("mediawiki", false)]
    [InlineData("operations/puppet", false)]
    public void A_project_is_served_when_a_pattern_takes_it_and_none_excludes_it(string project, bool served) =>
        new ProjectFilter(["mediawiki/*", "-mediawiki/vendor"]).Serves(project).ShouldBe(served);

    [Theory]
    [InlineData("*", "", true)]
    [InlineData("**", "a", true)]
    [InlineData("a*b*c", "a-b-b-c", true)]
    [InlineData("a*b*c", "a-b-b", false)]
    [InlineData("", "", true)]
    [InlineData("", "a", false)]
    [InlineData("a.c", "abc", false)]
    public void A_star_stands_for_anything(string pattern, string text, bool matches) => Glob.Matches(pattern, text).ShouldBe(matches);

    [Fact]
    public void A_hostile_pattern_costs_no_more_than_pattern_times_text() =>
        Glob.Matches(string.Concat(Enumerable.Repeat("a*", 500)) + "b", new string('a', 1_000)).ShouldBeFalse();

    private static Site Valid(string yaml) => SiteFile.Read("/etc/wmfci/site.yaml", yaml) switch
    {
        SiteReading.Valid valid => valid.Site,
        SiteReading.Invalid invalid => throw new ShouldAssertException(string.Join('\n', invalid.Mistakes)),
        _ => throw new InvalidOperationException(),
    };

    private static ValueArray<ConfigMistake> Mistakes(string yaml) => SiteFile.Read("/etc/site.yaml", yaml).ShouldBeOfType<SiteReading.Invalid>().Mistakes;
}
