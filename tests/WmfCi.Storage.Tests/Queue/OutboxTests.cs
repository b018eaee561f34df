using WmfCi.Core.Rules;
using WmfCi.Core.Runs;

namespace WmfCi.Storage.Tests.Queue;

public sealed class OutboxTests : DatabaseTest
{
    private const string Lane = "change/tools/beaver~7";

    [Fact]
    public async Task An_effect_goes_to_its_own_pool_as_it_was_wished()
    {
        await WishAsync(Lane, Samples.Prepare(1), Samples.Read(1));

        (await Outbox.ClaimAsync(Pools.Runner, 5, "me", Cancel)).ShouldBeEmpty();
        var claim = (await Outbox.ClaimAsync(Pools.Vcs, 5, "me", Cancel)).ShouldHaveSingleItem();
        claim.Effect.ShouldBe(Samples.Prepare(1));
        (claim.Lane, claim.Attempts, claim.StopRequested).ShouldBe((Lane, 1, false));
        (await ReadAsync<string>("select claimed_by from effects where pool = 'vcs'")).ShouldBe("me");
    }

    [Fact]
    public async Task Wishing_the_same_effect_again_changes_nothing_even_after_it_is_done()
    {
        await WishAsync(Lane, Samples.Prepare(1), Samples.Prepare(1));
        var claim = (await Outbox.ClaimAsync(Pools.Vcs, 5, "me", Cancel)).ShouldHaveSingleItem();
        await Outbox.CompleteAsync(claim, [], [], Cancel);
        await WishAsync(Lane, Samples.Prepare(1));

        (await Outbox.ClaimAsync(Pools.Vcs, 5, "me", Cancel)).ShouldBeEmpty();
        (await ReadAsync<long>("select count(*) from effects")).ShouldBe(1);
    }

    [Fact]
    public async Task Reviews_of_one_change_go_out_one_after_another_and_do_not_hold_up_other_changes()
    {
        await WishAsync("a", Samples.Review("start"), Samples.Review("result"), Samples.Read(1));
        await WishAsync("b", Samples.Review("start", 8));

        var first = await Outbox.ClaimAsync(Pools.Review, 10, "me", Cancel);
        first.Select(claim => claim.Effect.Key).ShouldBe([Samples.Review("start").Key, Samples.Read(1).Key, Samples.Review("start", 8).Key]);
        (await Outbox.ClaimAsync(Pools.Review, 10, "other", Cancel)).ShouldBeEmpty();

        await Outbox.CompleteAsync(first[0], [], [], Cancel);
        (await Outbox.ClaimAsync(Pools.Review, 10, "other", Cancel)).ShouldHaveSingleItem().Effect.Key.ShouldBe(Samples.Review("result").Key);
    }

    [Fact]
    public async Task A_review_that_waits_for_its_predecessors_retry_is_not_said_to_be_available()
    {
        await WishAsync("a", Samples.Review("start"), Samples.Review("result"));
        var first = (await Outbox.ClaimAsync(Pools.Review, 10, "me", Cancel)).ShouldHaveSingleItem();
        await Outbox.RetryAsync(first, TimeSpan.FromHours(5), "503", Cancel);

        (await Outbox.ClaimAsync(Pools.Review, 10, "me", Cancel)).ShouldBeEmpty();
        (await Outbox.NextAvailableAsync(Pools.Review, Cancel))!.Value.ShouldBeInRange(TimeSpan.FromHours(4), TimeSpan.FromHours(5));
    }

    [Fact]
    public async Task A_review_that_was_given_up_lets_the_next_one_go_and_says_so()
    {
        await WishAsync("a", Samples.Review("start"), Samples.Review("result"));
        var first = (await Outbox.ClaimAsync(Pools.Review, 10, "me", Cancel)).ShouldHaveSingleItem();
        await using var listener = await Listener.StartAsync(Source, Cancel);

        (await Outbox.GiveUpAsync(first, "refused", Cancel)).ShouldBeTrue();

        await listener.HeardAsync(Wakeups.Effects, Pools.Review, Cancel);
        (await Outbox.ClaimAsync(Pools.Review, 10, "me", Cancel)).ShouldHaveSingleItem();
        var told = await ClaimOneAsync();
        told.Events.ShouldHaveSingleItem().Read().ShouldBe(new Event.EffectGaveUp(Samples.Review("start"), "refused"));
    }

    [Fact]
    public async Task When_the_next_effect_is_available_is_known()
    {
        (await Outbox.NextAvailableAsync(Pools.Vcs, Cancel)).ShouldBeNull();
        await WishAsync(Lane, Samples.Prepare(1));
        (await Outbox.NextAvailableAsync(Pools.Vcs, Cancel)).ShouldBe(TimeSpan.Zero);
        (await Outbox.NextAvailableAsync(Pools.Runner, Cancel)).ShouldBeNull();

        var claim = (await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).Single();
        (await Outbox.NextAvailableAsync(Pools.Vcs, Cancel))!.Value.ShouldBeInRange(TimeSpan.FromSeconds(1), Outbox.Lease);
        await Outbox.CompleteAsync(claim, [], [], Cancel);
        (await Outbox.NextAvailableAsync(Pools.Vcs, Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task A_claim_is_held_by_renewing_it_and_taken_over_when_it_is_not()
    {
        await WishAsync(Lane, Samples.Prepare(1));
        var dead = (await Outbox.ClaimAsync(Pools.Vcs, 1, "dead", Cancel)).Single();
        await ExecuteAsync("update effects set claimed_until = now() + interval '1 s'");
        (await Outbox.RenewAsync(dead, Cancel)).ShouldBe(false);
        (await ReadAsync<bool>("select claimed_until > now() + interval '5 s' from effects")).ShouldBeTrue();
        (await Outbox.ClaimAsync(Pools.Vcs, 1, "heir", Cancel)).ShouldBeEmpty();

        await ExecuteAsync("update effects set claimed_until = now() - interval '1 s'");
        var heir = (await Outbox.ClaimAsync(Pools.Vcs, 1, "heir", Cancel)).ShouldHaveSingleItem();

        heir.Attempts.ShouldBe(2);
        (await Outbox.RenewAsync(dead, Cancel)).ShouldBeNull();
    }

    [Fact]
    public async Task Who_lost_a_claim_can_neither_end_nor_give_up_nor_put_off()
    {
        await WishAsync(Lane, Samples.Prepare(1));
        var dead = (await Outbox.ClaimAsync(Pools.Vcs, 1, "dead", Cancel)).Single();
        await ExecuteAsync("update effects set claimed_until = now() - interval '1 s'");
        var heir = (await Outbox.ClaimAsync(Pools.Vcs, 1, "heir", Cancel)).Single();
        var more = Artifacts.Add(new AttemptId(new RunId(1), "commit", 1), [new StoredArtifact("a", "b", 1, false)]);

        (await Outbox.CompleteAsync(dead, [new Event.ChangeGone()], more, Cancel)).ShouldBeFalse();
        (await Outbox.GiveUpAsync(dead, "x", Cancel)).ShouldBeFalse();
        await Outbox.RetryAsync(dead, TimeSpan.FromHours(1), "x", Cancel);

        (await Lanes.ClaimAsync(1, Cancel)).ShouldBeEmpty();
        (await ReadAsync<long>("select count(*) from artifacts")).ShouldBe(0);
        (await Outbox.RenewAsync(heir, Cancel)).ShouldBe(false);
        (await Outbox.CompleteAsync(heir, [new Event.ChangeGone()], [], Cancel)).ShouldBeTrue();
        (await Outbox.CompleteAsync(heir, [new Event.ChangeGone()], [], Cancel)).ShouldBeFalse();
        (await ClaimOneAsync()).Events.ShouldHaveSingleItem();
    }

    [Fact]
    public async Task The_end_of_an_effect_its_events_and_its_files_are_stored_together_or_not_at_all()
    {
        await WishAsync(Lane, Samples.Prepare(1));
        var claim = (await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).Single();

        await Should.ThrowAsync<Npgsql.PostgresException>(() => Outbox.CompleteAsync(claim, [new Event.ChangeGone()], [new("select 1/0")], Cancel));

        (await Lanes.ClaimAsync(1, Cancel)).ShouldBeEmpty();
        (await Outbox.RenewAsync(claim, Cancel)).ShouldBe(false);
    }

    [Fact]
    public async Task An_effect_that_failed_comes_again_later_with_its_count()
    {
        await WishAsync(Lane, Samples.Prepare(1));
        var claim = (await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).Single();
        await Outbox.RetryAsync(claim, TimeSpan.FromHours(1), "connection refused", Cancel);
        (await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).ShouldBeEmpty();
        (await ReadAsync<string>("select reason from effects")).ShouldBe("connection refused");

        await ExecuteAsync("update effects set available_at = now()");
        (await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).ShouldHaveSingleItem().Attempts.ShouldBe(2);
    }

    [Fact]
    public async Task A_stop_reaches_an_attempt_that_has_not_begun()
    {
        var attempt = new AttemptId(new RunId(1), "commit", 1);
        await WishAsync(Lane, Samples.RunStage(attempt), new Effect.StopStage(attempt));

        (await Outbox.ClaimAsync(Pools.Runner, 1, "me", Cancel)).ShouldHaveSingleItem().StopRequested.ShouldBeTrue();
    }

    [Fact]
    public async Task A_stop_reaches_an_attempt_that_runs()
    {
        var attempt = new AttemptId(new RunId(1), "commit", 1);
        await WishAsync(Lane, Samples.RunStage(attempt));
        var claim = (await Outbox.ClaimAsync(Pools.Runner, 1, "me", Cancel)).Single();
        claim.StopRequested.ShouldBeFalse();
        await using var listener = await Listener.StartAsync(Source, Cancel);

        await WishAsync(Lane, new Effect.StopStage(attempt));

        await listener.HeardAsync(Wakeups.Stops, Samples.RunStage(attempt).Key, Cancel);
        (await Outbox.RenewAsync(claim, Cancel)).ShouldBe(true);
    }

    [Fact]
    public async Task What_was_given_up_is_shown_and_can_be_released()
    {
        await WishAsync(Lane, Samples.Prepare(1));
        await Outbox.GiveUpAsync((await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).Single(), "no such branch", Cancel);
        var upkeep = new Upkeep(Source);

        var aside = (await upkeep.QuarantineAsync(10, Cancel)).ShouldHaveSingleItem();
        (aside.Kind, aside.Lane, aside.Reason).ShouldBe(("effect", Lane, "no such branch"));
        (await upkeep.ReleaseAsync("effect", aside.Id, Cancel)).ShouldBeTrue();

        (await Outbox.ClaimAsync(Pools.Vcs, 1, "me", Cancel)).ShouldHaveSingleItem().Attempts.ShouldBe(1);
        await Should.ThrowAsync<ArgumentException>(() => upkeep.ReleaseAsync("lane", 1, Cancel));
    }

    [Fact]
    public async Task An_effect_that_cannot_be_read_holds_up_nothing_and_is_set_aside_in_the_end()
    {
        await WishAsync(Lane, Samples.Prepare(1), Samples.Prepare(2));
        await ExecuteAsync("""update effects set body = '{"do":"launch-rocket"}' where key = 'source/1'""");

        (await Outbox.ClaimAsync(Pools.Vcs, 5, "me", Cancel)).ShouldHaveSingleItem().Effect.ShouldBe(Samples.Prepare(2));
        for (var attempt = 2; attempt <= Outbox.MaxUnreadable; attempt++)
        {
            (await new Upkeep(Source).QuarantineAsync(10, Cancel)).ShouldBeEmpty();
            await ExecuteAsync("update effects set available_at = now() where key = 'source/1'");
            (await Outbox.ClaimAsync(Pools.Vcs, 5, "me", Cancel)).ShouldBeEmpty();
        }
        (await new Upkeep(Source).QuarantineAsync(10, Cancel)).ShouldHaveSingleItem().Reason.ShouldContain("cannot be read");
    }

    [Fact]
    public async Task Attempts_are_wanted_from_the_wish_until_their_end_is_recorded()
    {
        var (first, second) = (new AttemptId(new RunId(7), "unit [php=8.1]", 1), new AttemptId(new RunId(7), "lint", 2));
        await WishAsync(Lane, Samples.RunStage(first), Samples.RunStage(second), Samples.Prepare(1));
        (await Outbox.ReadWantedAttemptsAsync(Cancel)).ShouldBe([first, second], ignoreOrder: true);

        foreach (var claim in await Outbox.ClaimAsync(Pools.Runner, 5, "me", Cancel))
        {
            (await Outbox.ReadWantedAttemptsAsync(Cancel)).ShouldContain(((Effect.RunStage)claim.Effect).Attempt, "what is in work is wanted");
            await Outbox.CompleteAsync(claim, [], [], Cancel);
        }
        (await Outbox.ReadWantedAttemptsAsync(Cancel)).ShouldBeEmpty();
    }
}
