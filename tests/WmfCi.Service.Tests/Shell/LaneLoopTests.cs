using Microsoft.Extensions.Logging.Abstractions;
using WmfCi.Service.Loop;

namespace WmfCi.Service.Tests.Shell;

public sealed class LaneLoopTests : ShellTest
{
    private static readonly string Other = new Core.Changes.ChangeId("tools/otter", 8).Lane;
    private readonly Bells _bells = new();

    public override async ValueTask DisposeAsync()
    {
        _bells.Dispose();
        await base.DisposeAsync();
    }

    private LaneLoop Loop(Boundary? boundary = null) => new(Lanes, _bells, Policy(), TimeProvider.System, boundary ?? Boundary.None, NullLogger<LaneLoop>.Instance);

    [Fact]
    public async Task A_poke_becomes_a_wish_to_read_the_change()
    {
        await PokeAsync(Change.Lane);
        (await Loop().TurnAsync(Cancel)).ShouldBe(1);
        (await ReadAsync<long>("select count(*) from effects where key like 'read/%'")).ShouldBe(1);
        (await Loop().TurnAsync(Cancel)).ShouldBe(0);
    }

    [Fact]
    public async Task An_event_that_cannot_be_handled_is_set_aside_after_some_tries_while_others_go_on()
    {
        await PokeAsync(Other);
        await PokeAsync(Change.Lane, Change.Lane);
        await ExecuteAsync($"update events set body = '{{\"is\": \"from the future\"}}' where id = (select min(id) from events where lane = '{Change.Lane}')");
        for (var turn = 1; turn <= LaneLoop.MaxAttempts; turn++)
        {
            await Loop().TurnAsync(Cancel);
            (await ReadAsync<long>($"select count(*) from events where lane = '{Change.Lane}' and state = 1")).ShouldBe(1, "its neighbour was handled at once");
            await ExecuteAsync("update events set available_at = now() where state = 0");
            await ExecuteAsync("update lanes set ready_at = now() where exists (select from events where lane = key and state = 0)");
        }
        (await ReadAsync<long>("select count(*) from events where state = 2")).ShouldBe(1);
        (await ReadAsync<int>("select max(attempts) from events where state = 2")).ShouldBe(LaneLoop.MaxAttempts);
        (await ReadAsync<long>($"select count(*) from events where lane = '{Change.Lane}' and state = 0")).ShouldBe(0);
    }

    [Fact]
    public async Task Events_whose_process_was_killed_again_and_again_are_not_blamed_for_the_one_before_them()
    {
        await PokeAsync([.. Enumerable.Repeat(Change.Lane, 12)]);
        // The first of them kills the process each time it is tried: all of them were taken with it.
        await ExecuteAsync($"update events set attempts = {LaneLoop.MaxAttempts}");
        await Loop().TurnAsync(Cancel);
        (await ReadAsync<long>("select count(*) from events where state = 2")).ShouldBe(1);
        (await ReadAsync<long>("select min(id) from events where state = 2")).ShouldBe(await ReadAsync<long>("select min(id) from events"));
        (await ReadAsync<long>("select count(*) from events where state = 1")).ShouldBe(11);
    }

    [Fact]
    public async Task Events_that_were_taken_by_a_process_that_died_are_all_handled()
    {
        await PokeAsync([.. Enumerable.Repeat(Change.Lane, 12)]);
        await ExecuteAsync("update events set attempts = 2");
        await Loop().TurnAsync(Cancel);
        (await ReadAsync<long>("select count(*) from events where state = 1")).ShouldBe(12);
    }

    [Fact]
    public async Task What_is_handled_before_a_suspect_is_saved_before_the_suspect_is_tried()
    {
        await PokeAsync(Change.Lane, Change.Lane, Change.Lane);
        await ExecuteAsync($"update events set attempts = {LaneLoop.SuspectFrom - 1}");
        await ExecuteAsync("update events set body = '{\"is\": \"from the future\"}' where id = (select max(id) from events)");
        await Loop().TurnAsync(Cancel);
        // Each was saved in a transaction of its own.
        (await ReadAsync<long>("select count(distinct handled_at) from events where state = 1")).ShouldBe(2);
        (await ReadAsync<long>("select count(*) from events where state = 0")).ShouldBe(1);
    }

    [Fact]
    public async Task A_state_that_this_program_cannot_read_is_kept_and_holds_up_no_other_lane()
    {
        await PokeAsync(Change.Lane, Other);
        await ExecuteAsync($"update lanes set state = '{{\"Runs\": \"a shape of tomorrow\"}}' where key = '{Change.Lane}'");
        var before = await ReadAsync<string>($"select state::text from lanes where key = '{Change.Lane}'");
        await Loop().TurnAsync(Cancel);
        (await ReadAsync<string>($"select state::text from lanes where key = '{Change.Lane}'")).ShouldBe(before);
        (await ReadAsync<long>($"select count(*) from events where lane = '{Change.Lane}' and state = 0")).ShouldBe(1, "it waits for a program that can read it");
        (await ReadAsync<long>($"select count(*) from events where lane = '{Other}' and state = 1")).ShouldBe(1);
    }

    [Fact]
    public async Task A_decision_that_the_database_refuses_for_ever_holds_up_no_other_lane()
    {
        await ExecuteAsync("create function refuse() returns trigger language plpgsql as $$ begin if new.lane like '%beaver%' then raise exception 'never' using errcode = '54000'; end if; return new; end $$");
        await ExecuteAsync("create trigger refuse before insert on effects for each row execute function refuse()");
        await PokeAsync(Change.Lane, Other);
        await Loop().TurnAsync(Cancel);
        (await ReadAsync<long>($"select count(*) from effects where lane = '{Other}'")).ShouldBe(1);
        (await ReadAsync<string>($"select reason from events where lane = '{Change.Lane}'")).ShouldNotBeNull().ShouldContain("never");
        for (var turn = 1; turn < LaneLoop.MaxAttempts; turn++)
        {
            await ExecuteAsync("update events set available_at = now() where state = 0");
            await ExecuteAsync($"update lanes set ready_at = now() where key = '{Change.Lane}'");
            await Loop().TurnAsync(Cancel);
        }
        (await ReadAsync<long>("select count(*) from events where state = 2")).ShouldBe(1);
    }

    [Fact]
    public async Task A_lane_that_somebody_else_took_meanwhile_is_theirs_and_the_others_are_saved()
    {
        await PokeAsync(Change.Lane, Other);
        var overtake = new Boundary(place =>
        {
            if (place != "lanes claimed") return;
            using var command = Source.CreateCommand($"update lanes set epoch = epoch + 1 where key = '{Change.Lane}'");
            command.ExecuteNonQuery();
        });
        await Loop(overtake).TurnAsync(Cancel);
        (await ReadAsync<long>("select count(*) from effects")).ShouldBe(1);
        (await ReadAsync<string>("select lane from effects")).ShouldBe(Other);
    }
}
