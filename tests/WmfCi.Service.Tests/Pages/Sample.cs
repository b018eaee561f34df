using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;

namespace WmfCi.Service.Tests.Pages;

/// <summary>Runs as the rules would leave them.</summary>
internal static class Sample
{
    public static readonly Account Alice = new("1000001", "alice", "Alice Liddell", "alice@example.org");

    public static readonly Account Bob = new("1000002", "bob", "Bob", "bob@example.org");

    public static readonly Pipeline Pipeline = new([
        Plan("commit"), Plan("docs") with { IsVoting = false }, Plan("acceptance", "commit"), Plan("performance", "acceptance"),
        Plan("deployment", "acceptance") with { Unavailable = "deployment is not yet available here" },
    ]);

    private static readonly DateTimeOffset s_began = PageHost.Now.AddMinutes(-7);

    public static Stage Plan(string name, params ReadOnlySpan<string> needs) =>
        new() { Name = name, Image = "docker-registry.example.org/dev/bookworm:1.0", Timeout = TimeSpan.FromMinutes(10), Needs = [.. needs], Steps = [new Step("make test", "make test")] };

    public static Run Run(long id, string subject = "Cache the parsed templates between requests") => new()
    {
        Id = new RunId(id),
        Change = new ChangeId("mediawiki/extensions/Cite", 1042),
        Branch = "master",
        PatchSet = new PatchSet(3, "9b1e0f4a6f1f1c2d3e4f5a6b7c8d9e0f1a2b3c4d", "refs/changes/42/1042/3", PatchSetKind.Rework, Alice, s_began.AddSeconds(-2)),
        Subject = subject,
        Cause = new RunCause(RunCauseKind.PatchSet, null),
        Created = s_began,
    };

    public static Run Prepared(long id, string subject = "Cache the parsed templates between requests") => Run(id, subject) with
    {
        Source = new Source(
            "51f1a0f4a6f1f1c2d3e4f5a6b7c8d9e0f1a2b3c4", "7c8d9e0f1a2b3c4d51f1a0f4a6f1f1c2d3e4f5a6", "e4f5a6b7c8d9e0f1a2b3c4d51f1a0f4a6f1f1c2d",
            "d2a84f4b8b650937ec8f73cd8be2c74add5a911ba64df27458ed8229da804a26", [new Submodule("vendor", "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567", "https://example.org/vendor.git")]),
        Pipeline = Pipeline,
        Stages = [Waiting("commit"), Waiting("docs"), Waiting("acceptance"), Waiting("performance"), new StageRun("deployment", [], "deployment is not yet available here")],
    };

    public static Run Passed(long id) => (Prepared(id) with { Result = RunResult.Success, Finished = s_began.AddSeconds(192) })
        .With(Done("commit", 64, tests: new TestSummary(412, 0, 6, []))).With(Done("docs", 11)).With(Done("acceptance", 118, tests: new TestSummary(57, 0, 0, []))).With(Done("performance", 30));

    public static Run Failed(long id, string test = "CiteTest::testReferencesAreNumberedInOrder", string message = "Failed asserting that '[2]' matches expected '[1]'.", string line = "FAILURES!") =>
        (Prepared(id) with { Result = RunResult.Failure, Finished = s_began.AddSeconds(101) })
        .With(Done("docs", 11))
        .With(new StageRun("commit", [
            new Attempt(1, s_began, s_began.AddSeconds(1), s_began.AddSeconds(14), new StageOutcome { Kind = OutcomeKind.InfrastructureFailed, Explanation = "The worker went away while the stage ran." }),
            new Attempt(2, s_began.AddSeconds(15), s_began.AddSeconds(16), s_began.AddSeconds(101), new StageOutcome
            {
                Kind = OutcomeKind.Failed, Explanation = "The step exited with 1.", FailedStep = "composer test", ExitCode = 1, ArtifactCount = 3,
                Excerpt = ["There were 2 failures:", "", "1) " + test, message, "", "\e[37;41mTests: 412, Assertions: 1893, Failures: 2.\e[0m", line],
                Tests = new TestSummary(412, 2, 6, [new FailedTest(test, message + "\ntests/phpunit/CiteTest.php:118"), new FailedTest("CiteTest::testEmptyGroupIsRefused", "Error: Call to a member function getName() on null")]),
            })], null))
        .With(new StageRun("acceptance", [], "commit failed")).With(new StageRun("performance", [], "acceptance did not run"));

    public static Run Running(long id) => Prepared(id).With(Done("commit", 64)).With(new StageRun("docs", [new Attempt(1, s_began)], null))
        .With(new StageRun("acceptance", [new Attempt(1, s_began.AddSeconds(65), s_began.AddSeconds(66))], null));

    public static Run WaitingFor(long id, string reason) => Running(id).With(new StageRun("docs", [new Attempt(1, s_began) { WaitsFor = reason }], null));

    public static Run Of(this Run run, string project, int number) => run with { Change = new ChangeId(project, number) };

    public static Run At(this Run run, TimeSpan ago) => run with { Created = PageHost.Now - ago, Finished = run.Finished is { } finished ? PageHost.Now - ago + (finished - run.Created) : null };

    public static StageRun Waiting(string stage) => new(stage, [], null);

    public static StageRun Done(string stage, int seconds, TestSummary? tests = null) => new(stage, [
        new Attempt(1, s_began, s_began.AddSeconds(1), s_began.AddSeconds(1 + seconds), new StageOutcome { Kind = OutcomeKind.Succeeded, Tests = tests, ArtifactCount = tests is null ? 0 : 2 })], null);
}
