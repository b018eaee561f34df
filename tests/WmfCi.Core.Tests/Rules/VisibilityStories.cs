using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Rules;

/// <summary>Changes that are private, closed, or gone.</summary>
public sealed class VisibilityStories
{
    [Fact]
    public void A_private_change_leaves_no_trace()
    {
        var story = new Story().Private().Push(1).Say(People.Alice, "recheck").Seen();
        story.All.ShouldBeEmpty();
        story.Lane.Change.ShouldBeNull();
        story.Lane.Runs.ShouldBeEmpty();
        story.Lane.Seen.ShouldBeEmpty();
    }

    [Fact]
    public void A_change_that_becomes_private_is_dropped_without_a_word()
    {
        var story = new Story().Push(1).Source().Private().Seen();
        story.Ended.ShouldBe(["1/commit/1"]);
        story.FreshReviews.ShouldBeEmpty();
        story.Lane.Change.ShouldBeNull();
        story.Deliver(new Event.StageFinished(new AttemptId(new RunId(1), "commit", 1), new StageOutcome { Kind = OutcomeKind.Failed })).Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_change_that_becomes_public_again_is_tested()
    {
        var story = new Story().Push(1).Source().Private().Seen().Private(false).Seen();
        story.Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
        story.Source().Succeeded("commit").Succeeded("acceptance").Result!.Message.Value.ShouldBe(1);
    }

    [Fact]
    public void A_change_that_was_private_for_a_while_keeps_the_result_that_it_had()
    {
        new Story().Green().Private().Seen().Private(false).Seen().Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_word_of_trust_outlives_the_time_in_which_the_change_was_abandoned()
    {
        var story = Story.OnASiteThatHoldsStrangers().Push(1, by: People.Stranger).Say(People.Bob, "recheck").Seen();
        story.Become(ChangeStatus.Abandoned).Seen().Become(ChangeStatus.Open).Seen();
        story.Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
        story.Run.Cause.By.ShouldBe(People.Bob);
    }

    [Fact]
    public void A_word_that_was_said_while_the_change_was_abandoned_counts_when_it_is_restored()
    {
        var story = Story.OnASiteThatHoldsStrangers().Push(1, by: People.Stranger).Become(ChangeStatus.Abandoned).Seen();
        story.Say(People.Bob, "recheck").Seen().Fresh.ShouldBeEmpty();
        story.Become(ChangeStatus.Open).Seen().Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
    }

    [Fact]
    public void A_late_reading_from_before_does_not_show_what_is_private_now()
    {
        var story = new Story().Upload(1);
        var before = story.Snapshot();
        story.Private().Seen().Deliver(before);
        story.All.ShouldBeEmpty();
        story.Lane.Change.ShouldBeNull();
    }

    [Fact]
    public void Of_two_readings_of_the_same_moment_the_private_one_counts()
    {
        var story = new Story().Upload(1);
        var open = story.Snapshot();
        var hidden = new Event.ChangeSeen(open.Change with { IsPrivate = true }, []);
        story.Deliver(hidden).Deliver(open).Lane.Change.ShouldBeNull();
        story.All.ShouldBeEmpty();
    }

    [Fact]
    public void A_late_private_reading_does_not_hide_what_is_public_now()
    {
        var story = new Story().Private().Upload(1);
        var before = story.Snapshot();
        story.Private(false).Seen().Deliver(before);
        story.Lane.ActiveRuns.ShouldHaveSingleItem();
    }

    [Fact]
    public void A_deleted_change_stops_without_a_word()
    {
        var story = new Story().Push(1).Source().Deliver(new Event.ChangeGone());
        story.Ended.ShouldBe(["1/commit/1"]);
        story.FreshReviews.ShouldBeEmpty();
        story.Lane.Change.ShouldBeNull();
    }

    [Fact]
    public void A_change_that_we_could_not_see_for_a_while_is_tested_when_we_can()
    {
        var story = new Story().Push(1).Source().Deliver(new Event.ChangeGone()).Seen();
        story.Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
    }

    [Theory]
    [InlineData(ChangeStatus.Abandoned)]
    [InlineData(ChangeStatus.Merged)]
    public void A_closed_change_stops_without_a_word(ChangeStatus status)
    {
        var story = new Story().Push(1).Source().Become(status).Seen();
        story.Ended.ShouldBe(["1/commit/1"]);
        story.FreshReviews.ShouldBeEmpty();
        story.Say(People.Alice, "recheck").Seen().Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_restored_change_is_tested_when_its_run_was_stopped()
    {
        var story = new Story().Push(1).Source().Become(ChangeStatus.Abandoned).Seen().Become(ChangeStatus.Open).Seen();
        story.Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
    }

    [Fact]
    public void A_restored_change_keeps_the_result_that_it_had()
    {
        new Story().Green().Become(ChangeStatus.Abandoned).Seen().Become(ChangeStatus.Open).Seen().Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_change_that_is_first_seen_closed_does_nothing_until_it_is_restored()
    {
        var story = new Story().Upload(1).Become(ChangeStatus.Abandoned).Seen();
        story.All.ShouldBeEmpty();
        story.Become(ChangeStatus.Open).Seen().Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
    }

    [Fact]
    public void A_held_patch_set_still_waits_after_it_was_restored()
    {
        var story = Story.OnASiteThatHoldsStrangers().Push(1, by: People.Stranger).Become(ChangeStatus.Abandoned).Seen().Become(ChangeStatus.Open).Seen();
        story.Fresh.ShouldBeEmpty();
        story.VoteFor(People.Bob, 1).Seen().Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
    }
}
