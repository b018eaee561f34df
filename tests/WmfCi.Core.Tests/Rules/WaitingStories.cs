using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Rules;

/// <summary>What a stage waits for between being asked for and its first step.</summary>
public sealed class WaitingStories
{
    private const string Reason = "No node has 16 GiB of memory free.";

    [Fact]
    public void A_queued_stage_remembers_what_it_waits_for()
    {
        var story = new Story().Push(1).Source().Waits("commit", Reason);
        WaitsFor(story).ShouldBe(Reason);
        story.Run.FindStage("commit")!.Status.ShouldBe(StageStatus.Queued);
        story.Fresh.ShouldBeEmpty("nobody is told: the pages show it");
    }

    [Fact]
    public void The_newest_reason_counts() => WaitsFor(new Story().Push(1).Source().Waits("commit", Reason).Waits("commit", "The image is pulled.")).ShouldBe("The image is pulled.");

    [Fact]
    public void It_is_over_when_the_first_step_begins_and_a_late_word_changes_nothing()
    {
        var story = new Story().Push(1).Source().Waits("commit", Reason).Started("commit");
        WaitsFor(story).ShouldBeNull();
        WaitsFor(story.Waits("commit", Reason)).ShouldBeNull();
    }

    [Fact]
    public void It_is_over_when_the_attempt_ends_without_having_begun()
    {
        var story = new Story().Push(1).Source().Waits("commit", Reason).Failed("commit", OutcomeKind.Misconfigured);
        WaitsFor(story).ShouldBeNull();
        WaitsFor(story.Waits("commit", Reason)).ShouldBeNull();
    }

    [Fact]
    public void A_new_attempt_has_not_heard_what_the_last_one_waited_for()
    {
        var story = new Story().Push(1).Source().Waits("commit", Reason);
        var first = story.Newest("commit");
        story.Lost("commit");
        WaitsFor(story).ShouldBeNull();
        story.Deliver(new Event.StageWaiting(first, Reason));
        story.Run.FindStage("commit")!.Attempts.Select(attempt => attempt.WaitsFor).ShouldBe([null, null]);
    }

    [Fact]
    public void A_run_that_is_stopped_waits_for_nothing()
    {
        var story = new Story().Push(1).Source().Waits("commit", Reason).Push(2);
        story.Lane.Runs[0].FindStage("commit")!.Latest!.WaitsFor.ShouldBeNull();
    }

    [Fact]
    public void A_run_or_stage_that_is_not_there_is_passed_over()
    {
        var story = new Story().Push(1).Source();
        var before = story.Lane;
        story.Deliver(new Event.StageWaiting(new AttemptId(new RunId(99), "commit", 1), Reason)).Lane.ShouldBe(before);
        story.Deliver(new Event.StageWaiting(new AttemptId(story.Run.Id, "elsewhere", 1), Reason)).Lane.ShouldBe(before);
        story.Deliver(new Event.StageWaiting(new AttemptId(story.Run.Id, "acceptance", 1), Reason)).Lane.ShouldBe(before);
    }

    [Theory]
    [InlineData("0/3 nodes:\r\nfull", "0/3 nodes: full")]
    [InlineData("\u001b[31mred\u001b[0m \u202Eevil\0", "red \uFFFDevil\uFFFD")]
    [InlineData("", null)]
    [InlineData(" \n ", null)]
    public void A_reason_is_kept_as_a_line_of_plain_text(string told, string? kept) => WaitsFor(new Story().Push(1).Source().Waits("commit", told)).ShouldBe(kept);

    [Fact]
    public void A_long_reason_is_cut() =>
        WaitsFor(new Story().Push(1).Source().Waits("commit", new string('x', 100_000)))!.Length.ShouldBe(Attempt.MaxReasonLength + 1);

    private static string? WaitsFor(Story story) => story.Run.FindStage("commit")!.Latest!.WaitsFor;
}
