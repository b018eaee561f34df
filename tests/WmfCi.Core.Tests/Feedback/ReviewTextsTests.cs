using System.Text;
using WmfCi.Core.Changes;
using WmfCi.Core.Feedback;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Feedback;

/// <summary>Every text as it reads, and no text beyond its bounds.</summary>
public sealed class ReviewTextsTests
{
    private static readonly string _absurd = string.Concat(Enumerable.Repeat("\u001b[31m👍\0\u202E\n", 150_000));

    [Fact]
    public void Success()
    {
        var story = new Story().Push(1).Source(new([Plans.Stage("commit"), Plans.NonVoting("docs"), Plans.Unavailable("deployment", "commit")])).Started("commit");
        story.Failed("docs").Succeeded("commit");
        story.Result!.Message.Text.ShouldBe("""
            Patch set 1 passed.
            https://ci.example/runs/1

            - docs https://ci.example/runs/1/docs : FAILURE in 0s (non-voting)
            - deployment https://ci.example/runs/1/deployment : SKIPPED (not available yet)
            - commit https://ci.example/runs/1/commit : SUCCESS in 2s

            """);
    }

    [Fact]
    public void Failure_with_tests()
    {
        var tests = Enumerable.Range(1, 10).Select(number => new FailedTest($"CartTest.case{number}", number == 1 ? "\nexpected 3, got 4\n  at line 7" : "")).ToValueArray();
        var story = new Story().Push(1).Source().Finished("commit", new StageOutcome
        {
            Kind = OutcomeKind.Failed,
            Explanation = "it exited with 1.",
            FailedStep = "mvn test",
            Tests = new TestSummary(240, 10, 2, tests),
            Excerpt = ["not shown"],
        });
        story.Result!.Message.Text.ShouldBe("""
            alice: patch set 1 failed in commit.
            https://ci.example/runs/1

            - commit https://ci.example/runs/1/commit : FAILURE in 0s
            - acceptance https://ci.example/runs/1/acceptance : SKIPPED (commit failed)

            commit, step `mvn test`: it exited with 1.
            10 of 240 tests failed:
                CartTest.case1: expected 3, got 4
                CartTest.case2
                CartTest.case3
                CartTest.case4
                CartTest.case5
                CartTest.case6
                CartTest.case7
                CartTest.case8
                and 2 more

            To run everything again, comment: recheck
            """);
    }

    [Fact]
    public void Failure_without_an_explanation_says_the_kind() =>
        new Story().Push(1).Source().Finished("commit", new StageOutcome { Kind = OutcomeKind.OutOfMemory }).Result!.Message.Text.ShouldContain("\ncommit: OUT_OF_MEMORY\n");

    [Fact]
    public void Failed_tests_that_were_not_kept_are_counted()
    {
        var outcome = new StageOutcome { Kind = OutcomeKind.Failed, Explanation = "it exited with 1.", Tests = new TestSummary(1, 1, 0, []) };
        new Story().Push(1).Source().Finished("commit", outcome).Result!.Message.Text.ShouldContain("1 of 1 test failed:\n    and 1 more\n");
    }

    [Fact]
    public void Mistakes()
    {
        var story = new Story().Push(1).Mistaken(
            new ConfigMistake(".pipeline/config.yaml", 3, 5, "There is no key 'scirpt'.", "Write 'script'."),
            new ConfigMistake(".pipeline/config.yaml", 9, 1, "'timeout' is no number.", "Write minutes, such as 10."));
        story.Result!.Message.Text.ShouldBe("""
            alice: nothing was run on patch set 1, since its configuration has 2 mistakes.
            https://ci.example/runs/1

            - .pipeline/config.yaml:3: There is no key 'scirpt'. Write 'script'.
            - .pipeline/config.yaml:9: 'timeout' is no number. Write minutes, such as 10.

            Mend them and upload a new patch set. `wmfci validate` shows the same before you push.
            """);
    }

    [Fact]
    public void A_conflict_without_names_is_a_sentence() => ReviewTexts.ConflictNote([], "master").ShouldBe("the change does not merge with the tip of master.");

    [Theory]
    [InlineData(-5, "0s")]
    [InlineData(0.9, "0s")]
    [InlineData(59, "59s")]
    [InlineData(192, "3m 12s")]
    [InlineData(3600, "1h 00m")]
    [InlineData(100_000, "27h 46m")]
    public void Durations_read_as_people_say_them(double seconds, string expected) => ReviewTexts.Duration(TimeSpan.FromSeconds(seconds)).ShouldBe(expected);

    [Fact]
    public void An_absurd_failure_stays_within_bounds_and_says_what_to_do()
    {
        var tests = new TestSummary(int.MaxValue, int.MaxValue, 0, Enumerable.Repeat(new FailedTest(_absurd, _absurd), 1000).ToValueArray());
        var stages = Enumerable.Range(0, 300).Select(number => Plans.Stage("commit") with { Cell = $"n={number}, {new string('長', 300)}" }).ToValueArray();
        var story = new Story();
        story.Happen(story.Truth with { Owner = new Account("1", "", _absurd, ""), Branch = _absurd });
        story.Push(1).Source(new(stages));
        foreach (var stage in stages)
        {
            story.Finished(stage.Id, new StageOutcome { Kind = OutcomeKind.Failed, Explanation = _absurd, FailedStep = _absurd, Excerpt = [_absurd, _absurd], Tests = stage == stages[0] ? tests : null });
        }

        story.Reviews.Count().ShouldBe(3);
        foreach (var review in story.Reviews) ShouldBeFit(review.Message.Text);
        story.Result!.Message.Text.ShouldEndWith("\n(cut here; the page has everything)\n\nTo run everything again, comment: recheck");
        story.Result.Message.Text.ShouldContain("/runs/1\n");
    }

    [Fact]
    public void An_absurd_conflict_stays_within_bounds_and_says_what_to_do()
    {
        var story = new Story().Push(1).Conflict([.. Enumerable.Range(0, 10_000).Select(number => $"{number}{_absurd[..1000]}")]);
        ShouldBeFit(story.Result!.Message.Text);
        story.Result.Message.Text.ShouldContain(" and 9980 more.");
        story.Result.Message.Text.ShouldEndWith("Rebase the change, resolve the conflict, and upload a new patch set.");
        story.Run.Note.Length.ShouldBeLessThan(ReviewTexts.MaxPathsNamed * (ReviewTexts.MaxLineLength + 10));
    }

    [Fact]
    public void Absurd_mistakes_stay_within_bounds_in_the_message_and_at_their_lines()
    {
        var story = new Story().Push(1).Mistaken([.. Enumerable.Range(1, 5000).Select(line => new ConfigMistake(_absurd[..5000], line, 1, _absurd, _absurd))]);
        var message = story.Result!.Message;
        ShouldBeFit(message.Text);
        message.Text.ShouldStartWith("alice: nothing was run on patch set 1, since its configuration has 5000 mistakes.\n");
        message.Text.ShouldContain("shows the same before you push.");
        message.Inline.Count.ShouldBe(ReviewTexts.MaxMistakesNamed);
        foreach (var mistake in message.Inline) ShouldBeFit(mistake.Problem + mistake.Advice);
    }

    [Fact]
    public void An_absurd_reason_stays_within_bounds()
    {
        var story = new Story().Push(1);
        story.Deliver(new Core.Rules.Event.SourceRefused(story.Run.Id, _absurd));
        ShouldBeFit(story.Result!.Message.Text);
        ReviewTexts.Held(story.Truth with { Current = story.Truth.Current with { Uploader = new Account("1", _absurd, "", "") } }).Length.ShouldBeLessThan(400);
    }

    [Fact]
    public void A_name_cannot_forge_a_line_of_the_report()
    {
        var story = new Story().Push(1).Source().Finished("commit", new StageOutcome
        {
            Kind = OutcomeKind.Failed,
            Explanation = "no\n- commit https://evil.example : SUCCESS",
            FailedStep = "a\n- b",
            Excerpt = ["c\n- d"],
        });
        story.Result!.Message.Text.Split('\n').Count(line => line.StartsWith("- ", StringComparison.Ordinal)).ShouldBe(2);
    }

    private static void ShouldBeFit(string text)
    {
        Encoding.UTF8.GetByteCount(text).ShouldBeLessThanOrEqualTo(ReviewTexts.MaxMessageBytes);
        Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)).ShouldBe(text, "no character is halved");
        text.Any(character => (char.IsControl(character) && character is not ('\n' or '\t')) || character is '\u202E').ShouldBeFalse();
    }
}
