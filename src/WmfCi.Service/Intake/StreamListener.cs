using System.Threading.Channels;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
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
    private readonly Boundary _boundary;
    private readonly ILogger<StreamListener> _logger;
    private readonly Bell _askNow = new();
    private volatile string? _problem;

    /// <summary>Makes the listener.</summary>
    public StreamListener(ICodeReview review, Inbox inbox, Leases leases, CatchUp catchUp, IntakeOptions options, Surroundings surroundings)
    {
        (_review, _inbox, _leases, _catchUp, _options) = (review, inbox, leases, catchUp, options);
        (_time, _boundary, _logger) = (surroundings.Time, surroundings.Boundary, surroundings.Loggers.CreateLogger<StreamListener>());
    }

    /// <summary>Why this replica, which holds the stream, does not hear it; null when it does, or when another replica holds it.</summary>
    public string? Problem => _problem;

    /// <inheritdoc/>
    public override void Dispose()
    {
        _askNow.Dispose();
        base.Dispose();
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var holds = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                holds = await _leases.TakeAsync(LeaseName, _options.Holder, stoppingToken);
                if (holds) await HoldAsync(stoppingToken);
                else await Task.Delay(_leases.RenewEvery, _time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                break;
            }
            catch (Exception error)
            {
                // The place for this loop: whatever ended the watch, it is begun anew, here or on another replica.
                WatchEnded(error);
                await Task.Delay(_leases.RenewEvery, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        if (holds) await _leases.ReleaseAsync(LeaseName, _options.Holder, CancellationToken.None).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    // The watch: as long as the lease holds, the stream is listened to and changes are asked for. The two do not depend on one another.
    private async Task HoldAsync(CancellationToken stopping)
    {
        using var watch = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        Task[] parts = [RenewAsync(watch.Token), ListenAsync(watch.Token), AskAsync(watch.Token)];
        var first = await Task.WhenAny(parts);
        await watch.CancelAsync();
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _problem = null;
        await first;
    }

    private async Task ListenAsync(CancellationToken cancellationToken)
    {
        // Without a stream changes are found by asking alone.
        if (!_options.HasStream) await Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken);
        for (var failures = 0; ;)
        {
            var begun = _time.GetTimestamp();
            try
            {
                await ConnectAsync(cancellationToken);
            }
            catch (Exception error) when (error is CodeReviewException or NpgsqlException or IOException)
            {
                // The stream may be away for long. What it does not tell is asked for, now and from time to time.
                failures = _time.GetElapsedTime(begun) > SettleTime ? 1 : failures + 1;
                _problem = error.Message;
                var after = Backoff.After(Math.Min(failures, 7), Random.Shared.NextDouble());
                if (failures >= FailuresToTell) Down(_problem, failures, after);
                else Stumbled(_problem, after);
                _askNow.Ring();
                await Task.Delay(after, _time, cancellationToken);
            }
        }
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        using var session = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var lines = Channel.CreateBounded<string>(MaxLinesWaiting);
        Task[] parts = [ReadAsync(lines.Writer, session.Token), StoreAsync(lines.Reader, session.Token), SettleAsync(session.Token)];
        var first = await Task.WhenAny(parts);
        await session.CancelAsync();
        await Task.WhenAll(parts).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    // Nothing says when the stream is open. What happened between the last question and that moment is in neither, so it is asked for once it has surely connected.
    private async Task SettleAsync(CancellationToken cancellationToken)
    {
        await Task.Delay(SettleTime, _time, cancellationToken);
        _problem = null;
        _askNow.Ring();
        await Task.Delay(Timeout.InfiniteTimeSpan, _time, cancellationToken);
    }

    private async Task ReadAsync(ChannelWriter<string> lines, CancellationToken cancellationToken)
    {
        await foreach (var line in _review.ListenAsync(cancellationToken)) await lines.WriteAsync(line, cancellationToken);
        throw new CodeReviewException("The event stream ended.", FailureClass.Transient);
    }

    private async Task StoreAsync(ChannelReader<string> lines, CancellationToken cancellationToken)
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
            _problem = null;
            // A line that asks for nothing is no place: nothing could be lost there, and how many come is chance.
            if (pokes.Count > 0) _boundary.Reached("lines heard");
            await _inbox.AddAsync([.. pokes.Select(poke => new LaneEvent(poke.Key.Lane, new Event.ChangePoked(poke.Value)))], cancellationToken);
            if (pokes.Count > 0) _boundary.Reached("lines stored");
        }
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        while (await _leases.TakeAsync(LeaseName, _options.Holder, cancellationToken)) await Task.Delay(_leases.RenewEvery, _time, cancellationToken);
        LeaseLost();
    }

    private async Task AskAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await _catchUp.RunAsync(cancellationToken);
                if (!_options.HasStream) _problem = null;
            }
            catch (CodeReviewException error)
            {
                // It is asked again with the next round.
                if (!_options.HasStream) _problem = error.Message;
                CatchUpFailed(error.Message);
            }
            await _askNow.WaitAsync(_options.CatchUpEvery, cancellationToken);
        }
    }

    [LoggerMessage(LogLevel.Error, "The watch over the event stream ended; it is begun anew")]
    private partial void WatchEnded(Exception error);

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
public sealed record IntakeOptions(string Holder, TimeSpan CatchUpEvery, TimeSpan Overlap, Func<string, bool> Serves)
{
    /// <summary>Whether there is a stream to listen to; without one changes are found by asking only.</summary>
    public bool HasStream { get; init; } = true;
}
