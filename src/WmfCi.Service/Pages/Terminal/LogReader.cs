using System.Buffers;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>A part of a log, as a page shows it.</summary>
/// <param name="Rows">Rows of HTML.</param>
/// <param name="First">Where the first of them begins.</param>
/// <param name="Next">Where the line begins that comes after them.</param>
/// <param name="State">What is known of the whole log.</param>
/// <param name="Partial">A line that has begun and not ended, where the log grows.</param>
public sealed record LogPortion(IReadOnlyList<string> Rows, LogPlace First, LogPlace Next, LogState State, string? Partial)
{
    /// <summary>Whether there are lines before it.</summary>
    public bool HasEarlier => First.Line > 0;

    /// <summary>Whether there are lines after it that the log already has.</summary>
    public bool HasLater => Next.Line < State.Lines;

    /// <summary>Whether the log is still growing.</summary>
    public bool IsGrowing => State.Digest is null;
}

/// <summary>Reads parts of logs, of those that grow in the database and of those that are whole in the store.</summary>
/// <param name="logs">Growing logs.</param>
/// <param name="store">Whole logs.</param>
public sealed class LogReader(Logs logs, IArtifactStore store)
{
    /// <summary>How many lines one page shows.</summary>
    public const int MaxLines = 2000;

    /// <summary>How many bytes of the log one page shows.</summary>
    public const int MaxBytes = 1024 * 1024;

    /// <summary>How far back a page looks for the colours that are still in force where it begins.</summary>
    public const int StyleLookback = 64 * 1024;

    /// <summary>How many stored pieces are read at once.</summary>
    public const int PiecesAtOnce = 32;

    internal const int BlockBytes = 64 * 1024;

    /// <summary>The end of a log, or the part that begins with a line.</summary>
    /// <param name="id">Whose log.</param>
    /// <param name="fromLine">The number of the first line to show, from 1; null for the end of the log.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when there is no log, or the store no longer has it.</returns>
    public async Task<LogPortion?> ReadAsync(AttemptId id, long? fromLine, CancellationToken cancellationToken)
    {
        // Twice, since the log may be closed (and its pieces removed) between the two looks.
        for (var look = 0; look < 2; look++)
        {
            if (await logs.FindAsync(id, cancellationToken) is not { } state) return null;
            if (state.Digest is { } digest) return await ReadWholeAsync(digest, state, fromLine, cancellationToken);
            var portion = await ReadGrowingAsync(id, state, fromLine, cancellationToken);
            if (portion.Next.Byte > 0 || state.Size == 0) return portion;
        }
        return null;
    }

    private async Task<LogPortion?> ReadWholeAsync(string digest, LogState state, long? fromLine, CancellationToken cancellationToken)
    {
        var opened = await store.OpenAsync(digest, cancellationToken);
        if (opened is null) return null;
        await using var stream = opened;
        var (place, line) = fromLine is { } from ? await FindLineAsync(stream, from - 1, cancellationToken) : await FindTailAsync(stream, state.Lines, cancellationToken);
        var first = new LogPlace(place, line, 0, await StyleAtAsync(stream, place, cancellationToken));
        stream.Position = place;
        var collector = new Collector(first, Prefix(first, state));
        var buffer = ArrayPool<byte>.Shared.Rent(BlockBytes);
        try
        {
            int read;
            while ((read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
                if (!collector.Add(buffer.AsSpan(0, read))) break;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
        return collector.Finish(state, ended: true);
    }

    private async Task<LogPortion> ReadGrowingAsync(AttemptId id, LogState state, long? fromLine, CancellationToken cancellationToken)
    {
        var wanted = fromLine is { } from ? from - 1 : Math.Max(0, state.Lines - MaxLines + 1); // and the line that has begun
        var next = fromLine is null ? Math.Max(0, state.Size - MaxBytes) : 0;
        Collector? collector = null;
        var link = wanted > 0 ? $"?from={wanted + 1}" : "";
        while (true)
        {
            var pieces = await logs.ReadAsync(id, next, PiecesAtOnce, cancellationToken);
            foreach (var piece in pieces)
            {
                next = piece.Start + 1;
                if (collector is null)
                {
                    if (!TryBegin(piece, wanted, out var begin)) continue;
                    collector = new Collector(begin, link);
                }
                if (!collector.Add(piece)) return collector.Finish(state, ended: false);
            }
            if (pieces.Count == 0 && collector is null && next > 0 && fromLine is null)
            {
                // The last piece alone is longer than what we meant to show.
                (next, fromLine) = (0, wanted + 1);
                continue;
            }
            if (pieces.Count < PiecesAtOnce) return (collector ?? new Collector(default, link)).Finish(state, ended: false);
        }
    }

    // The place of the wanted line, or of the first line that begins in the piece where the wanted one is further back than we look.
    private static bool TryBegin(LogChunk piece, long wanted, out LogPlace place)
    {
        place = default;
        var (at, line) = (0, piece.FirstLine);
        if (piece.Start > 0 && line >= wanted)
        {
            at = piece.Bytes.AsSpan().IndexOf((byte)'\n') + 1;
            if (at == 0) return false;
            line++;
        }
        while (line < wanted)
        {
            var length = piece.Bytes.AsSpan(at).IndexOf((byte)'\n') + 1;
            if (length == 0) return false;
            at += length;
            line++;
        }
        place = new LogPlace(piece.Start + at, line, piece.Start, default);
        return true;
    }

    private static async Task<(long Place, long Line)> FindLineAsync(Stream stream, long line, CancellationToken cancellationToken)
    {
        var buffer = new byte[BlockBytes];
        long passed = 0, place = 0, lastStart = 0;
        int read;
        while (passed < line && (read = await stream.ReadAsync(buffer, cancellationToken)) > 0)
        {
            var block = buffer.AsMemory(0, read);
            var ends = block.Span.Count((byte)'\n');
            if (passed + ends < line)
            {
                if (ends > 0) lastStart = place + block.Span.LastIndexOf((byte)'\n') + 1;
                passed += ends;
                place += read;
                continue;
            }
            var at = 0;
            for (; passed < line; passed++) at += block.Span[at..].IndexOf((byte)'\n') + 1;
            return (place + at, passed);
        }
        // Past the end: the last line that there is.
        return (lastStart, passed);
    }

    private static async Task<(long Place, long Line)> FindTailAsync(Stream stream, long lines, CancellationToken cancellationToken)
    {
        var buffer = new byte[BlockBytes];
        var floor = Math.Max(0, stream.Length - MaxBytes);
        var (place, ends, best, bestEnds) = (stream.Length, 0L, stream.Length, 0L);
        var max = await EndsWithinLineAsync(stream, cancellationToken) ? MaxLines - 1 : MaxLines;
        while (place > floor)
        {
            var length = (int)Math.Min(BlockBytes, place - floor);
            stream.Position = place - length;
            await stream.ReadExactlyAsync(buffer.AsMemory(0, length), cancellationToken);
            for (var at = length; (at = buffer.AsSpan(0, at).LastIndexOf((byte)'\n')) >= 0;)
            {
                if (ends == max) return (place - length + at + 1, lines - ends);
                (best, bestEnds) = (place - length + at + 1, ends);
                ends++;
            }
            place -= length;
        }
        if (floor == 0) return (0, 0);
        // One line longer than all that we show: its end is shown, as if it began there.
        return bestEnds > 0 ? (best, lines - bestEnds) : (floor, Math.Max(0, lines - ends));
    }

    private static async Task<bool> EndsWithinLineAsync(Stream stream, CancellationToken cancellationToken)
    {
        if (stream.Length == 0) return false;
        var last = new byte[1];
        stream.Position = stream.Length - 1;
        await stream.ReadExactlyAsync(last, cancellationToken);
        return last[0] != (byte)'\n';
    }

    private static async Task<TextStyle> StyleAtAsync(Stream stream, long place, CancellationToken cancellationToken)
    {
        if (place == 0) return default;
        var before = new byte[Math.Min(place, StyleLookback)];
        stream.Position = place - before.Length;
        await stream.ReadExactlyAsync(before, cancellationToken);
        var renderer = new LogRenderer(default);
        renderer.Feed(before, new List<string>());
        return renderer.LineStart.Style;
    }

    private static string Prefix(LogPlace first, LogState state) => first.Line > 0 || state.Lines > MaxLines ? $"?from={first.Line + 1}" : "";

    private sealed class Collector(LogPlace first, string link)
    {
        private readonly LogRenderer _renderer = new(first, link);
        private readonly List<string> _rows = [];

        public bool Add(ReadOnlySpan<byte> bytes)
        {
            while (!bytes.IsEmpty && _rows.Count < MaxLines && _renderer.LineStart.Byte - first.Byte < MaxBytes)
            {
                var end = bytes.IndexOf((byte)'\n');
                var part = end < 0 ? bytes : bytes[..(end + 1)];
                _renderer.Feed(part, _rows);
                bytes = bytes[part.Length..];
            }
            return bytes.IsEmpty;
        }

        public bool Add(LogChunk piece)
        {
            var skip = (int)Math.Clamp(_renderer.Position - piece.Start, 0, piece.Bytes.Length);
            var all = Add(piece.Bytes.AsSpan(skip));
            if (_renderer.LineStart.Byte >= piece.Start) _renderer.SetAnchor(piece.Start);
            return all;
        }

        public LogPortion Finish(LogState state, bool ended)
        {
            var isFull = _rows.Count >= MaxLines || _renderer.LineStart.Byte - first.Byte >= MaxBytes;
            if (ended && !isFull && _renderer.Finish() is { } last) _rows.Add(last);
            return new LogPortion(_rows, first, _renderer.LineStart, state, ended || isFull ? null : _renderer.Partial());
        }
    }
}
