using System.Text;
using WmfCi.Config.Pipelines;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Tests;

public sealed class PipelineFileTests
{
    [Fact]
    public void Two_lines_are_a_pipeline() => Expect.Valid("image: host\ncommit: make test\n").ShouldBe(new Pipeline(
    [
        new Stage { Name = "commit", Image = "host", Steps = [new Step("make test", "make test")], Timeout = TimeSpan.FromMinutes(5) },
    ]));

    [Fact]
    public void A_type_alone_is_a_pipeline()
    {
        var commit = Expect.Valid("type: go").Stages.ShouldHaveSingleItem();
        commit.Name.ShouldBe("commit");
        commit.Image.ShouldBe(BuildTypes.Find("go")!.Image);
        commit.Steps.ShouldBe(BuildTypes.Find("go")!.Steps);
        commit.HasNetwork.ShouldBeTrue();
    }

    [Fact]
    public void Every_type_gives_a_pipeline_that_stands_by_itself() =>
        BuildTypes.All.Select(type => Expect.Valid($"type: {type.Name}").Stages[0].Steps).ShouldBe(BuildTypes.All.Select(type => type.Steps));

    [Fact]
    public void What_a_file_says_itself_wins_over_its_type()
    {
        var commit = Expect.Valid("""
            type: python
            image: host
            commit:
              network: false
              reports: other.xml
              timeout: 7m
            """)["commit"];
        commit.Image.ShouldBe("host");
        commit.Steps.ShouldBe(BuildTypes.Find("python")!.Steps);
        commit.HasNetwork.ShouldBeFalse();
        commit.Reports.ShouldBe(["other.xml"]);
        commit.Timeout.ShouldBe(TimeSpan.FromMinutes(7));
    }

    [Fact]
    public void Own_steps_of_a_type_have_no_network_unless_they_ask() =>
        Expect.Valid("type: go\ncommit: go test ./...")["commit"].HasNetwork.ShouldBeFalse();

    [Fact]
    public void A_stage_has_every_setting_that_is_written()
    {
        var lint = Expect.Valid("""
            image: docker.io/library/debian:12
            timeout: 10m
            environment: {LANG: C.UTF-8, MODE: slow}
            commit: make
            stages:
              lint:
                image: host
                steps:
                  - name: look
                    run: |
                      ls
                      make lint
                  - make more
                  - make more
                environment: {MODE: yes, EMPTY: , NUMBER: 8.10}
                artifacts: [out/*.deb, "log/**"]
                reports: junit.xml
                timeout: 1h30m5s
                needs: []
                voting: false
                network: true
                history: true
            """)["lint"];
        lint.ShouldBe(new Stage
        {
            Name = "lint",
            Image = "host",
            Steps = [new Step("look", "ls\nmake lint\n"), new Step("make more", "make more"), new Step("make more (2)", "make more")],
            Environment = [new("LANG", "C.UTF-8"), new("MODE", "yes"), new("EMPTY", ""), new("NUMBER", "8.10")],
            Artifacts = ["out/*.deb", "log/**"],
            Reports = ["junit.xml"],
            Timeout = new TimeSpan(1, 30, 5),
            IsVoting = false,
            HasNetwork = true,
            HasHistory = true,
        });
    }

    [Fact]
    public void Stages_wait_for_commit_and_deployment_for_acceptance()
    {
        var pipeline = Expect.Valid("image: host\ndeployment: d\nstages: {lint: l, perf: {steps: p, needs: acceptance}}\nacceptance: a\ncommit: c");
        pipeline.Stages.Select(stage => (stage.Name, stage.Needs.SingleOrDefault())).ShouldBe(
            [("commit", null), ("lint", "commit"), ("acceptance", "commit"), ("deployment", "acceptance"), ("perf", "acceptance")], ignoreOrder: true);
        var names = pipeline.Stages.Select(stage => stage.Name).ToList();
        foreach (var stage in pipeline.Stages) stage.Needs.ShouldAllBe(need => names.IndexOf(need) < names.IndexOf(stage.Name));
    }

    [Fact]
    public void Deployment_waits_for_commit_where_there_is_no_acceptance() =>
        Expect.Valid("image: host\ncommit: c\ndeployment: d")["deployment"].Needs.ShouldBe(["commit"]);

    [Fact]
    public void Deployment_is_accepted_and_said_to_come_later()
    {
        var pipeline = Expect.Valid("image: host\ncommit: c\ndeployment: d");
        pipeline["deployment"].Unavailable.ShouldNotBeNull().ShouldContain("later version");
        pipeline["commit"].Unavailable.ShouldBeNull();
    }

    [Fact]
    public void The_three_known_stages_may_stand_under_stages_too() =>
        Expect.Valid("image: host\nstages: {commit: c, acceptance: a}").ShouldBe(Expect.Valid("image: host\ncommit: c\nacceptance: a"));

    [Fact]
    public void A_stage_is_a_command_or_a_list_or_a_map()
    {
        var expected = Expect.Valid("image: host\ncommit: make");
        Expect.Valid("image: host\ncommit: [make]").ShouldBe(expected);
        Expect.Valid("image: host\ncommit: {steps: make}").ShouldBe(expected);
        Expect.Valid("image: host\ncommit: {steps: [{run: make}]}").ShouldBe(expected);
    }

    [Fact]
    public void A_matrix_makes_cells_like_nested_loops_and_keeps_values_as_written()
    {
        var stages = Expect.Valid("""
            commit:
              image: docker.io/library/php:${php}-cli
              steps: ./test $db
              environment: {MODE: fast}
              matrix:
                php: [8.10, "8.2"]
                db: [mariadb, no]
            """).Stages;
        stages.Select(stage => stage.Id).ShouldBe(
            ["commit [php=8.10, db=mariadb]", "commit [php=8.10, db=no]", "commit [php=8.2, db=mariadb]", "commit [php=8.2, db=no]"]);
        stages[1].Image.ShouldBe("docker.io/library/php:8.10-cli");
        stages[1].Environment.ShouldBe([new("MODE", "fast"), new("php", "8.10"), new("db", "no")]);
    }

    [Fact]
    public void A_byte_order_mark_and_windows_line_ends_do_no_harm()
    {
        var bytes = Encoding.UTF8.GetBytes("\uFEFFimage: host\r\ncommit:\r\n  - make\r\n");
        PipelineFile.Read("f", bytes).ShouldBe(new PipelineReading.Valid(Expect.Valid("image: host\ncommit: make")));
    }

    [Fact]
    public void An_anchor_without_an_alias_does_no_harm() => Expect.Valid("image: host\ncommit: &c make").ShouldBe(Expect.Valid("image: host\ncommit: make"));

    [Fact]
    public void A_file_of_PipelineLib_gets_one_friendly_answer()
    {
        const string Blubber = """
            pipelines:
              test:
                blubberfile: &file blubber.yaml
                execution: [[a, b]]
                stages:
                  - name: test
                    build: *file
                    nonsense: !!x 1
            commit: 5
            """;
        Expect.Mistake(Blubber, (1, 1), "PipelineLib", "`commit: [npm ci, npm test]`");
    }

    [Fact]
    public void All_mistakes_are_told_at_once_by_line()
    {
        var mistakes = Expect.Mistakes("""
            imag: host
            commit:
              steps: [make]
              timeout: 5
            stages:
              Lint: make lint
              perf:
                steps: []
                needs: acceptence
            acceptance: {steps: [a], voting: yes}
            """);
        mistakes.Select(mistake => mistake.Line).ShouldBe([1, 4, 6, 8, 9, 10]);
    }

    [Fact]
    public void No_more_mistakes_are_told_than_the_limit() =>
        Expect.Mistakes("commit: c\n" + string.Concat(Enumerable.Range(0, 500).Select(i => $"key{i}: x\n"))).Count.ShouldBe(Yaml.YamlLimits.Mistakes);
}
