using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Core.Rules;
using WmfCi.Ports;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Service.Effects;

/// <summary>What carrying out an effect came to.</summary>
/// <param name="Events">What follows, for the lane that wanted it.</param>
/// <param name="Records">What else is stored with it, in the same transaction.</param>
public sealed record EffectResult(IReadOnlyCollection<Event> Events, IEnumerable<NpgsqlBatchCommand> Records)
{
    /// <summary>It is done, and nothing follows.</summary>
    public static EffectResult Nothing { get; } = new([], []);

    /// <summary>It is done, and one thing follows.</summary>
    public static EffectResult Of(Event happened) => new([happened], []);
}

/// <summary>Carries out one kind of effects.</summary>
/// <param name="claim">The effect. With more than one attempt an earlier try may have been carried out.</param>
/// <param name="stop">Completes when the effect is wanted no more.</param>
/// <param name="cancellationToken">Signalled when the claim is lost or the process ends: what follows does not count.</param>
public delegate Task<EffectResult> EffectHandler(EffectClaim claim, Task stop, CancellationToken cancellationToken);

/// <summary>The workers of one pool: claim, carry out, record; with retries by the class of the error.</summary>
public sealed partial class EffectWorkers : BackgroundService
{
    /// <summary>How often an effect is tried when trying again may help: about an hour.</summary>
    public const int MaxAttempts = 20;

    /// <summary>How often recording what was done is tried while the database is away: about a minute.</summary>
    public const int MaxRecordings = 15;

    /// <summary>How long it sleeps at most when nobody rings.</summary>
    public static readonly TimeSpan LookAnyway = TimeSpan.FromSeconds(5);

    private readonly EffectPool _pool;
    private readonly Outbox _outbox;
    private readonly Bell _bell;
    private readonly TimeProvider _time;
    private readonly Boundary _boundary;
    private readonly ILogger<EffectWorkers> _logger;
    private readonly EffectStops _stops;
    private int _busy;

    /// <summary>Makes the workers of a pool.</summary>
    public EffectWorkers(EffectPool pool, Outbox outbox, Bells bells, EffectStops stops, Surroundings surroundings)
    {
        (_pool, _outbox, _bell, _stops) = (pool, outbox, bells.Effects(pool.Name), stops);
        (_time, _boundary, _logger) = (surroundings.Time, surroundings.Boundary, surroundings.Loggers.CreateLogger<EffectWorkers>());
    }

    /// <summary>Which pool.</summary>
    public EffectPool Pool => _pool;

    /// <summary>How many effects are being carried out here.</summary>
    public int Busy => Volatile.Read(ref _busy);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (_pool.Prepare is { } prepare) await prepare(stoppingToken);
        var running = new ConcurrentDictionary<long, Task>();
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var free = _pool.Slots - Busy;
                var claims = free > 0 ? await _outbox.ClaimAsync(_pool.Name, free, _pool.Holder, stoppingToken) : [];
                failures = 0;
                foreach (var claim in claims)
                {
                    Interlocked.Increment(ref _busy);
                    var work = WorkAsync(claim, stoppingToken);
                    running[claim.Id] = work;
                    _ = work.ContinueWith(_ => running.TryRemove(KeyValuePair.Create(claim.Id, work)), TaskScheduler.Default);
                }
                if (claims.Count > 0 && Busy < _pool.Slots) continue;
                var next = Busy < _pool.Slots ? await _outbox.NextAvailableAsync(_pool.Name, stoppingToken) ?? LookAnyway : LookAnyway;
                await _bell.WaitAsync(next < LookAnyway ? next : LookAnyway, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
            {
                failures++;
                DatabaseAway(_pool.Name, error.Message, failures);
                await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        await Task.WhenAll(running.Values);
    }

    private async Task WorkAsync(EffectClaim claim, CancellationToken stopping)
    {
        using var lost = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var stop = _stops.Begin(claim.Effect.Key);
        if (claim.StopRequested) stop.TrySetResult();
        var renewal = RenewAsync(claim, stop, lost);
        try
        {
            await CarryOutAsync(claim, stop.Task, lost.Token, stopping);
        }
        catch (Exception error)
        {
            // The place for this loop: whatever went wrong here, the claim runs out and somebody tries again.
            if (!lost.IsCancellationRequested) Unrecorded(error, claim.Effect.Key);
        }
        finally
        {
            await lost.CancelAsync();
            await renewal;
            _stops.End(claim.Effect.Key, stop);
            Interlocked.Decrement(ref _busy);
            _bell.Ring();
        }
    }

    private async Task CarryOutAsync(EffectClaim claim, Task stop, CancellationToken lost, CancellationToken stopping)
    {
        var kind = claim.Effect.GetType().Name;
        _boundary.Reached($"{kind} claimed");
        var begun = _time.GetTimestamp();
        if (claim.Attempts == 1) ServiceMetrics.EffectWait.WithLabels(_pool.Name).Observe((_time.GetUtcNow() - claim.CreatedAt).TotalSeconds);
        try
        {
            lost.ThrowIfCancellationRequested();
            if (claim.Attempts > MaxAttempts) throw new EffectKilledException();
            var result = await _pool.Handler(claim, stop, lost);
            ServiceMetrics.EffectTime.WithLabels(kind, "done").Observe(_time.GetElapsedTime(begun).TotalSeconds);
            _boundary.Reached($"{kind} carried out");
            if (!await RecordAsync(claim, result, stopping)) ClaimLost(claim.Effect.Key);
            _boundary.Reached($"{kind} recorded");
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            // This process ends: another may have it at once.
            await _outbox.RetryAsync(claim, TimeSpan.Zero, "Its worker was shut down.", CancellationToken.None);
        }
        catch (OperationCanceledException) when (lost.IsCancellationRequested)
        {
            ClaimLost(claim.Effect.Key);
        }
        catch (Exception error) when (error is not NpgsqlException database || !DatabaseFault.IsPassing(database))
        {
            // While the database is away nothing can be said either; the claim runs out. What the database refuses for good is a failure like any other.
            ServiceMetrics.EffectTime.WithLabels(kind, "failed").Observe(_time.GetElapsedTime(begun).TotalSeconds);
            await FailAsync(claim, error);
        }
    }

    // What was done may have taken an hour: a database that restarts must not make it be done again. The claim's number keeps out what somebody else has done meanwhile.
    private async Task<bool> RecordAsync(EffectClaim claim, EffectResult result, CancellationToken stopping)
    {
        NpgsqlBatchCommand[] records = [.. result.Records];
        for (var failures = 1; ; failures++)
        {
            try
            {
                return await _outbox.CompleteAsync(claim, result.Events, records.Select(Copy), CancellationToken.None);
            }
            catch (NpgsqlException error) when (DatabaseFault.IsPassing(error) && failures < MaxRecordings && !stopping.IsCancellationRequested)
            {
                DatabaseAway(_pool.Name, error.Message, failures);
                await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), _time, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    // A command that was part of one batch is not used in another.
    private static NpgsqlBatchCommand Copy(NpgsqlBatchCommand command)
    {
        var copy = new NpgsqlBatchCommand(command.CommandText);
        foreach (var parameter in command.Parameters) copy.Parameters.Add(((NpgsqlParameter)parameter).Clone());
        return copy;
    }

    private async Task FailAsync(EffectClaim claim, Exception error)
    {
        var failure = EffectFailure.Of(error);
        if (failure.Class == FailureClass.Permanent || claim.Attempts >= MaxAttempts)
        {
            GivenUp(error, claim.Effect.Key, claim.Attempts);
            await _outbox.GiveUpAsync(claim, failure.Reason, CancellationToken.None);
            return;
        }
        // A peer may ask for a longer wait, and not for none.
        var after = Backoff.After(claim.Attempts, Random.Shared.NextDouble());
        if (failure.RetryAfter > after) after = failure.RetryAfter.Value;
        WillRetry(claim.Effect.Key, claim.Attempts, failure.Reason, after);
        await _outbox.RetryAsync(claim, after < Backoff.Longest ? after : Backoff.Longest, failure.Reason, CancellationToken.None);
    }

    private async Task RenewAsync(EffectClaim claim, TaskCompletionSource stop, CancellationTokenSource lost)
    {
        var good = _time.GetTimestamp();
        while (!lost.IsCancellationRequested)
        {
            await Task.Delay(_outbox.RenewEvery, _time, lost.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (lost.IsCancellationRequested) return;
            try
            {
                var asked = _time.GetTimestamp();
                switch (await _outbox.RenewAsync(claim, lost.Token))
                {
                    case null:
                        await lost.CancelAsync();
                        return;
                    case true:
                        stop.TrySetResult();
                        break;
                }
                good = asked;
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException or OperationCanceledException)
            {
                // Without the database nobody can take it over before the lease ends; after that it must be presumed lost.
                if (_time.GetElapsedTime(good) > _outbox.Lease) await lost.CancelAsync();
            }
        }
    }

    [LoggerMessage(LogLevel.Warning, "The database is away for the {Pool} workers ({Reason}), failure {Failures} in a row")]
    private partial void DatabaseAway(string pool, string reason, int failures);

    [LoggerMessage(LogLevel.Warning, "The claim on {Effect} was lost; whoever holds it now goes on")]
    private partial void ClaimLost(string effect);

    [LoggerMessage(LogLevel.Error, "What became of {Effect} could not be recorded; it will be tried again")]
    private partial void Unrecorded(Exception error, string effect);

    [LoggerMessage(LogLevel.Warning, "{Effect} failed, attempt {Attempt}: {Reason} Trying again in {After}")]
    private partial void WillRetry(string effect, int attempt, string reason, TimeSpan after);

    [LoggerMessage(LogLevel.Error, "{Effect} is given up after {Attempts} attempts; `wmfci quarantine` shows it")]
    private partial void GivenUp(Exception error, string effect, int attempts);
}

/// <summary>A pool of workers.</summary>
/// <param name="Name">One of <see cref="Pools"/>.</param>
/// <param name="Slots">How many effects it carries out at once.</param>
/// <param name="Holder">The replica's name.</param>
/// <param name="Handler">What carries them out.</param>
public sealed record EffectPool(string Name, int Slots, string Holder, EffectHandler Handler)
{
    /// <summary>Done once before the first effect is taken; null where there is nothing to do.</summary>
    public Func<CancellationToken, Task>? Prepare { get; init; }
}

/// <summary>What every part of the shell needs of its surroundings.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Boundary">For the crash test.</param>
/// <param name="Loggers">Makes logs.</param>
public sealed record Surroundings(TimeProvider Time, Boundary Boundary, ILoggerFactory Loggers);
