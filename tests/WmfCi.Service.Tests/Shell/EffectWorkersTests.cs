using Npgsql;
using WmfCi.Core.Rules;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Shell;

public sealed class EffectWorkersTests : ShellTest
{
    private readonly Bells _bells = new();
    private readonly EffectStops _stops = new();

    public override async ValueTask DisposeAsync()
    {
        _bells.Dispose();
        await base.DisposeAsync();
    }

    private async Task<EffectWorkers> StartAsync(EffectHandler handler)
    {
        var workers = new EffectWorkers(new EffectPool(Pools.Review, 2, "here", handler), Outbox, _bells, _stops, Surroundings());
        await workers.StartAsync(Cancel);
        return workers;
    }

    [Fact]
    public async Task What_failed_for_a_moment_is_tried_again_and_then_counts()
    {
        await WishAsync(Read(1));
        var tries = new List<int>();
        using var workers = await StartAsync((claim, _, _) =>
        {
            tries.Add(claim.Attempts);
            return claim.Attempts < 2 ? throw new CodeReviewException("Gerrit restarts.", FailureClass.Transient) : Task.FromResult(EffectResult.Of(new Event.ChangeGone()));
        });
        await UntilAsync("select exists (select from effects where state = 1)");
        await workers.StopAsync(Cancel);
        tries.ShouldBe([1, 2]);
        (await ReadAsync<long>("select count(*) from events where body->>'is' = 'change-gone'")).ShouldBe(1);
    }

    [Fact]
    public async Task What_fails_for_good_is_given_up_at_once_and_its_lane_is_told()
    {
        await WishAsync(Read(1));
        using var workers = await StartAsync((_, _, _) => throw new CodeReviewException("The account may not read.", FailureClass.Permanent));
        await UntilAsync("select exists (select from effects where state = 2)");
        await workers.StopAsync(Cancel);
        (await ReadAsync<string>("select reason from effects")).ShouldBe("The account may not read.");
        (await ReadAsync<int>("select attempts from effects")).ShouldBe(1);
        (await ReadAsync<long>("select count(*) from events where body->>'is' = 'effect-gave-up'")).ShouldBe(1);
    }

    [Fact]
    public async Task What_the_database_refuses_for_good_fails_like_anything_else_and_does_not_wait_for_its_claim_to_run_out()
    {
        await WishAsync(Read(1));
        using var workers = await StartAsync((claim, _, _) => Task.FromResult(
            claim.Attempts == 1 ? new EffectResult([], [new NpgsqlBatchCommand("select 1 / 0")]) : EffectResult.Nothing));
        await UntilAsync("select exists (select from effects where state = 1)");
        await workers.StopAsync(Cancel);
        (await ReadAsync<int>("select attempts from effects")).ShouldBe(2);
    }

    [Fact]
    public async Task What_kills_its_process_every_time_is_given_up_without_another_try()
    {
        await WishAsync(Read(1));
        await ExecuteAsync($"update effects set attempts = {EffectWorkers.MaxAttempts}");
        var tried = false;
        using var workers = await StartAsync((_, _, _) =>
        {
            tried = true;
            return Task.FromResult(EffectResult.Nothing);
        });
        await UntilAsync("select exists (select from effects where state = 2)");
        await workers.StopAsync(Cancel);
        tried.ShouldBeFalse();
    }

    [Fact]
    public async Task A_claim_that_somebody_else_took_records_nothing()
    {
        await WishAsync(Read(1));
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var workers = await StartAsync(async (_, _, _) =>
        {
            await ExecuteAsync("update effects set epoch = epoch + 1, claimed_until = now() + interval '1 hour'");
            done.SetResult();
            return EffectResult.Of(new Event.ChangeGone());
        });
        await WithinAsync(done.Task);
        await workers.StopAsync(Cancel);
        (await ReadAsync<long>("select count(*) from effects where state = 0")).ShouldBe(1);
        (await ReadAsync<long>("select count(*) from events where body->>'is' = 'change-gone'")).ShouldBe(0);
    }

    [Fact]
    public async Task What_was_done_is_recorded_when_the_database_is_back()
    {
        await WishAsync(Read(1));
        await ExecuteAsync("create sequence tries");
        await ExecuteAsync("create function storm() returns int language plpgsql as $$ begin if nextval('tries') <= 2 then raise exception 'the server shuts down' using errcode = '57P01'; end if; return 1; end $$");
        var carriedOut = 0;
        using var workers = await StartAsync((_, _, _) =>
        {
            carriedOut++;
            return Task.FromResult(new EffectResult([new Event.ChangeGone()], [new NpgsqlBatchCommand("select storm()")]));
        });
        await UntilAsync("select exists (select from effects where state = 1)");
        await workers.StopAsync(Cancel);
        carriedOut.ShouldBe(1);
        (await ReadAsync<long>("select last_value from tries")).ShouldBe(3);
    }

    [Fact]
    public async Task A_wish_to_stop_reaches_what_runs_here_at_once()
    {
        await WishAsync(Read(1));
        var (began, stopped) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        using var workers = await StartAsync(async (_, stop, cancellationToken) =>
        {
            began.SetResult();
            await stop.WaitAsync(cancellationToken);
            stopped.SetResult();
            return EffectResult.Nothing;
        });
        await WithinAsync(began.Task);
        _stops.Request(Read(1).Key);
        await WithinAsync(stopped.Task);
        await workers.StopAsync(Cancel);
    }

    [Fact]
    public async Task A_wish_to_stop_of_which_nobody_told_is_found_when_the_claim_is_renewed()
    {
        await WishAsync(Read(1));
        var (began, stopped) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        using var workers = await StartAsync(async (_, stop, cancellationToken) =>
        {
            began.SetResult();
            await stop.WaitAsync(cancellationToken);
            stopped.SetResult();
            return EffectResult.Nothing;
        });
        await WithinAsync(began.Task);
        await ExecuteAsync("update effects set stop_requested = true");
        await WithinAsync(stopped.Task);
        await workers.StopAsync(Cancel);
    }

    [Fact]
    public async Task An_effect_taken_up_again_here_goes_on_being_told_to_stop()
    {
        var first = _stops.Begin("stage/1");
        var second = _stops.Begin("stage/1");
        _stops.End("stage/1", first);
        _stops.Request("stage/1");
        await WithinAsync(second.Task);
        first.Task.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_worker_that_is_shut_down_hands_its_work_over_at_once()
    {
        await WishAsync(Read(1));
        var began = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var workers = await StartAsync(async (_, _, cancellationToken) =>
        {
            began.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken);
            return EffectResult.Nothing;
        });
        await WithinAsync(began.Task);
        await WithinAsync(workers.StopAsync(Cancel));
        (await Outbox.ClaimAsync(Pools.Review, 1, "there", Cancel)).ShouldHaveSingleItem().Attempts.ShouldBe(2);
    }

    [Fact]
    public async Task A_peer_that_asks_for_no_wait_at_all_is_not_asked_without_a_pause()
    {
        await WishAsync(Read(1));
        var tried = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var workers = await StartAsync((_, _, _) =>
        {
            tried.TrySetResult();
            throw new CodeReviewException("Too many requests.", FailureClass.Transient) { RetryAfter = TimeSpan.Zero };
        });
        await WithinAsync(tried.Task);
        await UntilAsync("select reason is not null from effects");
        await workers.StopAsync(Cancel);
        (await ReadAsync<bool>($"select available_at - created_at >= interval '{Backoff.First.TotalMilliseconds / 2} ms' from effects")).ShouldBeTrue();
    }
}
