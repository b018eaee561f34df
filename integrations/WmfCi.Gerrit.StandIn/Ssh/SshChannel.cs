using System.IO.Pipelines;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Ssh;

/// <summary>A session channel (RFC 4254): one command with its three streams, bounded by both sides' windows.</summary>
internal sealed class SshChannel : IDisposable
{
    /// <summary>How much the client may send before it was read.</summary>
    public const uint InputWindow = 2_097_152;
    public const uint MaxData = 32_768;
    private const uint StandardError = 1;

    private readonly SshTransport transport;
    private readonly uint remote;
    private readonly uint maxPacket;
    private readonly Pipe input = new(new PipeOptions(pauseWriterThreshold: 0));
    private readonly SemaphoreSlim writing = new(1, 1);
    private readonly CancellationTokenSource closed = new();
    private readonly Lock gate = new();
    private TaskCompletionSource roomChanged = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long room;
    private long inputLeft = InputWindow;

    public SshChannel(SshTransport transport, Account account, (uint Number, uint Window, uint MaxPacket) peer)
    {
        this.transport = transport;
        Account = account;
        remote = peer.Number;
        room = peer.Window;
        maxPacket = Math.Clamp(peer.MaxPacket, 1, MaxData);
        Input = new WindowedStream(input.Reader.AsStream(), this);
    }

    public Account Account { get; }

    public string? Protocol { get; set; }

    public bool Started { get; set; }

    /// <summary>Whether this side has sent its close; after it nothing may follow.</summary>
    public bool CloseSent { get; private set; }

    /// <summary>Ends when the client closed the channel or went away.</summary>
    public CancellationToken Closed => closed.Token;

    public Stream Input { get; }

    public async Task ReceiveAsync(byte[] data, CancellationToken ct)
    {
        lock (gate)
        {
            inputLeft -= data.Length;
            if (inputLeft < 0) throw new SshProtocolException("more data than the window allows");
        }
        await input.Writer.WriteAsync(data, ct);
    }

    public void EndInput() => input.Writer.Complete();

    public void AddRoom(uint bytes)
    {
        lock (gate)
        {
            room = Math.Min(room + bytes, uint.MaxValue);
            roomChanged.TrySetResult();
            roomChanged = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    public Task WriteAsync(ReadOnlyMemory<byte> data, CancellationToken ct) => WriteAsync(data, error: false, ct);

    public Task WriteErrorAsync(string text, CancellationToken ct) => WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), error: true, ct);

    public async Task FinishAsync(int exitStatus, CancellationToken ct)
    {
        await transport.SendAsync(new SshWriter().Byte(SshMessage.ChannelRequest).Number(remote).Text("exit-status").Flag(false).Number((uint)exitStatus).ToArray(), ct);
        await transport.SendAsync(new SshWriter().Byte(SshMessage.ChannelEof).Number(remote).ToArray(), ct);
        await CloseAsync(ct);
    }

    public async Task CloseAsync(CancellationToken ct)
    {
        if (CloseSent) return;
        CloseSent = true;
        await transport.SendAsync(new SshWriter().Byte(SshMessage.ChannelClose).Number(remote).ToArray(), ct);
    }

    public Task ReplyAsync(bool success, CancellationToken ct) =>
        transport.SendAsync(new SshWriter().Byte(success ? SshMessage.ChannelSuccess : SshMessage.ChannelFailure).Number(remote).ToArray(), ct);

    public void MarkClosed()
    {
        if (!closed.IsCancellationRequested) closed.Cancel();
    }

    public void Dispose()
    {
        closed.Dispose();
        writing.Dispose();
    }

    private async Task WriteAsync(ReadOnlyMemory<byte> data, bool error, CancellationToken ct)
    {
        await writing.WaitAsync(ct);
        try
        {
            while (data.Length > 0)
            {
                var size = await TakeRoomAsync(data.Length, ct);
                var message = new SshWriter().Byte(error ? SshMessage.ChannelExtendedData : SshMessage.ChannelData).Number(remote);
                if (error) message.Number(StandardError);
                await transport.SendAsync(message.Bytes(data.Span[..size]).ToArray(), ct);
                data = data[size..];
            }
        }
        finally
        {
            writing.Release();
        }
    }

    private async Task<int> TakeRoomAsync(int wanted, CancellationToken ct)
    {
        while (true)
        {
            Task changed;
            lock (gate)
            {
                if (room > 0)
                {
                    var size = (int)Math.Min(Math.Min(wanted, room), maxPacket);
                    room -= size;
                    return size;
                }
                changed = roomChanged.Task;
            }
            await changed.WaitAsync(ct);
        }
    }

    private async Task GiveRoomAsync(int read, CancellationToken ct)
    {
        lock (gate) inputLeft += read;
        if (!CloseSent) await transport.SendAsync(new SshWriter().Byte(SshMessage.ChannelWindowAdjust).Number(remote).Number((uint)read).ToArray(), ct);
    }

    /// <summary>The client's data; reading it gives the client room for as much again.</summary>
    private sealed class WindowedStream(Stream inner, SshChannel channel) : Stream
    {
        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            if (read > 0) await channel.GiveRoomAsync(read, cancellationToken);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();
        public override void Flush() => throw new NotSupportedException();
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
