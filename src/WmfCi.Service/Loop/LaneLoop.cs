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
                var turned = await TurnAsync(stoppingToken);
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
        var outcomes = claims.Select(Handle).ToList();
        if (!await lanes.SaveAsync(outcomes, cancellationToken))
        {
            // Somebody overtook one of them; the others are saved one by one.
            foreach (var outcome in outcomes)
            {
                if (!await lanes.SaveAsync([outcome], cancellationToken)) Overtaken(outcome.Claim.Key);
            }
        }
        boundary.Reached("decisions saved");
        return claims.Count;
    }

    private LaneOutcome Handle(LaneClaim claim)
    {
        var handled = new List<long>();
        var failed = new List<FailedEvent>();
        var effects = new List<Effect>();
        ChangeLane before, lane;
        try
        {
            before = lane = claim.ReadState();
        }
        catch (Exception error) when (error is System.Text.Json.JsonException or NotSupportedException)
        {
            return new LaneOutcome(claim, new ChangeLane(), new ChangeLane(), [], [], [.. claim.Events.Select(one => Fail(one, error, claim.Key))]);
        }
        // An event that was taken before and not finished may be what killed the process: it goes alone, so that it is found out and its neighbours are not blamed.
        var suspects = claim.Events.Any(one => one.Attempts > 1);
        foreach (var stored in suspects ? claim.Events.Take(1) : claim.Events)
        {
            if (stored.Attempts > MaxAttempts)
            {
                failed.Add(new FailedEvent(stored.Id, $"It was tried {MaxAttempts} times, and each time the process ended or failed.", null));
                SetAside(stored.Id, claim.Key);
                continue;
            }
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

    [LoggerMessage(LogLevel.Error, "Event {Event} of {Lane} could not be handled, attempt {Attempt}")]
    private partial void EventFailed(Exception error, long @event, string lane, int attempt);

    [LoggerMessage(LogLevel.Error, "Event {Event} of {Lane} is set aside; `wmfci quarantine` shows it")]
    private partial void SetAside(long @event, string lane);
}
