using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Rest;

/// <summary>
/// What Gerrit's HTTP has of its own: the password in every request, and before every JSON answer a line <c>)]}'</c>, which is
/// taken off while the answer streams. An answer without that line (a proxy's) passes unchanged.
/// </summary>
internal sealed class GerritHandler(GerritOptions options, HttpMessageHandler inner) : DelegatingHandler(inner)
{
    private const int MaxRefusalBytes = 4096;

    private AuthenticationHeaderValue? _authorization;

    private static ReadOnlySpan<byte> Guard => ")]}'"u8;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        request.Headers.Authorization = _authorization ??= await ReadPasswordAsync(cancellationToken);
        var response = await base.SendAsync(request, cancellationToken);
        if (response.StatusCode == HttpStatusCode.Unauthorized) _authorization = null;
        response.Content = response.IsSuccessStatusCode ? await WithoutGuardAsync(response.Content, cancellationToken) : await RefusalAsync(response.Content, cancellationToken);
        return response;
    }

    // Refit reads refusals without a limit of time, so they are read here. Gerrit explains in plain text; pages of proxies say nothing that the status does not.
    private static async Task<HttpContent> RefusalAsync(HttpContent content, CancellationToken cancellationToken)
    {
        using var read = content;
        if (content.Headers.ContentType?.MediaType != "text/plain") return new StringContent("");
        var start = new byte[MaxRefusalBytes];
        await using var body = await content.ReadAsStreamAsync(cancellationToken);
        return new ByteArrayContent(start, 0, await body.ReadAtLeastAsync(start, start.Length, throwOnEndOfStream: false, cancellationToken));
    }

    private async Task<AuthenticationHeaderValue> ReadPasswordAsync(CancellationToken cancellationToken)
    {
        try
        {
            var password = (await File.ReadAllTextAsync(options.PasswordFile, cancellationToken)).Trim();
            return new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.User}:{password}")));
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new CodeReviewException("The file with Gerrit's HTTP password cannot be read: check its path and its rights.", FailureClass.Permanent, error);
        }
    }

    private async Task<HttpContent> WithoutGuardAsync(HttpContent content, CancellationToken cancellationToken)
    {
        var bounded = new BoundedStream(await content.ReadAsStreamAsync(cancellationToken), options.MaxResponseBytes);
        var reader = PipeReader.Create(bounded);
        var start = await reader.ReadAtLeastAsync(Guard.Length + 1, cancellationToken);
        reader.AdvanceTo(AfterGuard(start.Buffer));
        var clean = new StreamContent(reader.AsStream());
        clean.Headers.ContentType = content.Headers.ContentType;
        return clean;
    }

    private static SequencePosition AfterGuard(ReadOnlySequence<byte> start)
    {
        Span<byte> first = stackalloc byte[Guard.Length + 1];
        var length = (int)Math.Min(start.Length, first.Length);
        start.Slice(0, length).CopyTo(first);
        if (!first[..length].StartsWith(Guard)) return start.Start;
        return start.GetPosition(length > Guard.Length && first[Guard.Length] == (byte)'\n' ? Guard.Length + 1 : Guard.Length);
    }

    /// <summary>A stream that ends with an error where it is longer than it may be; <c>HttpClient</c> bounds only what it buffers itself.</summary>
    private sealed class BoundedStream(Stream inner, long max) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            Count(await inner.ReadAsync(buffer, cancellationToken));

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => Count(inner.Read(buffer, offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing) inner.Dispose();
            base.Dispose(disposing);
        }

        private int Count(int read) => (_read += read) <= max
            ? read
            : throw new CodeReviewException($"Gerrit's answer is larger than {max} bytes, which is more than is read.", FailureClass.Permanent);
    }
}
