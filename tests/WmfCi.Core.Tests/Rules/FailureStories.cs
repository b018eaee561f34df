using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Rules;

/// <summary>What becomes red, when it is told, and what is our own fault.</summary>
public sealed class FailureStories
{
    [Fact]
    public void A_failure_beside_others_is_told_at_once_and_the_others_go_on()
    {
        var story = new Story().Push(1).Source(Plans.WithLint).Failed("lint");
        story.Ended.ShouldBeEmpty();
        var message = story.FreshReviews.ShouldHaveSingleItem().Message;
        message.Kind.ShouldBe(MessageKind.Progress);
        message.Label.ShouldBeNull();
        message.CallAttention.ShouldBe([People.Alice.Id]);
        message.Text.ShouldBe("""
            alice: lint failed on patch set 1; 2 other stages go on.
            https://ci.example/runs/1/lint

            lint, step `make`: it exited with 1.
                no rule

            To run everything again, comment: recheck
            """);
        story.Succeeded("commit").Begun.ShouldBe(["1/acceptance/1"]);
    }

    [Fact]
    public void A_second_failure_waits_for_the_final_message()
    {
        var story = new Story().Push(1).Source(new([Plans.Stage("a"), Plans.Stage("b"), Plans.Stage("c")])).Failed("a").Failed("b");
        story.FreshReviews.ShouldBeEmpty();
        story.Succeeded("c");
        story.FreshReviews.ShouldHaveSingleItem().Message.Text.ShouldStartWith("alice: patch set 1 failed in a, b.\n");
    }

    [Fact]
    public void A_failure_that_ends_the_run_is_told_once_in_the_final_message()
    {
        var story = new Story().Push(1).Source().Failed("commit");
        story.FreshReviews.Select(review => review.Name).ShouldBe(["1/result"]);
        var message = story.Result!.Message;
        (message.Label, message.Value).ShouldBe(("Verified", -1));
        message.CallAttention.ShouldBe([People.Alice.Id]);
        message.ReleaseAttention.ShouldBe([People.Bob.Id, People.Carol.Id]);
    }

    [Fact]
    public void What_needs_a_failed_stage_is_skipped_with_the_reason_all_the_way_down()
    {
        var story = new Story().Push(1).Source(new([Plans.Stage("commit"), Plans.Stage("acceptance", "commit"), Plans.Stage("capacity", "acceptance")])).Failed("commit");
        story.Run.Stages.Select(stage => stage.SkipReason).ShouldBe([null, "commit failed", "acceptance did not run"]);
        story.Run.Result.ShouldBe(RunResult.Failure);
    }

    [Fact]
    public void Every_cell_of_a_matrix_must_be_green_before_what_needs_it()
    {
        var php81 = Plans.Stage("commit") with { Cell = "php=8.1" };
        var php83 = Plans.Stage("commit") with { Cell = "php=8.3" };
        var story = new Story().Push(1).Source(new([php81, php83, Plans.Stage("acceptance", "commit")]));
        story.Begun.ShouldBe(["1/commit [php=8.1]/1", "1/commit [php=8.3]/1"]);
        story.Succeeded("commit [php=8.1]").Begun.ShouldBeEmpty();
        story.Succeeded("commit [php=8.3]").Begun.ShouldBe(["1/acceptance/1"]);
    }

    [Fact]
    public void A_stage_without_a_vote_may_fail_quietly()
    {
        var story = new Story().Push(1).Source(new([Plans.Stage("commit"), Plans.NonVoting("docs")])).Failed("docs");
        story.FreshReviews.ShouldBeEmpty();
        story.Succeeded("commit").Result!.Message.Value.ShouldBe(1);
        story.Result!.Message.Text.ShouldContain(" : FAILURE in 0s (non-voting)\n");
    }

    [Fact]
    public void A_voting_stage_that_waited_for_one_without_a_vote_in_vain_is_not_green()
    {
        var story = new Story().Push(1).Source(new([Plans.Stage("commit"), Plans.NonVoting("images"), Plans.Stage("acceptance", "images")])).Failed("images").Succeeded("commit");
        story.Run.Result.ShouldBe(RunResult.Failure);
        story.Result!.Message.Value.ShouldBe(-1);
        story.Result.Message.Text.ShouldStartWith("alice: patch set 1 failed in images, which other stages need.\n");
    }

    [Fact]
    public void A_stage_that_we_lost_gets_new_attempts_and_nobody_is_bothered()
    {
        var story = new Story().Push(1).Source().Lost("commit");
        story.Begun.ShouldBe(["1/commit/2"]);
        story.Lost("commit", "Its node is lost.").Begun.ShouldBe(["1/commit/3"]);
        story.FreshReviews.ShouldBeEmpty();
        story.Succeeded("commit").Begun.ShouldBe(["1/acceptance/1"]);
        story.Succeeded("acceptance").Result!.Message.Text.ShouldContain("- commit https://ci.example/runs/1/commit : SUCCESS in 0s (attempt 3; before: the worker vanished. Its node is lost.)\n");
    }

    [Fact]
    public void When_all_attempts_are_lost_the_cause_is_named_and_there_is_no_vote()
    {
        var story = new Story().Push(1).Source().Lost("commit").Lost("commit").Lost("commit", "the disk of worker 7 died.");
        story.Run.Result.ShouldBe(RunResult.InfrastructureFailure);
        story.Result!.Message.Label.ShouldBeNull();
        story.Result.Message.Text.ShouldBe("""
            alice: the CI itself failed on patch set 1, after retries; the change is not to blame.
            https://ci.example/runs/1

            - commit https://ci.example/runs/1/commit : CI_ERROR in 0s (attempt 3; before: the worker vanished.)
            - acceptance https://ci.example/runs/1/acceptance : SKIPPED (commit failed)

            commit: the disk of worker 7 died.

            To try again, comment: recheck
            """);
    }

    [Fact]
    public void Our_own_failure_is_not_told_before_the_end_and_does_not_hide_the_authors()
    {
        var story = new Story().Push(1).Source(Plans.WithLint).Lost("lint").Lost("lint").Lost("lint");
        story.FreshReviews.ShouldBeEmpty();
        story.Failed("commit");
        story.Run.Result.ShouldBe(RunResult.Failure);
    }

    [Fact]
    public void A_stage_that_could_not_be_begun_counts_as_lost()
    {
        var story = new Story().Push(1).Source();
        var begin = story.Fresh.OfType<Effect.RunStage>().Single();
        story.Deliver(new Event.EffectGaveUp(begin, "no worker took it.")).Begun.ShouldBe(["1/commit/2"]);
        story.Deliver(new Event.EffectGaveUp(begin, "no worker took it.")).Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_stage_that_somebody_else_stopped_is_tried_again_and_never_counts_as_green()
    {
        var story = new Story().Push(1).Source().Failed("commit", OutcomeKind.Stopped);
        story.Begun.ShouldBe(["1/commit/2"]);
        story.Run.IsActive.ShouldBeTrue();
    }

    [Theory]
    [InlineData(OutcomeKind.Failed)]
    [InlineData(OutcomeKind.TimedOut)]
    [InlineData(OutcomeKind.OutOfMemory)]
    [InlineData(OutcomeKind.DiskFull)]
    [InlineData(OutcomeKind.Misconfigured)]
    public void The_authors_failures_get_no_new_attempt(OutcomeKind kind)
    {
        var story = new Story().Push(1).Source().Failed("commit", kind);
        story.Begun.ShouldBeEmpty();
        story.Run.Result.ShouldBe(RunResult.Failure);
    }

    [Fact]
    public void A_message_or_a_stop_that_could_not_be_delivered_changes_nothing()
    {
        var story = new Story().Push(1).Source();
        var before = story.Lane;
        story.Deliver(new Event.EffectGaveUp(story.Reviews.First(), "403")).Lane.ShouldBe(before);
        story.Deliver(new Event.EffectGaveUp(new Effect.StopStage(story.Newest("commit")), "503")).Lane.ShouldBe(before);
    }
}
