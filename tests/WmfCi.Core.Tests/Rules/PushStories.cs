using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Core.Tests.Bench;

namespace WmfCi.Core.Tests.Rules;

/// <summary>From a push to a result.</summary>
public sealed class PushStories
{
    [Fact]
    public void A_hint_makes_somebody_read_the_change_once_and_once_more_for_what_came_meanwhile()
    {
        var story = new Story().Deliver(new Event.ChangePoked("patchset-created"));
        story.Fresh.ShouldBe([new Effect.ReadChange(Story.Id, 1, Story.Installed)]);

        story.Deliver(new Event.ChangePoked("comment-added")).Fresh.ShouldBeEmpty();
        story.Deliver(new Event.ChangePoked("comment-added")).Fresh.ShouldBeEmpty();
        story.Seen().Fresh.OfType<Effect.ReadChange>().Single().Request.ShouldBe(4);
        story.Seen().Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_reading_that_failed_for_good_does_not_stop_the_next_one()
    {
        var story = new Story().Deliver(new Event.ChangePoked("patchset-created"));
        story.Deliver(new Event.EffectGaveUp(story.Fresh[0], "502")).Fresh.ShouldBeEmpty();
        story.Deliver(new Event.ChangePoked("comment-added")).Fresh.OfType<Effect.ReadChange>().ShouldHaveSingleItem();
    }

    [Fact]
    public void A_new_patch_set_is_merged_onto_its_branch()
    {
        var story = new Story().Push(1);
        story.Fresh.ShouldBe([new Effect.PrepareSource(new RunId(1), Story.Id, "master", story.Truth.Current)]);
    }

    [Fact]
    public void A_run_begins_with_one_message_and_the_stages_that_need_nothing()
    {
        var story = new Story().Push(1).Source(Plans.WithLint);
        story.Begun.ShouldBe(["1/commit/1", "1/lint/1"]);
        var start = story.FreshReviews.ShouldHaveSingleItem();
        start.Name.ShouldBe("1/start");
        start.Message.ShouldBe(new ReviewMessage(MessageKind.Start, "Testing patch set 1: commit, lint, acceptance.\nhttps://ci.example/runs/1")
        {
            ReleaseAttention = [People.Bob.Id, People.Carol.Id],
        });
    }

    [Fact]
    public void Acceptance_gets_the_artifacts_of_the_commit_stage()
    {
        var story = new Story().Push(1).Source().Succeeded("commit", artifacts: 3);
        var acceptance = story.Fresh.OfType<Effect.RunStage>().ShouldHaveSingleItem();
        acceptance.Inputs.ShouldBe([new AttemptId(new RunId(1), "commit", 1)]);
        acceptance.About.ShouldBe(new RunFacts(Story.Id, "master", 1, story.Truth.Current.Revision));
        story.FreshReviews.ShouldBeEmpty();
    }

    [Fact]
    public void When_everything_is_green_there_is_one_vote_and_the_reviewers_are_called()
    {
        var story = new Story().Green();
        var result = story.Result.ShouldNotBeNull();
        result.Name.ShouldBe("1/result");
        (result.Message.Label, result.Message.Value).ShouldBe(("Verified", 1));
        result.Message.CallAttention.ShouldBe([People.Bob.Id, People.Carol.Id]);
        story.Run.Result.ShouldBe(RunResult.Success);
        story.Reviews.Count().ShouldBe(2);
    }

    [Fact]
    public void A_change_in_progress_runs_and_votes_and_bothers_no_reviewer()
    {
        var story = new Story();
        story.Happen(story.Truth with { IsWorkInProgress = true });
        story.Green().Result!.Message.Value.ShouldBe(1);
        story.Reviews.ShouldAllBe(review => review.Message.CallAttention.IsEmpty);
    }

    [Fact]
    public void A_repository_that_asks_for_nothing_gets_nothing()
    {
        var story = new Story().Push(1).NothingConfigured();
        story.Run.Result.ShouldBe(RunResult.NothingToDo);
        story.Reviews.ShouldBeEmpty();
    }

    [Fact]
    public void A_pipeline_of_which_nothing_can_run_yet_gets_nothing()
    {
        var story = new Story().Push(1).Source(new([Plans.Unavailable("deployment"), Plans.Stage("smoke", "deployment")]));
        story.Run.Result.ShouldBe(RunResult.NothingToDo);
        story.Reviews.ShouldBeEmpty();
        story.Begun.ShouldBeEmpty();
    }

    [Fact]
    public void A_stage_that_is_not_available_yet_is_shown_and_harms_nothing()
    {
        var story = new Story().Push(1).Source(new([Plans.Stage("commit"), Plans.Unavailable("deployment", "commit"), Plans.Stage("smoke", "deployment")])).Succeeded("commit");
        story.Run.Result.ShouldBe(RunResult.Success);
        story.Result!.Message.Text.ShouldContain("- deployment https://ci.example/runs/1/deployment : SKIPPED (not available yet)\n");
        story.Result.Message.Text.ShouldContain("- smoke https://ci.example/runs/1/smoke : SKIPPED (deployment did not run)\n");
    }

    [Fact]
    public void A_conflict_names_the_files_and_costs_the_vote()
    {
        var story = new Story().Push(1).Conflict("a.txt", "b/c.txt");
        story.Run.Result.ShouldBe(RunResult.Conflict);
        var message = story.FreshReviews.ShouldHaveSingleItem().Message;
        message.Text.ShouldBe("alice: the change does not merge with the tip of master; in conflict: a.txt, b/c.txt.\nhttps://ci.example/runs/1\n\n"
            + "Rebase the change, resolve the conflict, and upload a new patch set.");
        message.Value.ShouldBe(-1);
        message.CallAttention.ShouldBe([People.Alice.Id]);
        message.ReleaseAttention.ShouldBe([People.Bob.Id, People.Carol.Id]);
    }

    [Fact]
    public void A_mistake_in_the_configuration_is_shown_at_its_line()
    {
        var mistake = new Pipelines.ConfigMistake(".pipeline/config.yaml", 3, 5, "There is no key 'scirpt'.", "Write 'script'.");
        var story = new Story().Push(1).Mistaken(mistake);
        var message = story.FreshReviews.ShouldHaveSingleItem().Message;
        message.Inline.ShouldBe([mistake]);
        message.Value.ShouldBe(-1);
        story.Run.Result.ShouldBe(RunResult.ConfigError);
        story.Begun.ShouldBeEmpty();
    }

    [Fact]
    public void A_source_that_cannot_be_tested_says_why()
    {
        var story = new Story().Push(1).Deliver(new Event.SourceRefused(new RunId(1), "It has more than 200000 files."));
        story.Result!.Message.Value.ShouldBe(-1);
        story.Result.Message.Text.ShouldBe("alice: patch set 1 cannot be tested. It has more than 200000 files.\nhttps://ci.example/runs/1");
    }

    [Fact]
    public void When_the_source_cannot_be_had_the_change_is_not_to_blame()
    {
        var story = new Story().Push(1);
        story.Deliver(new Event.EffectGaveUp(story.Fresh[0], "Gerrit did not answer."));
        story.Run.Result.ShouldBe(RunResult.InfrastructureFailure);
        story.Result!.Message.Label.ShouldBeNull();
        story.Result.Message.Text.ShouldStartWith("alice: the CI itself failed on patch set 1, after retries; the change is not to blame. Gerrit did not answer.\n");
    }

    [Fact]
    public void The_first_answer_about_the_source_counts()
    {
        var story = new Story().Push(1).Source();
        var (asked, before) = (story.All.OfType<Effect.PrepareSource>().Single(), story.Lane);
        story.Conflict("a").Lane.ShouldBe(before);
        story.Deliver(new Event.SourceRefused(asked.Run, "too large")).Lane.ShouldBe(before);
        story.Deliver(new Event.EffectGaveUp(asked, "no answer")).Lane.ShouldBe(before);
        story.Source(tree: "another").Lane.ShouldBe(before);
        story.Fresh.ShouldBeEmpty();
    }

    [Fact]
    public void A_patch_set_from_before_the_service_runs_only_when_asked_for()
    {
        var story = new Story();
        story.Happen(story.Truth with { Current = story.Truth.Current with { Created = Story.Installed - TimeSpan.FromDays(1) } });
        story.Seen().Fresh.ShouldBeEmpty();
        story.Say(People.Alice, "recheck").Seen().Fresh.ShouldHaveSingleItem().ShouldBeOfType<Effect.PrepareSource>();
    }

    [Fact]
    public void A_site_chooses_label_and_votes()
    {
        var story = new Story();
        story.Policy = story.Policy with { Label = "CI", Pass = 2, Fail = -2 };
        var message = story.Green().Result!.Message;
        (message.Label, message.Value).ShouldBe(("CI", 2));
        story.Push(2).Source(tree: "tree-2").Failed("commit");
        story.Result!.Message.Value.ShouldBe(-2);
    }

    [Fact]
    public void A_change_that_moved_to_another_branch_is_tested_there()
    {
        var story = new Story().Push(1).Source();
        story.Happen(story.Truth with { Branch = "REL1_45" }).Seen();
        story.Ended.ShouldBe(["1/commit/1"]);
        story.Fresh.OfType<Effect.PrepareSource>().ShouldHaveSingleItem().Branch.ShouldBe("REL1_45");
    }

    [Fact]
    public void Of_many_runs_the_last_ended_ones_are_remembered_here()
    {
        var story = new Story();
        for (var number = 1; number <= 5; number++) story.Green(number);
        story.Lane.Runs.Select(run => run.PatchSet.Number).ShouldBe([4, 5]);
        story.Lane.Runs.ShouldAllBe(run => run.Result == RunResult.Success);
        story.Truth.Status.ShouldBe(ChangeStatus.Open);
    }
}
