using WmfCi.Core.Changes;
using WmfCi.Core.Runs;

namespace WmfCi.Storage.Tests.Pages;

public sealed class RunTableTests : DatabaseTest
{
    private static readonly RunId Newest = new(long.MaxValue);

    private RunTable Table => new(Source);

    [Fact]
    public async Task Runs_are_listed_newest_first_page_after_page()
    {
        await SaveAsync(7, "p", [.. Enumerable.Range(1, 5).Select(id => Samples.Run(id, RunResult.Success, project: "p"))]);
        await SaveAsync(8, "q", Samples.Run(6, RunResult.Failure, 8, "q"), Samples.Run(7, null, 8, "q"));

        Ids(await Table.RecentAsync(Newest, 3, Cancel)).ShouldBe([7, 6, 5]);
        Ids(await Table.RecentAsync(new RunId(5), 3, Cancel)).ShouldBe([4, 3, 2]);
        Ids(await Table.OfProjectAsync("p", Newest, 2, Cancel)).ShouldBe([5, 4]);
        Ids(await Table.OfProjectAsync("p", new RunId(4), 9, Cancel)).ShouldBe([3, 2, 1]);
        Ids(await Table.OfChangeAsync(new ChangeId("q", 8), 9, Cancel)).ShouldBe([7, 6]);
        Ids(await Table.ActiveAsync(9, Cancel)).ShouldBe([7]);
        (await Table.FindAsync(new RunId(6), Cancel)).ShouldBe(new StoredRun(Samples.Run(6, RunResult.Failure, 8, "q"), false));
        (await Table.FindAsync(new RunId(99), Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task A_run_is_shown_as_it_is_after_the_last_decision()
    {
        await SaveAsync(7, "p", Samples.Run(1, project: "p"));
        await SaveAsync(7, "p", Samples.Run(1, RunResult.Failure, project: "p"));

        Ids(await Table.ActiveAsync(9, Cancel)).ShouldBeEmpty();
        (await Table.FindAsync(new RunId(1), Cancel))!.Run.Result.ShouldBe(RunResult.Failure);
    }

    [Fact]
    public async Task Runs_that_the_lane_has_forgotten_stay_in_the_table()
    {
        await SaveAsync(7, "p", Samples.Run(1, RunResult.Success, project: "p"));
        await SaveAsync(7, "p", Samples.Run(2, RunResult.Success, project: "p"));

        Ids(await Table.OfChangeAsync(new ChangeId("p", 7), 9, Cancel)).ShouldBe([2, 1]);
    }

    [Fact]
    public async Task A_run_that_had_nothing_to_do_appears_nowhere()
    {
        await SaveAsync(7, "p", Samples.Run(1, RunResult.NothingToDo, project: "p"));
        await ShouldAppearNowhereAsync();
    }

    [Fact]
    public async Task The_runs_of_a_change_that_becomes_private_vanish_from_every_list_and_come_back_with_it()
    {
        await SaveAsync(7, "p", Samples.Run(1, RunResult.Success, project: "p"), Samples.Run(2, RunResult.NothingToDo, project: "p"), Samples.Run(3, project: "p"));

        await SaveAsync(7, "p", visible: false);
        await ShouldAppearNowhereAsync();
        await SaveAsync(7, "p", visible: false, Samples.Run(4, project: "p"));
        await ShouldAppearNowhereAsync();

        await SaveAsync(7, "p", visible: true);
        Ids(await Table.RecentAsync(Newest, 9, Cancel)).ShouldBe([4, 3, 1]);
    }

    [Fact]
    public async Task Hiding_one_change_hides_no_other()
    {
        await SaveAsync(7, "p", Samples.Run(1, project: "p"));
        await SaveAsync(8, "p", Samples.Run(2, number: 8, project: "p"));
        await SaveAsync(7, "q", Samples.Run(3, project: "q"));

        await SaveAsync(7, "p", visible: false);

        Ids(await Table.RecentAsync(Newest, 9, Cancel)).ShouldBe([3, 2]);
    }

    private static long[] Ids(IEnumerable<StoredRun> runs) => [.. runs.Select(run => run.Run.Id.Value)];

    private async Task ShouldAppearNowhereAsync()
    {
        (await Table.RecentAsync(Newest, 9, Cancel)).ShouldBeEmpty();
        (await Table.ActiveAsync(9, Cancel)).ShouldBeEmpty();
        (await Table.OfProjectAsync("p", Newest, 9, Cancel)).ShouldBeEmpty();
        (await Table.OfChangeAsync(new ChangeId("p", 7), 9, Cancel)).ShouldBeEmpty();
        (await Table.FindAsync(new RunId(1), Cancel))!.IsHidden.ShouldBeTrue();
    }

    private Task SaveAsync(int number, string project, params Run[] runs) => SaveAsync(number, project, visible: true, runs);

    private async Task SaveAsync(int number, string project, bool visible, params Run[] runs)
    {
        await Inbox.AddAsync([Samples.Poke(new ChangeId(project, number).Lane)], Cancel);
        var claim = await ClaimOneAsync();
        var before = claim.ReadState();
        var after = before with { Change = visible ? Samples.Change(number) with { Id = new ChangeId(project, number) } : null };
        foreach (var run in runs) after = after.With(run);
        (await Lanes.SaveAsync([new LaneOutcome(claim, before, after, [], [.. claim.Events.Select(one => one.Id)], [])], Cancel)).ShouldBeTrue();
    }
}
