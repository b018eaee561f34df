using System.Globalization;
using System.Runtime.CompilerServices;

namespace WmfCi.Kubernetes;

/// <summary>Whose log is followed.</summary>
/// <param name="Pod">The pod's name.</param>
/// <param name="Container">The container's, init containers included.</param>
public sealed record LogSource(string Pod, string Container)
{
    /// <summary>How much is taken, in bytes; what a container prints beyond is not passed on.</summary>
    public long MaxBytes { get; init; } = 256L * 1024 * 1024;
}

/// <summary>A piece of a container's output.</summary>
/// <param name="Offset">The place of its first byte.</param>
/// <param name="Bytes">The output.</param>
/// <param name="Missing">How many bytes directly before it are lost, because the log was rotated away before it was read.</param>
public readonly record struct LogPiece(long Offset, ReadOnlyMemory<byte> Bytes, long Missing);

/// <summary>Why nothing more comes of a log.</summary>
public enum LogEnding
{
    /// <summary>It goes on.</summary>
    None,

    /// <summary>The container ended, and everything that the API server has was read.</summary>
    Complete,

    /// <summary>The pod is gone, and the rest of its log with it.</summary>
    PodGone,

    /// <summary>The container ended, and its last lines could not be read.</summary>
    Incomplete,
}

/// <summary>
/// Follows the log of one container over broken connections, rotated files and streams that fall silent: each byte once, in order. It reconnects from the time of
/// the last line, which the server rounds down to the second, and leaves out what it has.
/// </summary>
public sealed class LogFollower
{
    /// <summary>The longest line of a log. Frames are far shorter, and a container runtime splits lines at 16 KiB.</summary>
    private const int MaxLine = 64 * 1024;

    /// <summary>How often the last lines of an ended container are asked for.</summary>
    private const int MaxFinalTries = 6;

    /// <summary>How long a silent stream is believed at first, and at most: one that stopped at a rotation says nothing either.</summary>
    private static readonly TimeSpan FirstIdle = TimeSpan.FromSeconds(2), LongestIdle = TimeSpan.FromSeconds(60);

    /// <summary>How long the stream of an ended container may take to say the rest.</summary>
    private static readonly TimeSpan DrainTime = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100), LongestPause = TimeSpan.FromSeconds(5);

    private readonly Cluster _cluster;
    private readonly LogSource _source;
    private readonly LogAssembly _assembly;

    private LogFollower(Cluster cluster, LogSource source, LogAssembly assembly) => (_cluster, _source, _assembly) = (cluster, source, assembly);

    /// <summary>The offset after everything that was passed on.</summary>
    public long Next => _assembly.Next;

    /// <summary>How many lines were no frames, or too long.</summary>
    public long Foreign => _assembly.Foreign;

    /// <summary>How often the log was asked for.</summary>
    public int Connections { get; private set; }

    /// <summary>
    /// How many bytes the container printed, once it is known. The API server ends an answer properly even where the node's broke off; so the rest is asked for until
    /// this is reached.
    /// </summary>
    public long? Total { get; set; }

    /// <summary>Why nothing more comes.</summary>
    public LogEnding Ending { get; private set; }

    /// <summary>What is wrong with the connection now; null where nothing is.</summary>
    public ClusterFault? Trouble { get; private set; }

    /// <summary>The log of a step, whose lines are <see cref="Workspaces.Wire.LogFrame"/>s with offsets.</summary>
    /// <param name="cluster">Where.</param>
    /// <param name="source">Whose.</param>
    /// <param name="from">The offset from which on it is wanted.</param>
    public static LogFollower OfStep(Cluster cluster, LogSource source, long from) => new(cluster, source, new FramedLog(from, source.MaxBytes));

    /// <summary>The log of a service, whose lines are anything. Its offsets count what was passed on.</summary>
    public static LogFollower OfService(Cluster cluster, LogSource source) => new(cluster, source, new PlainLog(source.MaxBytes));

    /// <summary>Reads it; once.</summary>
    /// <param name="ended">Cancelled when the container has ended, as its status says. Then the rest is read, and the enumeration ends.</param>
    /// <param name="cancellationToken">Ends it at once, by exception.</param>
    public async IAsyncEnumerable<LogPiece> ReadAsync(CancellationToken ended, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var idle = FirstIdle;
        var backoff = new Backoff(FirstPause, LongestPause);
        while (!ended.IsCancellationRequested && Ending is LogEnding.None)
        {
            var before = _assembly.Next;
            await foreach (var piece in ConnectAsync(idle, ended, cancellationToken)) yield return piece;
            if (_assembly.Next > before)
            {
                idle = FirstIdle;
                backoff.Reset();
            }
            else
            {
                idle = idle * 2 < LongestIdle ? idle * 2 : LongestIdle;
            }
            if (Ending is LogEnding.None) await PauseAsync(backoff.Next(Trouble?.RetryAfter), ended, cancellationToken);
        }
        for (var tries = 1; Ending is LogEnding.None; tries++)
        {
            if (_assembly.Next >= Total)
            {
                Ending = LogEnding.Complete;
                break;
            }
            await foreach (var piece in ConnectAsync(null, CancellationToken.None, cancellationToken)) yield return piece;
            if (Ending is not LogEnding.None) break;
            if (Trouble is null && Total is null) Ending = LogEnding.Complete;
            else if (tries == MaxFinalTries) Ending = _assembly.Next >= Total ? LogEnding.Complete : LogEnding.Incomplete;
            else await PauseAsync(backoff.Next(Trouble?.RetryAfter), CancellationToken.None, cancellationToken);
        }
        if (_assembly.Flush() is { } last) yield return last;
    }

    /// <summary>One connection, until it ends, breaks or falls silent.</summary>
    /// <param name="idle">How long it may be silent; null to take what is there and not wait for more.</param>
    /// <param name="ended">The container has ended.</param>
    /// <param name="cancellationToken">Ends it by exception.</param>
    private async IAsyncEnumerable<LogPiece> ConnectAsync(TimeSpan? idle, CancellationToken ended, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(Timeout.InfiniteTimeSpan, _cluster.Time);
        await using var stop = cancellationToken.UnsafeRegister(state => ((CancellationTokenSource)state!).Cancel(), limit);
        await using var drain = ended.UnsafeRegister(state => ((CancellationTokenSource)state!).CancelAfter(DrainTime), limit);
        Connections++;
        using var response = await OpenAsync(idle is not null, limit.Token, cancellationToken);
        if (response is null) yield break;
        await using var lines = new LineReader(await response.Content.ReadAsStreamAsync(cancellationToken), MaxLine);
        _assembly.Connected();
        while (await MoreAsync(lines, idle, limit, ended))
        {
            while (lines.TryTake(out var line))
            {
                if (_assembly.Take(line) is { } piece) yield return piece;
            }
            if (_assembly.Flush() is { } rest) yield return rest;
        }
        cancellationToken.ThrowIfCancellationRequested();
        // Without a line end it is complete only where the whole answer is.
        if (idle is null && Trouble is null && !lines.Rest.IsEmpty && _assembly.Take(lines.Rest, isEnded: false) is { } last) yield return last;
        _assembly.Foreign += lines.TooLong;
    }

    private async Task<HttpResponseMessage?> OpenAsync(bool follow, CancellationToken limit, CancellationToken cancellationToken)
    {
        var path = $"{KindOf<k8s.Models.V1Pod>.Value.Path(_cluster.Namespace)}/{Uri.EscapeDataString(_source.Pod)}/log"
            + $"?container={Uri.EscapeDataString(_source.Container)}&timestamps=true{(follow ? "&follow=true" : "")}{Since()}";
        try
        {
            var response = await _cluster.OpenAsync(HttpMethod.Get, path, null, limit);
            Trouble = null;
            return response;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            Trouble = ClusterFault.Of(e);
            if (Trouble.Kind is FaultKind.NotFound) Ending = LogEnding.PodGone;
            // Of an ended container that never started there is nothing.
            else if (Trouble.Kind is FaultKind.BadRequest && !follow) Trouble = null;
            return null;
        }
    }

    private string Since() => _assembly.Time is { } time ? "&sinceTime=" + Uri.EscapeDataString(time.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture)) : "";

    private async Task<bool> MoreAsync(LineReader lines, TimeSpan? idle, CancellationTokenSource limit, CancellationToken ended)
    {
        // The patience is with the server only: the time that the consumer takes for a piece is not counted.
        if (!ended.IsCancellationRequested) limit.CancelAfter(idle ?? LongestIdle);
        try
        {
            var isMore = await lines.MoreAsync(limit.Token);
            limit.CancelAfter(ended.IsCancellationRequested ? DrainTime : Timeout.InfiniteTimeSpan);
            return isMore;
        }
        catch (OperationCanceledException e)
        {
            if (idle is null) Trouble = ClusterFault.Of(e);
            return false;
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            Trouble = ClusterFault.Of(e);
            return false;
        }
    }

    private async Task PauseAsync(TimeSpan pause, CancellationToken ended, CancellationToken cancellationToken)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ended, cancellationToken);
        try
        {
            await Task.Delay(pause, _cluster.Time, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // The container ended: no reason to wait.
        }
    }
}
