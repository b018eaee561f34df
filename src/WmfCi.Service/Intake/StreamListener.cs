using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WmfCi.Core.Changes;
using WmfCi.Core.Rules;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Service.Intake;

/// <summary>
/// Listens to the code review's event stream, on one replica at a time, and stores what it hears before anything acts on it. Each line is a hint to look at a change
/// again; on every connection, and from time to time, changes are caught up by asking, so that nothing depends on a line having come.
/// </summary>
public sealed partial class StreamListener : BackgroundService
{
    /// <summary>How many lines wait for the database before the stream is left unread.</summary>
    public const int MaxLinesWaiting = 10_000;

    /// <summary>How many lines are stored in one go.</summary>
    public const int MaxLinesAtOnce = 500;

    /// <summary>Failures in a row after which operators are told that the stream is down, rather than that it stumbled.</summary>
    public const int FailuresToTell = 3;

    /// <summary>How long connecting to the stream may take before what happened meanwhile is asked for.</summary>
    public static readonly TimeSpan SettleTime = TimeSpan.FromSeconds(3);

    private const string LeaseName = "stream";
    private readonly ICodeReview _review;
    private readonly Inbox _inbox;
    private readonly Leases _leases;
    private readonly CatchUp _catchUp;
    private readonly IntakeOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<StreamListener> _logger;
    private volatile string? _problem = "It has not connected yet.";
    private volatile bool _isHolder;

    /// <summary>Makes the listener.</summary>
    public StreamListener(ICodeReview review, Inbox inbox, Leases leases, CatchUp catchUp, IntakeOptions options, Surroundings surroundings)
    {
        (_review, _inbox, _leases, _catchUp, _options) = (review, inbox, leases, catchUp, options);
        (_time, _logger) = (surroundings.Time, surroundings.Loggers.CreateLogger<StreamListener>());
    }

    /// <summary>Why this replica, which holds the stream, does not hear it; null when it does, or when another replica holds it.</summary>
    public string? Problem => _isHolder ? _problem : null;

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                _isHolder = await _leases.TakeAsync(LeaseName, _options.Holder, stoppingToken);
                if (!_isHolder)
                {
                    await Task.Delay(Leases.RenewEvery, _time, stoppingToken);
                    continue;
                }
                await HoldAsync(() => failures = 0, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception error)
            {
                // The place for this loop. The stream may be away for long; catching up heals what it missed.
                failures++;
                _problem = error is CodeReviewException ? error.Message : error.GetType().Name;
                var after = Backoff.After(Math.Min(failures, 7), Random.Shared.NextDouble());
                if (failures >= FailuresToTell) Down(_problem, failures, after);
                else Stumbled(_problem, after);
                await WaitHoldingAsync(after, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        if (_isHolder) await _leases.ReleaseAsync(LeaseName, _options.Holder, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // While it waits to connect again it goes on holding the lease: another replica would fare no better.
    private async Task WaitHoldingAsync(TimeSpan wait, CancellationToken cancellationToken)
    {
        for (var left = wait; left > TimeSpan.Zero; left -= Leases.RenewEvery)
        {
            await Task.Delay(left < Leases.RenewEvery ? left : Leases.RenewEvery, _time, cancellationToken);
            await _leases.TakeAsync(LeaseName, _options.Holder, cancellationToken);
        }
    }

    private async Task HoldAsync(Action connected, CancellationToken stopping)
    {
        using var session = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        var lines = Channel.CreateBounded<string>(MaxLinesWaiting);
        var reading = ReadAsync(lines.Writer, session.Token);
        var storing = StoreAsync(lines.Reader, connected, session.Token);
        var renewing = RenewAsync(session.Token);
        var catching = CatchUpAsync(session.Token);
        var first = await Task.WhenAny(reading, storing, renewing, catching);
        await session.CancelAsync();
        await Task.WhenAll(reading, storing, renewing, catching).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    private async Task ReadAsync(ChannelWriter<string> lines, CancellationToken cancellationToken)
    {
        await foreach (var line in _review.ListenAsync(cancellationToken)) await lines.WriteAsync(line, cancellationToken);
        throw new CodeReviewException("The event stream ended.", FailureClass.Transient);
    }

    private async Task StoreAsync(ChannelReader<string> lines, Action connected, CancellationToken cancellationToken)
    {
        var pokes = new Dictionary<ChangeId, string>();
        while (await lines.WaitToReadAsync(cancellationToken))
        {
            pokes.Clear();
            for (var read = 0; read < MaxLinesAtOnce && lines.TryRead(out var line); read++)
            {
                var understood = _review.Understand(line);
                ServiceMetrics.StreamLines.WithLabels(understood.Type).Inc();
                if (understood.Change is { } change && _options.Serves(change.Project)) pokes.TryAdd(change, understood.Type);
            }
            connected();
            _problem = null;
            await _inbox.AddAsync([.. pokes.Select(poke => new LaneEvent(poke.Key.Lane, new Event.ChangePoked(poke.Value)))], cancellationToken);
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        while (await _leases.TakeAsync(LeaseName, _options.Holder, cancellationToken)) await Task.Delay(Leases.RenewEvery, _time, cancellationToken);
        LeaseLost();
    }

    private async Task CatchUpAsync(CancellationToken cancellationToken)
    {
        // Once at once, once when the stream has surely connected, since what happens between the two would be in neither; then from time to time.
        for (var wait = SettleTime; ; wait = _options.CatchUpEvery)
        {
            // A catch-up that fails is tried with the next round; the stream itself goes on.
            try
            {
                await _catchUp.RunAsync(cancellationToken);
                _problem = null;
            }
            catch (CodeReviewException error)
            {
                CatchUpFailed(error.Message);
            }
            await Task.Delay(wait, _time, cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Warning, "The event stream stumbled: {Reason} Connecting again in {After}")]
    private partial void Stumbled(string reason, TimeSpan after);

    [LoggerMessage(LogLevel.Error, "The event stream is down: {Reason} {Failures} failures in a row; connecting again in {After}")]
    private partial void Down(string reason, int failures, TimeSpan after);

    [LoggerMessage(LogLevel.Warning, "Another replica took the event stream over")]
    private partial void LeaseLost();

    [LoggerMessage(LogLevel.Warning, "Catching up failed: {Reason}")]
    private partial void CatchUpFailed(string reason);
}

/// <summary>What the intake needs to know.</summary>
/// <param name="Holder">This replica's name.</param>
/// <param name="CatchUpEvery">How often changes are asked for.</param>
/// <param name="Overlap">How far each question reaches back before the last answer: indexes lag, clocks differ.</param>
/// <param name="Serves">Whether a project is this site's.</param>
public sealed record IntakeOptions(string Holder, TimeSpan CatchUpEvery, TimeSpan Overlap, Func<string, bool> Serves);
