using System.Buffers;
using System.IO.Pipelines;

namespace WmfCi.Kubernetes;

/// <summary>Takes a stream apart into lines of bounded length. A line that is too long is left out, and counted.</summary>
internal sealed class LineReader : IAsyncDisposable
{
    private readonly PipeReader _reader;
    private readonly int _longest;
    private ReadOnlySequence<byte> _buffer;
    private bool _isEnd, _isSkipping;

    public LineReader(Stream stream, int longest)
    {
        _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(bufferSize: 64 * 1024));
        _longest = longest;
    }

    /// <summary>How many lines were left out because of their length.</summary>
    public long TooLong { get; private set; }

    /// <summary>What follows the last line end when the stream is over; a connection that broke leaves half a line here.</summary>
    public ReadOnlySequence<byte> Rest => _isSkipping ? default : _buffer;

    /// <summary>Waits for more bytes. What <see cref="TryTake"/> gave before is no longer valid.</summary>
    /// <returns>False at the end of the stream; then <see cref="Rest"/> is what is left.</returns>
    public async ValueTask<bool> MoreAsync(CancellationToken cancellationToken)
    {
        if (_isEnd) return false;
        _reader.AdvanceTo(_buffer.Start, _buffer.End);
        var read = await _reader.ReadAsync(cancellationToken);
        _buffer = read.Buffer;
        _isEnd = read.IsCompleted;
        return !_isEnd || !_buffer.IsEmpty;
    }

    /// <summary>Takes a whole line of what is there, without its end.</summary>
    public bool TryTake(out ReadOnlySequence<byte> line)
    {
        while (_buffer.PositionOf((byte)'\n') is { } end)
        {
            line = _buffer.Slice(0, end);
            _buffer = _buffer.Slice(_buffer.GetPosition(1, end));
            if (!_isSkipping && line.Length <= _longest) return true;
            if (!_isSkipping) TooLong++;
            _isSkipping = false;
        }
        if (_buffer.Length > _longest)
        {
            if (!_isSkipping) TooLong++;
            _isSkipping = true;
            _buffer = _buffer.Slice(_buffer.End);
        }
        line = default;
        return false;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _reader.CompleteAsync();
}
