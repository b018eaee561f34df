using System.Text;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Ports;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Service.Effects;

/// <summary>
/// The log of one attempt: written to a file as it comes, and from there to where everybody can follow it. The file is the truth, so that a slow or absent database
/// delays only those who watch.
/// </summary>
public sealed partial class AttemptLog : IAttemptObserver, IAsyncDisposable
{
    /// <summary>How long output waits for more before it is shown.</summary>
    public static readonly TimeSpan FlushEvery = TimeSpan.FromMilliseconds(100);

    /// <summary>The largest piece that is shown at once.</summary>
    public const int MaxChunkBytes = 256 * 1024;

    /// <summary>How many pieces are taken over at once.</summary>
    public const int ChunksAtOnce = 16;

    /// <summary>How many lines of the last step are kept for the message.</summary>
    public const int ExcerptLines = 30;

    /// <summary>How long people are left with one reason for waiting before they are told another.</summary>
    public static readonly TimeSpan ReasonsEvery = TimeSpan.FromSeconds(3);

    /// <summary>How much of a line is kept for the message.</summary>
    public const int ExcerptLineBytes = 400;

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);
    private readonly AttemptId _id;
    private readonly Logs _logs;
    private readonly TimeProvider _time;
    private readonly ILogger _logger;
    private readonly AttemptNews _news;
    private readonly FileStream _file;
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _begins = new();
    private readonly Channel<string> _reasons = Channel.CreateBounded<string>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropOldest });
    private readonly SemaphoreSlim _showTurn = new(1, 1);
    private readonly Task _showing;
    private readonly Task _tellingReasons;
    private string? _reason;
    private Task _telling = Task.CompletedTask;
    private readonly Queue<string> _excerpt = new();
    private readonly List<byte> _line = [];
    private long _shown;
    private long _shownLines;
    private bool _begun;
    private bool _restarted;
    private bool _lineOpen;
    private bool _isAside;

    /// <summary>Opens the log.</summary>
    /// <param name="id">Whose.</param>
    /// <param name="folder">Where its file is while it grows.</param>
    /// <param name="logs">Where it is followed.</param>
    /// <param name="news">Told of what others than those who watch the log want to know.</param>
    /// <param name="surroundings">Clock and log.</param>
    public AttemptLog(AttemptId id, string folder, Logs logs, AttemptNews news, Surroundings surroundings)
    {
        (_id, _logs, _news, _time) = (id, logs, news, surroundings.Time);
        _logger = surroundings.Loggers.CreateLogger<AttemptLog>();
        Directory.CreateDirectory(folder);
        _file = new FileStream(Path.Combine(folder, $"{Guid.NewGuid():N}.log"), FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Read, 64 * 1024, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
        _showing = ShowAsync();
        _tellingReasons = TellReasonsAsync();
    }

    /// <summary>The last lines of the last step, one that was not ended included.</summary>
    public ValueArray<string> Excerpt
    {
        get
        {
            EndLine();
            return _excerpt.ToValueArray();
        }
    }

    /// <inheritdoc/>
    public async Task StepStartedAsync(string step, CancellationToken cancellationToken)
    {
        _isAside = false;
        _excerpt.Clear();
        _line.Clear();
        await OwnLineAsync($"==> {step}", cancellationToken);
        if (_begun) return;
        _begun = true;
        await _begins.CancelAsync();
        // The step does not wait for the database.
        _telling = TellAsync();
    }

    /// <inheritdoc/>
    public async Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        if (bytes.IsEmpty) return;
        if (!_isAside) Remember(bytes.Span);
        _lineOpen = bytes.Span[^1] != (byte)'\n';
        await WriteAsync(bytes, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task WaitingAsync(string reason, CancellationToken cancellationToken)
    {
        if (reason == _reason) return;
        _reason = reason;
        await NoteAsync(reason, cancellationToken);
        if (!_begun) _reasons.Writer.TryWrite(PlainText.Line(reason, Attempt.MaxReasonLength));
    }

    /// <inheritdoc/>
    public async Task AsideAsync(string title, CancellationToken cancellationToken)
    {
        _isAside = true;
        await OwnLineAsync($"==> {title}", cancellationToken);
    }

    /// <inheritdoc/>
    public async Task RestartAsync(CancellationToken cancellationToken)
    {
        await _showTurn.WaitAsync(cancellationToken);
        try
        {
            RandomAccess.SetLength(_file.SafeFileHandle, 0);
            (_shown, _shownLines, _restarted, _lineOpen) = (0, 0, false, false);
            _excerpt.Clear();
            _line.Clear();
            _reason = null;
        }
        finally
        {
            _showTurn.Release();
        }
    }

    /// <inheritdoc/>
    public Task NoteAsync(string line, CancellationToken cancellationToken) => OwnLineAsync($"[wmfci] {line}", cancellationToken);

    /// <summary>
    /// Where the runner had nothing to tell, because the attempt ended under a process that is gone: takes over what that process had shown. Its last moments may be
    /// missing, and the log says so.
    /// </summary>
    public async Task RecoverAsync(CancellationToken cancellationToken)
    {
        if (RandomAccess.GetLength(_file.SafeFileHandle) > 0) return;
        // What is taken over is there already: it is not shown again, and nothing of it is removed.
        _restarted = true;
        while (await _logs.ReadAsync(_id, _shown, ChunksAtOnce, cancellationToken) is { Count: > 0 } chunks)
        {
            foreach (var chunk in chunks)
            {
                var (end, bytes) = (chunk.Start + chunk.Bytes.Length, chunk.Bytes.AsMemory((int)Math.Clamp(_shown - chunk.Start, 0, chunk.Bytes.Length)));
                (_shown, _shownLines) = (end, _shownLines + bytes.Span.Count((byte)'\n'));
                if (!bytes.IsEmpty) await OutputAsync(bytes, cancellationToken);
            }
        }
        if (_shown > 0) await NoteAsync("This is the live copy: the process that wrote the log ended before it was stored, and its last moments may be missing.", cancellationToken);
    }

    /// <summary>Shows the rest, puts the whole log into the store, and tells what it came to.</summary>
    public async Task<LogState> CloseAsync(IArtifactStore store, CancellationToken cancellationToken)
    {
        await EndAsync();
        _file.Position = 0;
        var blob = await store.PutAsync(_file, long.MaxValue, cancellationToken);
        return new LogState(blob.Size, CountLines(), blob.Digest);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        _closed.Dispose();
        _begins.Dispose();
        _showTurn.Dispose();
        await _file.DisposeAsync();
    }

    private async Task EndAsync()
    {
        await _closed.CancelAsync();
        await _begins.CancelAsync();
        await _telling;
        await _tellingReasons;
        await _showing;
    }

    private async Task TellAsync()
    {
        for (var failures = 1; ; failures++)
        {
            try
            {
                await _news.Begins();
                return;
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
            {
                // That it has begun is news for those who watch only; its end is told by another way.
                NotShown(_id.ToString(), error.Message);
                if (_closed.IsCancellationRequested) return;
                await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), _time, _closed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    // The runner does not wait for the database here either. Of reasons that change quickly the last one is told.
    private async Task TellReasonsAsync()
    {
        try
        {
            for (string? told = null; ;)
            {
                var reason = await _reasons.Reader.ReadAsync(_begins.Token);
                if (reason == told) continue;
                for (var failures = 1; !await TryTellAsync(reason); failures++)
                {
                    await Task.Delay(Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), _time, _begins.Token);
                    if (_reasons.Reader.TryRead(out var newer)) reason = newer;
                }
                told = reason;
                await Task.Delay(ReasonsEvery, _time, _begins.Token);
            }
        }
        catch (OperationCanceledException) when (_begins.IsCancellationRequested)
        {
            // It waits no more.
        }
    }

    private async Task<bool> TryTellAsync(string reason)
    {
        try
        {
            await _news.Waits(reason);
            return true;
        }
        catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
        {
            NotShown(_id.ToString(), error.Message);
            return false;
        }
    }

    private async Task OwnLineAsync(string line, CancellationToken cancellationToken)
    {
        await WriteAsync(Utf8.GetBytes((_lineOpen ? "\n" : "") + line.ReplaceLineEndings(" ") + "\n"), cancellationToken);
        _lineOpen = false;
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await RandomAccess.WriteAsync(_file.SafeFileHandle, bytes, RandomAccess.GetLength(_file.SafeFileHandle), cancellationToken);
    }

    private void Remember(ReadOnlySpan<byte> bytes)
    {
        foreach (var part in bytes)
        {
            if (part == (byte)'\n') EndLine();
            else if (_line.Count < ExcerptLineBytes) _line.Add(part);
        }
    }

    private void EndLine()
    {
        var line = Encoding.UTF8.GetString(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_line)).TrimEnd('\r');
        _line.Clear();
        if (string.IsNullOrWhiteSpace(line)) return;
        _excerpt.Enqueue(line);
        if (_excerpt.Count > ExcerptLines) _excerpt.Dequeue();
    }

    private long CountLines()
    {
        Span<byte> buffer = stackalloc byte[8192];
        var (place, lines) = (0L, 0L);
        for (int read; (read = RandomAccess.Read(_file.SafeFileHandle, buffer, place)) > 0; place += read) lines += buffer[..read].Count((byte)'\n');
        return lines;
    }

    private async Task ShowAsync()
    {
        for (var failures = 0; ;)
        {
            var last = _closed.IsCancellationRequested;
            try
            {
                while (await ShowNextInTurnAsync())
                {
                }
                failures = 0;
            }
            catch (Exception error) when (error is NpgsqlException or TimeoutException or IOException)
            {
                // Those who watch wait; the log itself is whole in the file.
                failures++;
                NotShown(_id.ToString(), error.Message);
            }
            if (last) return;
            await Task.Delay(failures == 0 ? FlushEvery : Backoff.After(Math.Min(failures, 4), Random.Shared.NextDouble()), _time, _closed.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<bool> ShowNextInTurnAsync()
    {
        await _showTurn.WaitAsync();
        try
        {
            return await ShowNextAsync();
        }
        finally
        {
            _showTurn.Release();
        }
    }

    private async Task<bool> ShowNextAsync()
    {
        var waiting = RandomAccess.GetLength(_file.SafeFileHandle) - _shown;
        if (waiting <= 0) return false;
        var buffer = new byte[Math.Min(waiting, MaxChunkBytes)];
        var read = await RandomAccess.ReadAsync(_file.SafeFileHandle, buffer, _shown);
        if (read == 0) return false;
        // What an earlier life of the attempt showed goes when this one has something to show.
        if (!_restarted) await _logs.RestartAsync(_id, CancellationToken.None);
        _restarted = true;
        var chunk = new LogChunk(_shown, _shownLines, read == buffer.Length ? buffer : buffer[..read]);
        await _logs.AppendAsync(_id, chunk, CancellationToken.None);
        _shown += read;
        _shownLines += chunk.Bytes.AsSpan().Count((byte)'\n');
        return true;
    }

    [LoggerMessage(LogLevel.Warning, "The log of {Attempt} cannot be followed for now: {Reason}")]
    private partial void NotShown(string attempt, string reason);
}

/// <summary>What an attempt's log tells beyond the log. It goes on meanwhile, and repeats what failed for want of the database.</summary>
/// <param name="Begins">The first step begins; called once.</param>
/// <param name="Waits">It cannot begin yet, for this reason; called with each new one, and not too often.</param>
public sealed record AttemptNews(Func<Task> Begins, Func<string, Task> Waits);
