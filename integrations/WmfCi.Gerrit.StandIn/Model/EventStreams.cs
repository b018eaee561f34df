using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;

namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>Everybody who listens to <c>gerrit stream-events</c>, each with a bounded queue; who falls behind is cut, as the real one does.</summary>
internal sealed class EventStreams
{
    private const int MaxWaitingLines = 20_000;
    private static readonly TimeSpan HandOverTime = TimeSpan.FromMilliseconds(500);
    private static readonly JsonSerializerOptions Wire = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private readonly Lock gate = new();
    private readonly List<Listener> listeners = [];
    private TaskCompletionSource opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool refuse;

    /// <summary>Whether new listeners are turned away.</summary>
    public bool Refuse
    {
        get { lock (gate) return refuse; }
        set { lock (gate) refuse = value; }
    }

    public int Count
    {
        get { lock (gate) return listeners.Count; }
    }

    public Listener? Open(Account account, IReadOnlySet<string> types)
    {
        var listener = new Listener(account, types, this);
        lock (gate)
        {
            if (refuse) return null;
            listeners.Add(listener);
            opened.TrySetResult();
            opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }
        return listener;
    }

    public async Task WaitForAsync(int count, CancellationToken ct)
    {
        while (true)
        {
            Task next;
            lock (gate)
            {
                if (listeners.Count >= count) return;
                next = opened.Task;
            }
            await next.WaitAsync(ct);
        }
    }

    public void CutAll()
    {
        lock (gate)
        {
            foreach (var listener in listeners) listener.End();
            listeners.Clear();
        }
    }

    /// <summary>Tells everybody who may know; <paramref name="change"/> is null for events that belong to no change.</summary>
    public void Publish(Change? change, params ReadOnlySpan<JsonObject> lines)
    {
        lock (gate)
        {
            foreach (var line in lines)
            {
                var type = line["type"]!.GetValue<string>();
                var bytes = Encoding.UTF8.GetBytes(line.ToJsonString(Wire) + "\n");
                foreach (var listener in listeners)
                {
                    if (change is not null && !Rights.MaySee(listener.Account, change)) continue;
                    listener.Offer(type, bytes);
                }
            }
            listeners.RemoveAll(l => l.Ended);
        }
    }

    /// <summary>
    /// Waits, a bounded time, until what was published has been written to every listener's connection: the real server's events come no
    /// later than the answer of the call that caused them, and tests lean on it.
    /// </summary>
    public async Task HandedOverAsync(CancellationToken ct)
    {
        Task[] waiting;
        lock (gate) waiting = [.. listeners.Select(l => l.IdleAsync(ct))];
        if (waiting.Length == 0) return;
        try
        {
            await Task.WhenAll(waiting).WaitAsync(HandOverTime, ct);
        }
        catch (TimeoutException)
        {
            // A listener that does not read must not hold up the others' calls.
        }
    }

    internal sealed class Listener(Account account, IReadOnlySet<string> types, EventStreams owner) : IDisposable
    {
        private readonly Channel<byte[]> queue = Channel.CreateBounded<byte[]>(
            new BoundedChannelOptions(MaxWaitingLines) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
        private readonly Lock counting = new();
        private TaskCompletionSource? idle;
        private int pending;

        public Account Account => account;
        public bool Ended { get; private set; }

        public void Offer(string type, byte[] line)
        {
            if (Ended || (types.Count > 0 && !types.Contains(type))) return;
            lock (counting) pending++;
            if (!queue.Writer.TryWrite(line)) End();
        }

        public IAsyncEnumerable<byte[]> ReadAllAsync(CancellationToken ct) => queue.Reader.ReadAllAsync(ct);

        /// <summary>Says that a line which was read has been written out.</summary>
        public void Written()
        {
            lock (counting)
            {
                if (--pending == 0) idle?.TrySetResult();
            }
        }

        public Task IdleAsync(CancellationToken ct)
        {
            lock (counting)
            {
                if (pending == 0 || Ended) return Task.CompletedTask;
                if (idle is null || idle.Task.IsCompleted) idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                return idle.Task.WaitAsync(ct);
            }
        }

        public void End()
        {
            lock (counting)
            {
                Ended = true;
                idle?.TrySetResult();
            }
            queue.Writer.TryComplete();
        }

        public void Dispose()
        {
            End();
            lock (owner.gate) owner.listeners.Remove(this);
        }
    }
}
