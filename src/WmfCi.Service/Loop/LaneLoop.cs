using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Commands;
using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Storage;

namespace WmfCi.Service.Loop;

/// <summary>The heart: takes lanes in which something happened, calls the pure rules, saves what they decided. It waits for nothing else; all slow things are effects.</summary>
/// <param name="lanes">The lanes.</param>
/// <param name="bells">Wakes it.</param>
/// <param name="policy">The site's policy.</param>
/// <param name="time">The clock.</param>
/// <param name="boundary">For the crash test.</param>
/// <param name="logger">The log.</param>
public sealed partial class LaneLoop(Lanes lanes, Bells bells, CurrentPolicy policy, TimeProvider time, Boundary boundary, ILogger<LaneLoop> logger) : BackgroundService
{
    /// <summary>How many lanes are taken at once: one transaction for all of them.</summary>
    public const int MaxLanesPerTurn = 32;

    /// <summary>How often an event is tried before it is set aside.</summary>
    public const int MaxAttempts = 5;

    /// <summary>From which try on the events of a lane are handled one by one: taken twice before and not finished.</summary>
    public const int SuspectFrom = 3;

    /// <summary>How long it sleeps at most when nobody rings: a notification may get lost.</summary>
    public static readonly TimeSpan LookAnyway = TimeSpan.FromSeconds(5);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await policy.ReadyAsync(stoppingToken);
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                // A turn takes milliseconds and is not cut short: lanes that were claimed and not saved would wait for their claims to run out.
                var turned = await TurnAsync(CancellationToken.None);
                failures = 0;
                if (turned > 0) continue;
                var next = await lanes.NextReadyAsync(stoppingToken) ?? LookAnyway;
                await bells.Lanes.WaitAsync(next < LookAnyway ? next : LookAnyway, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
            {
                // The database is away: nothing is lost, all waits there. Everything else is a fault of ours, and ends the process.
                failures++;
                DatabaseAway(error.Message, failures);
                await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), time, stoppingToken);
            }
        }
    }

    /// <summary>Handles what waits now in some lanes.</summary>
    /// <returns>How many lanes were taken.</returns>
    public async Task<int> TurnAsync(CancellationToken cancellationToken)
    {
        var claims = await lanes.ClaimAsync(MaxLanesPerTurn, cancellationToken);
        if (claims.Count == 0) return 0;
        boundary.Reached("lanes claimed");
        var (alone, together) = (new List<LaneOutcome>(), new List<LaneOutcome>());
        foreach (var claim in claims)
        {
            if (Read(claim) is not { } before) continue;
            if (claim.Events.Any(one => one.Attempts >= SuspectFrom)) alone.Add(new LaneOutcome(claim, before, before, [], [], []));
            else together.Add(Handle(claim, before, claim.Events));
        }
        await SaveAsync(together, cancellationToken);
        foreach (var lane in alone) await OneByOneAsync(lane.Claim, lane.Before, cancellationToken);
        boundary.Reached("decisions saved");
        return claims.Count;
    }

    // An empty state in its place would forget runs that go on. The lane is left as it is, until its claim runs out and a program that can read it takes it.
    private ChangeLane? Read(LaneClaim claim)
    {
        try
        {
            return claim.ReadState();
        }
        catch (Exception error) when (error is System.Text.Json.JsonException or NotSupportedException)
        {
            Unreadable(error, claim.Key);
            return null;
        }
    }

    private async Task SaveAsync(List<LaneOutcome> outcomes, CancellationToken cancellationToken)
    {
        if (outcomes.Count == 0 || (outcomes.Count > 1 && await TrySaveAsync(outcomes, cancellationToken))) return;
        // Somebody overtook one of them, or one cannot be stored; the others are saved one by one.
        foreach (var outcome in outcomes) await SaveAloneAsync(outcome, cancellationToken);
    }

    // What was taken before and never finished may be what killed the process: each event is saved before the next is tried, so that it is found out and its
    // neighbours, whose attempts were counted with its own, are not blamed.
    private async Task OneByOneAsync(LaneClaim claim, ChangeLane lane, CancellationToken cancellationToken)
    {
        foreach (var stored in claim.Events)
        {
            var outcome = stored == claim.Events[0] && stored.Attempts > MaxAttempts
                ? new LaneOutcome(claim, lane, lane, [], [], [KilledTooOften(stored, claim.Key)])
                : Handle(claim, lane, [stored]);
            if (!await SaveAloneAsync(outcome, cancellationToken)) return;
            lane = outcome.After;
        }
    }

    private async Task<bool> SaveAloneAsync(LaneOutcome outcome, CancellationToken cancellationToken)
    {
        try
        {
            if (await TrySaveAsync([outcome], cancellationToken)) return true;
        }
        catch (PostgresException error) when (!DatabaseFault.IsPassing(error))
        {
            // The database will never take this decision; what led to it is tried a few times and set aside, and no other lane waits for it.
            var waiting = outcome.Claim.Events.Where(one => outcome.Handled.Contains(one.Id) || outcome.Failed.Any(failed => failed.Id == one.Id));
            await TrySaveAsync([new LaneOutcome(outcome.Claim, outcome.Before, outcome.Before, [], [], [.. waiting.Select(one => Fail(one, error, outcome.Claim.Key))])], cancellationToken);
            return false;
        }
        Overtaken(outcome.Claim.Key);
        return false;
    }

    private async Task<bool> TrySaveAsync(List<LaneOutcome> outcomes, CancellationToken cancellationToken)
    {
        try
        {
            if (!await lanes.SaveAsync(outcomes, cancellationToken)) return false;
        }
        catch (PostgresException error) when (outcomes.Count > 1 && !DatabaseFault.IsPassing(error))
        {
            return false;
        }
        foreach (var outcome in outcomes) RunMetrics.Observe(outcome, time.GetUtcNow());
        return true;
    }

    private LaneOutcome Handle(LaneClaim claim, ChangeLane before, IEnumerable<StoredEvent> events)
    {
        var handled = new List<long>();
        var failed = new List<FailedEvent>();
        var effects = new List<Effect>();
        var lane = before;
        foreach (var stored in events)
        {
            try
            {
                var decision = Decide(claim.Key, lane, stored);
                lane = decision.Lane;
                effects.AddRange(decision.Effects);
                handled.Add(stored.Id);
            }
            catch (Exception error)
            {
                // A fault in a rule or a broken event: it must not stop the other lanes, nor what comes later in this one.
                failed.Add(Fail(stored, error, claim.Key));
            }
        }
        return new LaneOutcome(claim, before, lane, effects, handled, failed);
    }

    private Decision Decide(string key, ChangeLane lane, StoredEvent stored)
    {
        if (!ChangeId.TryFromLane(key, out var id)) throw new InvalidOperationException($"'{key}' is no lane of a change.");
        var context = new DecisionContext(time.GetUtcNow(), stored.Id, policy.Value, CommandList.Interpret);
        return ChangeRules.Decide(lane, id, stored.Read(), context);
    }

    private FailedEvent KilledTooOften(StoredEvent stored, string lane)
    {
        SetAside(stored.Id, lane);
        return new FailedEvent(stored.Id, $"It was tried {MaxAttempts} times, and each time the process ended or failed.", null);
    }

    private FailedEvent Fail(StoredEvent stored, Exception error, string lane)
    {
        var last = stored.Attempts >= MaxAttempts;
        EventFailed(error, stored.Id, lane, stored.Attempts);
        if (last) SetAside(stored.Id, lane);
        return new FailedEvent(stored.Id, $"{error.GetType().Name}: {error.Message}", last ? null : Backoff.After(stored.Attempts, Random.Shared.NextDouble()));
    }

    [LoggerMessage(LogLevel.Warning, "The database is away ({Reason}), failure {Failures} in a row; events wait there")]
    private partial void DatabaseAway(string reason, int failures);

    [LoggerMessage(LogLevel.Information, "Lane {Lane} was claimed by somebody else meanwhile; its decision is dropped")]
    private partial void Overtaken(string lane);

    [LoggerMessage(LogLevel.Error, "The state of {Lane} cannot be read; it is kept as it is, and what happens there waits for a program that can")]
    private partial void Unreadable(Exception error, string lane);

    [LoggerMessage(LogLevel.Error, "Event {Event} of {Lane} could not be handled, attempt {Attempt}")]
    private partial void EventFailed(Exception error, long @event, string lane, int attempt);

    [LoggerMessage(LogLevel.Error, "Event {Event} of {Lane} is set aside; `wmfci quarantine` shows it")]
    private partial void SetAside(long @event, string lane);
}
