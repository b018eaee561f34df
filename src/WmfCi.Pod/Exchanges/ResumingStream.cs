using System.Net;

namespace WmfCi.Pod.Exchanges;

/// <summary>A blob on its way here. Where the connection breaks, the next one goes on where it broke; that nothing is lost or doubled, whoever reads sees by the digest.</summary>
internal sealed class ResumingStream : Stream
{
    private const int MaxResumes = 20;
    private readonly Exchange _exchange;
    private readonly string _digest;
    private readonly TimeProvider _time;
    private HttpResponseMessage _answer;
    private Stream _body;
    private long _read;
    private int _resumes;
    private bool _isBroken;

    private ResumingStream(Exchange exchange, string digest, HttpResponseMessage answer, Stream body, TimeProvider time)
    {
        _exchange = exchange;
        _digest = digest;
        _answer = answer;
        _body = body;
        _time = time;
    }

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => _read; set => throw new NotSupportedException(); }

    public static async Task<ResumingStream> OpenAsync(Exchange exchange, string digest, HttpResponseMessage answer, TimeProvider time, CancellationToken cancellationToken) =>
        new(exchange, digest, answer, await answer.Content.ReadAsStreamAsync(cancellationToken), time);

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            try
            {
                if (_isBroken) await ResumeAsync(cancellationToken);
                var read = await ReadOnceAsync(buffer, cancellationToken);
                _read += read;
                return read;
            }
            catch (Exception error) when (error is IOException or HttpRequestException or TimeoutException && ++_resumes <= MaxResumes)
            {
                _isBroken = true;
            }
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count) =>
#pragma warning disable VSTHRD002 // What unpacks reads without awaiting; nothing here can lock, there is no thread that must be come back to.
        ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();
#pragma warning restore VSTHRD002

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing) _answer.Dispose();
        base.Dispose(disposing);
    }

    private async Task<int> ReadOnceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(Exchange.AnswerBound, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        try
        {
            return await _body.ReadAsync(buffer, either.Token);
        }
        catch (OperationCanceledException slow) when (late.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"nothing came for {Exchange.AnswerBound.TotalSeconds:0} s", slow);
        }
    }

    private async Task ResumeAsync(CancellationToken cancellationToken)
    {
        _answer.Dispose();
        _answer = await _exchange.GetBlobAsync(_digest, _read, cancellationToken) ?? throw new ContainerFailedException($"The store lost {_digest} while it was read.");
        _body = await _answer.Content.ReadAsStreamAsync(cancellationToken);
        // The exchange sends it all again: what is there already is passed over, and counted as read only once.
        var buffer = new byte[64 * 1024];
        for (var left = _answer.StatusCode == HttpStatusCode.PartialContent ? 0 : _read; left > 0;)
        {
            var passed = await ReadOnceAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), cancellationToken);
            if (passed == 0) throw new ContainerFailedException($"The store gave less of {_digest} than before.");
            left -= passed;
        }

        _isBroken = false;
    }
}
