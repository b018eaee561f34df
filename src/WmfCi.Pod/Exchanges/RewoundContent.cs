using System.Net;

namespace WmfCi.Pod.Exchanges;

/// <summary>An open file as the body of a request: sent from its beginning each time, and left open, so that every try sends what was hashed.</summary>
internal sealed class RewoundContent(Stream content) : HttpContent
{
    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        content.Position = 0;
        return content.CopyToAsync(stream, cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = content.Length;
        return true;
    }
}
