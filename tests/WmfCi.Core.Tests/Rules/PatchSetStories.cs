using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Rules;

/// <summary>New patch sets: what they stop, and what they inherit.</summary>
public sealed class PatchSetStories
{
    [Fact]
    public void A_new_patch_set_stops_the_old_run_and_nothing_is_said_about_it()
    {
        var story = new Story().Push(1).Source(Plans.WithLint).Started("commit").Push(2);
        story.Ended.ShouldBe(["1/commit/1", "1/lint/1"]);
        story.Fresh.OfType<Effect.PrepareSource>().ShouldHaveSingleItem().PatchSet.Number.ShouldBe(2);
        story.FreshReviews.ShouldBeEmpty();
        story.Lane.Find(new RunId(1))!.ShouldSatisfyAllConditions(
            run => run.Result.ShouldBe(RunResult.Stopped),
            run => run.Note.ShouldBe("Patch set 2 took its place."));
    }

    [Fact]
    public void What_a_stopped_run_still_reports_means_nothing()
    {
        var story = new Story().Push(1).Source().Push(2);
        var before = story.Lane;
        story.Deliver(new Event.StageFinished(new AttemptId(new RunId(1), "commit", 1), new StageOutcome { Kind = OutcomeKind.Failed }));
        story.Fresh.ShouldBeEmpty();
        story.Lane.ShouldBe(before);
    }

    [Fact]
    public void Another_message_for_the_same_files_keeps_the_result_without_a_second_test()
    {
        var story = new Story().Green().Push(2, PatchSetKind.NoCodeChange).Source();
        story.Begun.ShouldBeEmpty();
        var message = story.FreshReviews.ShouldHaveSingleItem().Message;
        message.Value.ShouldBe(1);
        message.Text.ShouldStartWith("Patch set 2 passed. Patch set 1 had the same files (run 1), so its result is kept.\n");
        message.Text.ShouldContain("- commit https://ci.example/runs/1/commit : SUCCESS");
        story.Run.CarriedFrom.ShouldBe(new RunId(1));
    }

    [Fact]
    public void A_red_result_is_kept_too()
    {
        var story = new Story().Push(1).Source().Failed("commit").Push(2, PatchSetKind.NoCodeChange).Source();
        story.FreshReviews.ShouldHaveSingleItem().Message.Value.ShouldBe(-1);
    }

    [Fact]
    public void The_result_is_kept_over_any_number_of_messages()
    {
        var story = new Story().Green();
        for (var number = 2; number <= 6; number++)
        {
            story.Push(number, PatchSetKind.NoCodeChange).Source();
            story.Begun.ShouldBeEmpty();
            story.Result!.PatchSet.ShouldBe(number);
            story.Run.CarriedFrom.ShouldBe(new RunId(1));
        }
    }

    [Fact]
    public void A_run_that_goes_on_becomes_the_run_of_the_new_message()
    {
        var story = new Story().Push(1).Source().Push(2, PatchSetKind.NoCodeChange);
        story.Ended.ShouldBeEmpty();
        story.Source().Fresh.ShouldBeEmpty();
        story.Succeeded("commit").Succeeded("acceptance");
        var result = story.FreshReviews.ShouldHaveSingleItem();
        (result.PatchSet, result.Message.Value).ShouldBe((2, 1));
    }

    [Fact]
    public void The_first_failure_is_told_on_the_patch_set_that_waits_for_it()
    {
        var story = new Story().Push(1).Source(Plans.WithLint).Push(2, PatchSetKind.NoCodeChange).Source(Plans.WithLint).Failed("lint");
        var review = story.FreshReviews.ShouldHaveSingleItem();
        review.PatchSet.ShouldBe(2);
        review.Message.Text.ShouldStartWith("alice: lint failed on patch set 2; 2 other stages go on.\nhttps://ci.example/runs/1/lint\n");
    }

    [Fact]
    public void Another_tree_inherits_nothing()
    {
        var story = new Story().Push(1).Source().Push(2, PatchSetKind.NoCodeChange).Source(tree: "tree-after-the-branch-moved");
        story.Ended.ShouldBe(["1/commit/1"]);
        story.Begun.ShouldBe(["2/commit/1".Replace("2/", story.Run.Id + "/", StringComparison.Ordinal)]);
    }

    [Fact]
    public void Another_pipeline_inherits_nothing()
    {
        var story = new Story().Green().Push(2, PatchSetKind.NoCodeChange).Source(Plans.WithLint);
        story.Begun.Count().ShouldBe(2);
    }

    [Fact]
    public void A_pipeline_that_sees_the_history_sees_the_message_and_runs_again()
    {
        var plan = new Core.Pipelines.Pipeline([Plans.Stage("commit") with { HasHistory = true }]);
        var story = new Story().Push(1).Source(plan).Failed("commit").Push(2, PatchSetKind.NoCodeChange).Source(plan);
        story.Begun.ShouldHaveSingleItem();
    }

    [Fact]
    public void A_rebase_that_gives_the_same_files_keeps_the_result_too()
    {
        new Story().Green().Push(2, PatchSetKind.TrivialRebase).Source().Begun.ShouldBeEmpty();
    }

    [Fact]
    public void A_recheck_never_inherits()
    {
        var story = new Story().Green().Say(People.Alice, "recheck").Seen().Source();
        story.Begun.ShouldHaveSingleItem();
    }

    [Fact]
    public void A_failure_of_ours_is_not_inherited()
    {
        var story = new Story().Push(1).Source().Lost("commit").Lost("commit").Lost("commit").Push(2, PatchSetKind.NoCodeChange).Source();
        story.Begun.ShouldHaveSingleItem();
    }

    [Fact]
    public void A_run_that_was_inherited_and_then_lost_says_so_on_the_heir()
    {
        var story = new Story().Push(1).Source().Push(2, PatchSetKind.NoCodeChange).Source().Lost("commit").Lost("commit").Lost("commit");
        story.FreshReviews.ShouldHaveSingleItem().PatchSet.ShouldBe(2);
        story.Run.Result.ShouldBe(RunResult.InfrastructureFailure);
        story.Result!.Message.Text.ShouldContain("the worker vanished.");
    }

    [Fact]
    public void The_old_source_may_arrive_after_the_new_message_and_stops_nothing()
    {
        var story = new Story().Push(1).Push(2, PatchSetKind.NoCodeChange);
        var (older, newer) = (story.Lane.Runs[0].Id, story.Lane.Runs[1].Id);
        story.Source(run: older).Lane.Find(newer)!.IsActive.ShouldBeTrue();
        story.Source(run: newer).Lane.Find(newer)!.CarriedFrom.ShouldBe(older);
        story.Succeeded("commit").Succeeded("acceptance").Result!.PatchSet.ShouldBe(2);
    }

    [Fact]
    public void A_conflict_of_the_old_patch_set_does_not_silence_the_new_one()
    {
        var story = new Story().Push(1).Push(2, PatchSetKind.NoCodeChange);
        story.Deliver(new Event.SourceConflicted(new RunId(1), ["a"])).FreshReviews.ShouldBeEmpty();
        story.Conflict("a").FreshReviews.ShouldHaveSingleItem().PatchSet.ShouldBe(2);
    }

    [Fact]
    public void The_new_source_may_arrive_first_and_takes_the_place_of_the_old_run()
    {
        var story = new Story().Push(1).Push(2, PatchSetKind.NoCodeChange).Source();
        story.Begun.ShouldHaveSingleItem();
        story.Lane.Find(new RunId(1))!.Result.ShouldBe(RunResult.Stopped);
        story.Source(run: new RunId(1)).Fresh.ShouldBeEmpty();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void An_heir_whose_source_cannot_be_had_leaves_no_run_behind(bool isRefused)
    {
        var story = new Story().Push(1).Source().Push(2, PatchSetKind.NoCodeChange);
        story.Deliver(isRefused ? new Event.SourceRefused(story.Run.Id, "It is too large.") : new Event.EffectGaveUp(story.Fresh[0], "Gerrit did not answer."));
        story.Lane.ActiveRuns.ShouldBeEmpty();
        story.Ended.ShouldBe(["1/commit/1"]);
        story.Result!.PatchSet.ShouldBe(2);
    }

    [Fact]
    public void A_trivial_rebase_is_a_new_patch_set()
    {
        new Story().Push(1).Source().Push(2, PatchSetKind.TrivialRebase).Ended.ShouldBe(["1/commit/1"]);
    }
}
