using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>What a log gains, as server-sent events. The id of an event is the place after its rows, so that a reader whose connection broke misses nothing and gets nothing twice.</summary>
/// <param name="logs">Growing logs.</param>
/// <param name="store">Whole logs.</param>
/// <param name="runs">Tells whether the run may still be seen.</param>
/// <param name="time">Measures the waits.</param>
public sealed class LogFollow(Logs logs, IArtifactStore store, RunTable runs, TimeProvider time)
{
    /// <summary>Rows of lines that ended; has an id.</summary>
    public const string RowsEvent = "rows";

    /// <summary>The line that has begun, as it stands; takes the place of the one before. Has no id.</summary>
    public const string PartialEvent = "partial";

    /// <summary>The log is whole, and all of it was sent.</summary>
    public const string EndEvent = "end";

    /// <summary>The log was begun anew: what was sent no longer holds.</summary>
    public const string ResetEvent = "reset";

    /// <summary>Nothing new; keeps the connection open.</summary>
    public const string IdleEvent = "idle";

    /// <summary>How long a follower waits for a notification before it looks by itself.</summary>
    public static readonly TimeSpan Poll = TimeSpan.FromSeconds(5);

    /// <summary>How long one connection lasts; the reader's program comes back by itself and goes on where it was.</summary>
    public static readonly TimeSpan MaxConnection = TimeSpan.FromMinutes(30);

    /// <summary>The events from a place on.</summary>
    /// <param name="id">Whose log.</param>
    /// <param name="from">Where the reader is.</param>
    /// <param name="follower">Wakes it.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public async IAsyncEnumerable<SseItem<string>> EventsAsync(
        AttemptId id, LogPlace from, LogFollowers.Follower follower, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (renderer, anchor, shown) = (new LogRenderer(from), from.Anchor, (string?)null);
        var (began, looked) = (time.GetTimestamp(), time.GetTimestamp());
        while (time.GetElapsedTime(began) < MaxConnection)
        {
            var state = await logs.FindAsync(id, cancellationToken);
            if (state?.Digest is { } digest)
            {
                await foreach (var item in WholeAsync(digest, renderer, cancellationToken)) yield return item;
                yield break;
            }
            var pieces = await logs.ReadAsync(id, anchor, LogReader.PiecesAtOnce, cancellationToken);
            var isWhole = pieces.Count > 0 || renderer.Position == 0;
            foreach (var piece in pieces)
            {
                if (!(isWhole = Continues(renderer, piece))) break;
                if (Take(renderer, piece) is { } rows) yield return rows;
                anchor = piece.Start;
            }
            if (!isWhole)
            {
                // The pieces are gone: the log was closed just now, or begun anew.
                if ((await logs.FindAsync(id, cancellationToken))?.Digest is not null) continue;
                yield return new SseItem<string>("", ResetEvent);
                yield break;
            }
            if (pieces.Count == LogReader.PiecesAtOnce) continue;
            var partial = renderer.Partial();
            if (partial is not null && partial != shown) yield return new SseItem<string>(partial, PartialEvent);
            shown = partial;
            await follower.WaitAsync(Poll, time, cancellationToken);
            if (time.GetElapsedTime(looked) < Poll) continue;
            looked = time.GetTimestamp();
            if (await HasEndedAsync(id, cancellationToken))
            {
                yield return new SseItem<string>("", EndEvent);
                yield break;
            }
            yield return new SseItem<string>("", IdleEvent);
        }
    }

    private static bool Continues(LogRenderer renderer, LogChunk piece) => renderer.Position >= piece.Start && renderer.Position - piece.Start <= piece.Bytes.Length;

    private static SseItem<string>? Take(LogRenderer renderer, LogChunk piece)
    {
        var rows = new List<string>();
        renderer.Feed(piece.Bytes.AsSpan((int)(renderer.Position - piece.Start)), rows);
        if (renderer.LineStart.Byte >= piece.Start) renderer.SetAnchor(piece.Start);
        return Rows(rows, renderer);
    }

    private static SseItem<string>? Rows(List<string> rows, LogRenderer renderer) =>
        rows.Count == 0 ? null : new SseItem<string>(string.Concat(rows), RowsEvent) { EventId = renderer.LineStart.ToString() };

    private async IAsyncEnumerable<SseItem<string>> WholeAsync(string digest, LogRenderer renderer, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var opened = await store.OpenAsync(digest, cancellationToken);
        if (opened is not null)
        {
            await using var stream = opened;
            if (renderer.Position > stream.Length)
            {
                yield return new SseItem<string>("", ResetEvent);
                yield break;
            }
            stream.Position = renderer.Position;
            var buffer = new byte[LogReader.BlockBytes];
            int read;
            while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
            {
                var rows = new List<string>();
                renderer.Feed(buffer.AsSpan(0, read), rows);
                if (Rows(rows, renderer) is { } item) yield return item;
            }
            if (renderer.Finish() is { } last) yield return new SseItem<string>(last, RowsEvent) { EventId = renderer.LineStart.ToString() };
        }
        yield return new SseItem<string>("", EndEvent);
    }

    // An attempt may end without a log, and a change may become private while somebody reads.
    private async Task<bool> HasEndedAsync(AttemptId id, CancellationToken cancellationToken)
    {
        if (await runs.FindAsync(id.Run, cancellationToken) is not { IsHidden: false } found) return true;
        var attempt = found.Run.FindStage(id.Stage)?.Attempts.FirstOrDefault(one => one.Number == id.Number);
        return attempt?.Outcome is not null && (await logs.FindAsync(id, cancellationToken))?.Digest is null;
    }
}
