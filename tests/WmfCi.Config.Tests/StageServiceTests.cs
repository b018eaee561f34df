using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Tests;

/// <summary>What runs beside a stage, and on which worker the stage runs.</summary>
public sealed class StageServiceTests
{
    private const string Stage = "image: host\ncommit: make\nacceptance:\n  steps: ./try\n";

    [Fact]
    public void The_short_form_of_a_service_is_its_image() => Services("db: docker.io/library/mariadb:11").ShouldBe(
        [new StageService { Name = "db", Image = "docker.io/library/mariadb:11" }]);

    [Fact]
    public void The_long_form_says_when_it_is_ready_by_a_port() => Services("db: {image: mariadb, environment: {MARIADB_ROOT_PASSWORD: x}, ready: 3306, user: 999}").ShouldBe(
        [new StageService { Name = "db", Image = "mariadb", Environment = [new Variable("MARIADB_ROOT_PASSWORD", "x")], ReadyPort = 3306, User = 999 }]);

    [Fact]
    public void Or_by_a_command() => Services("db: {image: mariadb, ready: mariadb-admin ping}").ShouldBe(
        [new StageService { Name = "db", Image = "mariadb", ReadyCommand = "mariadb-admin ping" }]);

    [Fact]
    public void Services_stay_in_the_order_of_the_file() => Services("z: a, a: b, m: c").Select(service => service.Name).ShouldBe(["z", "a", "m"]);

    [Fact]
    public void An_axis_of_the_matrix_stands_in_the_image_of_a_service() =>
        Expect.Valid(Stage + "  matrix: {db: [\"10\", \"11\"]}\n  services: {sql: \"mariadb:${db}\", cache: {image: \"redis:7\"}}").Stages.Skip(1)
            .Select(stage => string.Join(' ', stage.Services.Select(service => service.Image)))
            .ShouldBe(["mariadb:10 redis:7", "mariadb:11 redis:7"]);

    [Fact]
    public void A_stage_without_them_has_none_and_takes_the_worker_that_the_site_chooses()
    {
        var stage = Expect.Valid(Stage).Stages[1];
        stage.Services.ShouldBeEmpty();
        stage.Worker.ShouldBeEmpty();
    }

    [Fact]
    public void A_stage_names_its_worker() => Expect.Valid(Stage + "  worker: large").Stages[1].Worker.ShouldBe("large");

    [Fact]
    public void The_commit_stage_may_name_its_worker_too() => Expect.Valid("image: host\ncommit: {steps: make, worker: large}").Stages[0].Worker.ShouldBe("large");

    [Fact]
    public void The_commit_stage_refuses_services_and_says_why() => Expect.Mistake(
        "image: host\ncommit:\n  steps: make\n  services:\n    db: mariadb\n    cache: redis\n",
        (5, 5), "answers within minutes, and proves the code alone", "`acceptance`");

    [Theory]
    [InlineData("services: [mariadb]", "`services` must be a map", "services: ")]
    [InlineData("services: mariadb", "`services` must be a map", "services: ")]
    [InlineData("services: {db: }", "The service `db` has no value", "services: ")]
    [InlineData("services: {db: {ready: 80}}", "The service `db` lacks `image`", "image: ")]
    [InlineData("services: {db: {img: x}}", "`img` is no key of the service `db`", "`image`")]
    [InlineData("services: {db: {image: x, ports: [80]}}", "`ports` is no key", "`ready`")]
    [InlineData("services: {db: host}", "cannot be `host`", "mariadb")]
    [InlineData("services: {db: \"x y\"}", "cannot be `x y`", "mariadb")]
    [InlineData("services: {db: \"mariadb:${v}\"}", "no such axis", "matrix")]
    [InlineData("services: {My_DB: x}", "must be a name of lower-case letters", "`my-db`")]
    [InlineData("services: {db.example.org: x}", "must be a name", "`db-example-org`")]
    [InlineData("services: {\"db\\n\": x}", "must be a name", "`db`")]
    [InlineData("services: {1: x}", "begins with a digit", "`db`")]
    [InlineData("services: {localhost: x}", "the stage's own machine", "`db`")]
    [InlineData("services: {ci: x}", "the stage's own machine", "`db`")]
    [InlineData("services: {db: x, db: y}", "twice", "")]
    [InlineData("services: {db: {image: x, ready: 0}}", "port from 1 to 65535", "3306")]
    [InlineData("services: {db: {image: x, ready: 65536}}", "port from 1 to 65535", "3306")]
    [InlineData("services: {db: {image: x, ready: 99999999999999999999}}", "port from 1 to 65535", "3306")]
    [InlineData("services: {db: {image: x, ready: \" \"}}", "empty command", "")]
    [InlineData("services: {db: {image: x, ready: [a]}}", "`ready` must be", "ready: 3306")]
    [InlineData("services: {db: {image: x, user: 0}}", "whole number from 1 to 65534", "user: 999")]
    [InlineData("services: {db: {image: x, user: root}}", "whole number from 1 to 65534", "user: 999")]
    [InlineData("services: {db: {image: x, user: 65535}}", "whole number from 1 to 65534", "user: 999")]
    [InlineData("services: {db: {image: x, environment: {WMFCI_RUN: 1}}}", "`WMFCI_`", "another name")]
    [InlineData("worker: Large", "must be a name", "`large`")]
    [InlineData("worker: [large]", "must be the name of a class", "worker: large")]
    [InlineData("worker:", "`worker` has no value", "worker: large")]
    public void A_mistake_is_told_with_advice(string line, string problem, string advice)
    {
        var mistake = Expect.Mistakes(Stage + "  " + line).ShouldHaveSingleItem();
        mistake.Problem.ShouldContain(problem);
        mistake.Advice.ShouldContain(advice);
        mistake.Line.ShouldBe(5);
    }

    [Fact]
    public void No_value_of_a_matrix_makes_a_service_of_the_worker() =>
        Expect.Mistakes(Stage + "  matrix: {x: [host, redis]}\n  services: {db: \"${x}\"}").ShouldHaveSingleItem().Problem.ShouldContain("would be `host`");

    [Fact]
    public void Ten_services_are_the_most()
    {
        static string Many(int count) => Stage + "  services: {" + string.Join(", ", Enumerable.Range(0, count).Select(i => $"s{i}: x")) + "}";
        Expect.Valid(Many(10)).Stages[1].Services.Count.ShouldBe(10);
        Expect.Mistakes(Many(11)).ShouldHaveSingleItem().Problem.ShouldContain("11 entries, more than 10");
    }

    private static ValueArray<StageService> Services(string written) => Expect.Valid(Stage + "  services: {" + written + "}").Stages[1].Services;
}
