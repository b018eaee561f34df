using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Tests.Pages;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Shell;

/// <summary>What a runner says of attempts that cannot begin yet, on its way to where everybody sees it.</summary>
public sealed class WaitingTests : ShellTest
{
    private static readonly AttemptId Attempt = new(new RunId(7), "commit", 1);
    private readonly TempFolder _folder = new();
    private readonly MemoryStore _store = new();
    private readonly FakeTimeProvider _time = new(Noon);
    private readonly Channel<string> _told = Channel.CreateUnbounded<string>();

    public override async ValueTask DisposeAsync()
    {
        _folder.Dispose();
        await base.DisposeAsync();
    }

    [Fact]
    public async Task A_reason_is_told_once_however_often_the_runner_says_it()
    {
        await using (var log = Open(Tell))
        {
            await log.WaitingAsync("no room", Cancel);
            (await NextAsync()).ShouldBe("no room");
            await log.WaitingAsync("no room", Cancel);
            await log.WaitingAsync("the image is pulled", Cancel);
            (await NextAsync()).ShouldBe("the image is pulled");
            (await StoredAsync(log)).ShouldBe("[wmfci] no room\n[wmfci] the image is pulled\n");
        }

        _told.Reader.TryRead(out _).ShouldBeFalse();
    }

    [Fact]
    public async Task Of_reasons_that_change_quickly_the_last_one_is_told_but_the_log_has_all()
    {
        await using var log = Open(Tell);
        await log.WaitingAsync("first", Cancel);
        (await _told.Reader.ReadAsync(Cancel)).ShouldBe("first");
        for (var i = 0; i < 100; i++) await log.WaitingAsync($"reason {i}", Cancel);
        _told.Reader.TryRead(out _).ShouldBeFalse("the clock stands still");
        (await NextAsync()).ShouldBe("reason 99");
        (await StoredAsync(log)).Split('\n').Length.ShouldBe(102);
    }

    [Fact]
    public async Task A_reason_that_goes_and_comes_back_is_no_news()
    {
        await using (var log = Open(Tell))
        {
            await log.WaitingAsync("no room", Cancel);
            (await _told.Reader.ReadAsync(Cancel)).ShouldBe("no room");
            await log.WaitingAsync("for a moment", Cancel);
            await log.WaitingAsync("no room", Cancel);
            _time.Advance(AttemptLog.ReasonsEvery);
            await log.WaitingAsync("the image is pulled", Cancel);
            (await NextAsync()).ShouldBe("the image is pulled");
        }

        _told.Reader.TryRead(out _).ShouldBeFalse();
    }

    [Fact]
    public async Task The_runner_does_not_wait_for_a_database_that_does_not_answer()
    {
        var answer = new TaskCompletionSource();
        await using var log = Open(_ => answer.Task);
        await log.WaitingAsync("no room", Cancel);
        await log.WaitingAsync("the image is pulled", Cancel);
        await log.StepStartedAsync("test", Cancel);
        answer.SetResult();
        (await StoredAsync(log)).ShouldBe("[wmfci] no room\n[wmfci] the image is pulled\n==> test\n");
    }

    [Fact]
    public async Task What_could_not_be_told_is_told_when_the_database_is_back()
    {
        var tries = 0;
        await using var log = Open(reason => ++tries <= 2 ? throw new TimeoutException("The database is away.") : Tell(reason));
        await log.WaitingAsync("no room", Cancel);
        (await NextAsync()).ShouldBe("no room");
        tries.ShouldBe(3);
    }

    [Fact]
    public async Task After_the_first_step_there_is_nothing_to_wait_for()
    {
        await using (var log = Open(Tell))
        {
            await log.StepStartedAsync("test", Cancel);
            await log.WaitingAsync("a late word", Cancel);
            (await StoredAsync(log)).ShouldBe("==> test\n[wmfci] a late word\n");
        }

        _told.Reader.TryRead(out _).ShouldBeFalse();
    }

    [Fact]
    public async Task What_is_told_is_a_line_of_plain_text()
    {
        await using var log = Open(Tell);
        await log.WaitingAsync("no\0 room\n" + new string('x', 100_000), Cancel);
        var told = await NextAsync();
        told.ShouldStartWith("no\uFFFD room x");
        told.Length.ShouldBe(Core.Runs.Attempt.MaxReasonLength + 1);
    }

    [Fact]
    public async Task The_rules_hear_what_a_stage_waits_for_and_that_it_begins()
    {
        var tables = new StageTables(Inbox, new Logs(Source), new Artifacts(Source), _folder.Path);
        var begin = new TaskCompletionSource();
        var effects = new StageEffects(new Runner(begin.Task), _store, tables, Surroundings());
        var running = effects.HandleAsync(new EffectClaim(1, Change.Lane, RunStage(Attempt), 1, 1, false, Noon), new TaskCompletionSource().Task, Cancel);
        await UntilAsync("select exists (select from events where body->>'is' = 'stage-waiting' and body->>'reason' = 'No node has room for 2 GiB.')");
        begin.SetResult();
        await UntilAsync("select exists (select from events where body->>'is' = 'stage-started')");
        (await running).Events.ShouldHaveSingleItem().ShouldBeOfType<Event.StageFinished>().Outcome.Kind.ShouldBe(OutcomeKind.Succeeded);
    }

    private AttemptLog Open(Func<string, Task> waits) => new(Attempt, _folder.Path, new Logs(Source), new AttemptNews(() => Task.CompletedTask, waits), Surroundings(_time));

    private Task Tell(string reason)
    {
        _told.Writer.TryWrite(reason);
        return Task.CompletedTask;
    }

    /// <summary>What is told next, however long it takes by the clock of the test.</summary>
    private async Task<string> NextAsync()
    {
        var next = _told.Reader.ReadAsync(Cancel).AsTask();
        while (!next.IsCompleted)
        {
            _time.Advance(AttemptLog.ReasonsEvery);
            await Task.Yield();
        }

        return await next;
    }

    private async Task<string> StoredAsync(AttemptLog log)
    {
        var state = await log.CloseAsync(_store, Cancel);
        using var reader = new StreamReader((await _store.OpenAsync(state.Digest!, Cancel))!);
        return await reader.ReadToEndAsync(Cancel);
    }

    private sealed class Runner(Task begin) : IJobRunner
    {
        public async Task<AttemptReport> RunAsync(AttemptSpec spec, IAttemptObserver observer, CancellationToken detach)
        {
            await observer.WaitingAsync("No node has room for 2 GiB.", detach);
            await begin.WaitAsync(detach);
            await observer.StepStartedAsync("test", detach);
            return new AttemptReport { Kind = OutcomeKind.Succeeded };
        }

        public Task StopAsync(AttemptId id, CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
