using WmfCi.Core.Rules;

namespace WmfCi.Storage.Tests.Queue;

public sealed class LanesTests : DatabaseTest
{
    [Fact]
    public async Task Events_come_back_as_they_were_stored_and_in_order()
    {
        await Inbox.AddAsync([Samples.Poke("a", "one"), Samples.Poke("b", "other"), Samples.Poke("a", "two")], Cancel);
        await Inbox.AddAsync([Samples.Poke("a", "three")], Cancel);

        var claims = await Lanes.ClaimAsync(10, Cancel);

        claims.Select(claim => claim.Key).ShouldBe(["a", "b"], ignoreOrder: true);
        claims.Single(claim => claim.Key == "a").Events.Select(one => ((Event.ChangePoked)one.Read()).Why).ShouldBe(["one", "two", "three"]);
    }

    [Fact]
    public async Task Storing_no_events_is_harmless()
    {
        await Inbox.AddAsync([], Cancel);
        (await Lanes.ClaimAsync(10, Cancel)).ShouldBeEmpty();
        (await Lanes.SaveAsync([], Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_new_lane_starts_with_an_empty_state_and_keeps_what_is_saved()
    {
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        var claim = await ClaimOneAsync();
        claim.ReadState().ShouldBe(new ChangeLane());

        (await Lanes.SaveAsync([Samples.Handled(claim) with { After = new ChangeLane { PatchSetSeen = 4, Change = Samples.Change() } }], Cancel)).ShouldBeTrue();
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);

        var again = await ClaimOneAsync();
        again.ReadState().ShouldBe(new ChangeLane { PatchSetSeen = 4, Change = Samples.Change() });
        again.Epoch.ShouldBeGreaterThan(claim.Epoch);
    }

    [Fact]
    public async Task Handled_events_do_not_come_again()
    {
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        await Lanes.SaveAsync([Samples.Handled(await ClaimOneAsync())], Cancel);

        (await Lanes.ClaimAsync(10, Cancel)).ShouldBeEmpty();
        (await Lanes.NextReadyAsync(Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task A_lane_that_waits_longer_comes_first_and_no_more_come_than_asked_for()
    {
        foreach (var lane in (string[])["c", "a", "b"]) await Inbox.AddAsync([Samples.Poke(lane)], Cancel);

        (await Lanes.ClaimAsync(1, Cancel)).Single().Key.ShouldBe("c");
        (await Lanes.ClaimAsync(1, Cancel)).Single().Key.ShouldBe("a");
        (await Lanes.ClaimAsync(5, Cancel)).Single().Key.ShouldBe("b");
    }

    [Fact]
    public async Task Of_a_flood_in_one_lane_only_a_handful_is_taken_at_once_and_the_rest_follows()
    {
        await Inbox.AddAsync([.. Enumerable.Range(0, Lanes.MaxEventsPerClaim + 5).Select(number => Samples.Poke("a", $"{number}"))], Cancel);

        var first = await ClaimOneAsync();
        first.Events.Count.ShouldBe(Lanes.MaxEventsPerClaim);
        await Lanes.SaveAsync([Samples.Handled(first)], Cancel);
        (await ClaimOneAsync()).Events.Select(one => ((Event.ChangePoked)one.Read()).Why).ShouldBe(["100", "101", "102", "103", "104"]);
    }

    [Fact]
    public async Task A_claimed_lane_is_not_given_to_another_until_its_time_is_over()
    {
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        var first = await ClaimOneAsync();
        (await Lanes.ClaimAsync(10, Cancel)).ShouldBeEmpty();
        (await Lanes.NextReadyAsync(Cancel))!.Value.ShouldBeInRange(TimeSpan.FromSeconds(1), Lanes.Lease);

        await ExecuteAsync("update lanes set claimed_until = now() - interval '1 s'");

        (await Lanes.NextReadyAsync(Cancel)).ShouldBe(TimeSpan.Zero);
        var second = await ClaimOneAsync();
        second.Epoch.ShouldBe(first.Epoch + 1);
        second.Events.ShouldHaveSingleItem().Attempts.ShouldBe(2);
    }

    [Fact]
    public async Task A_claim_that_was_overtaken_saves_nothing()
    {
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        var slow = await ClaimOneAsync();
        await ExecuteAsync("update lanes set claimed_until = now() - interval '1 s'");
        var fast = await ClaimOneAsync();

        var saved = await Lanes.SaveAsync([Samples.Handled(slow, Samples.Read(1)) with { After = new ChangeLane { PatchSetSeen = 9, Runs = [Samples.Run(1)] } }], Cancel);

        saved.ShouldBeFalse();
        (await ReadAsync<long>("select count(*) from effects")).ShouldBe(0);
        (await ReadAsync<long>("select count(*) from runs")).ShouldBe(0);
        (await ReadAsync<long>("select count(*) from events where state = 0")).ShouldBe(1);
        (await ReadAsync<string>("select state::text from lanes")).ShouldBeNull();
        (await Lanes.SaveAsync([Samples.Handled(fast)], Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task When_one_of_several_lanes_was_overtaken_none_is_saved()
    {
        await Inbox.AddAsync([Samples.Poke("a"), Samples.Poke("b")], Cancel);
        var claims = await Lanes.ClaimAsync(10, Cancel);
        await ExecuteAsync("update lanes set epoch = epoch + 1 where key = 'b'");

        (await Lanes.SaveAsync([.. claims.Select(claim => Samples.Handled(claim))], Cancel)).ShouldBeFalse();

        (await ReadAsync<long>("select count(*) from events where state = 0")).ShouldBe(2);
    }

    [Fact]
    public async Task The_attempt_is_counted_even_when_the_process_dies_before_it_saves()
    {
        await Inbox.AddAsync([Samples.Poke("a")], Cancel);
        for (var attempt = 1; attempt <= 3; attempt++)
        {
            (await ClaimOneAsync()).Events.Single().Attempts.ShouldBe(attempt);
            await ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
            await ExecuteAsync("update lanes set claimed_until = now() - interval '1 s'");
        }
    }

    [Fact]
    public async Task A_failed_event_waits_until_it_is_to_be_tried_again_while_later_ones_go_on()
    {
        await Inbox.AddAsync([Samples.Poke("a", "bad")], Cancel);
        await Lanes.SaveAsync([Samples.Failed(await ClaimOneAsync(), "no luck", TimeSpan.FromHours(5))], Cancel);
        (await Lanes.ClaimAsync(10, Cancel)).ShouldBeEmpty();
        (await Lanes.NextReadyAsync(Cancel))!.Value.ShouldBeInRange(TimeSpan.FromHours(4), TimeSpan.FromHours(5));

        await Inbox.AddAsync([Samples.Poke("a", "good")], Cancel);
        var claim = await ClaimOneAsync();
        ((Event.ChangePoked)claim.Events.ShouldHaveSingleItem().Read()).Why.ShouldBe("good");
        await Lanes.SaveAsync([Samples.Handled(claim)], Cancel);

        // Only the delayed one is left: the lane is ready again when it is, neither at once nor never.
        (await Lanes.ClaimAsync(10, Cancel)).ShouldBeEmpty();
        (await Lanes.NextReadyAsync(Cancel))!.Value.ShouldBeInRange(TimeSpan.FromHours(4), TimeSpan.FromHours(5));
    }

    [Fact]
    public async Task A_poisonous_event_is_set_aside_with_its_reason_and_comes_back_when_it_is_released()
    {
        await Inbox.AddAsync([Samples.Poke("a", "poison")], Cancel);
        var claim = await ClaimOneAsync();
        await Lanes.SaveAsync([Samples.Failed(claim, "It breaks the parser.", null)], Cancel);

        var upkeep = new Upkeep(Source);
        (await Lanes.ClaimAsync(10, Cancel)).ShouldBeEmpty();
        (await Lanes.NextReadyAsync(Cancel)).ShouldBeNull();
        var aside = (await upkeep.QuarantineAsync(10, Cancel)).ShouldHaveSingleItem();
        (aside.Kind, aside.Lane, aside.Attempts, aside.Reason).ShouldBe(("event", "a", 1, "It breaks the parser."));

        (await upkeep.ReleaseAsync("event", aside.Id, Cancel)).ShouldBeTrue();
        (await upkeep.ReleaseAsync("event", aside.Id, Cancel)).ShouldBeFalse();
        (await ClaimOneAsync()).Events.ShouldHaveSingleItem().Attempts.ShouldBe(1);
    }
}
