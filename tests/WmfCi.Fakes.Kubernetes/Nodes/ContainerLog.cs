using System.Buffers;
using System.Text;

namespace WmfCi.Fakes.Kubernetes.Nodes;

/// <summary>The log of one container as a container runtime writes it: lines with times, long ones in pieces; a file that is full is rotated away.</summary>
internal sealed class ContainerLog(TimeProvider time, int rotateAt)
{
    /// <summary>The longest piece of a line.</summary>
    private const int MaxPiece = 16 * 1024;

    private readonly Lock _lock = new();
    private readonly List<LogEntry> _entries = [];
    private readonly ArrayBufferWriter<byte> _rest = new();
    private TaskCompletionSource _more = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _first;
    private int _bytes;

    /// <summary>Whether nothing more comes.</summary>
    public bool IsOver { get; private set; }

    public void Append(ReadOnlySpan<byte> output)
    {
        lock (_lock)
        {
            while (output.IndexOf((byte)'\n') is var end and >= 0)
            {
                _rest.Write(output[..end]);
                Write(isPartial: false);
                output = output[(end + 1)..];
            }
            _rest.Write(output);
            if (_rest.WrittenCount >= MaxPiece) Write(isPartial: true);
        }
        Wake();
    }

    public void End()
    {
        lock (_lock)
        {
            if (_rest.WrittenCount > 0) Write(isPartial: true);
            IsOver = true;
        }
        Wake();
    }

    /// <summary>Leaves only the last lines in the file that the API server reads.</summary>
    public void Rotate(int kept)
    {
        lock (_lock)
        {
            var gone = Math.Max(0, _entries.Count - kept);
            _entries.RemoveRange(0, gone);
            _first += gone;
            _bytes = _entries.Sum(entry => entry.Text.Length);
        }
    }

    /// <summary>What is there from a place on.</summary>
    public (LogEntry[] Entries, long Next, bool IsOver, Task More) From(long place)
    {
        lock (_lock)
        {
            var skipped = (int)Math.Clamp(place - _first, 0, _entries.Count);
            return ([.. _entries.Skip(skipped)], _first + _entries.Count, IsOver, _more.Task);
        }
    }

    /// <summary>The end of it, for messages.</summary>
    public string Tail(int characters)
    {
        var text = new StringBuilder();
        foreach (var entry in From(0).Entries) text.Append(Encoding.UTF8.GetString(entry.Text)).Append(entry.IsPartial ? "" : "\n");
        return text.Length > characters ? text.ToString(text.Length - characters, characters) : text.ToString();
    }

    private void Write(bool isPartial)
    {
        var all = _rest.WrittenSpan.ToArray().AsSpan();
        _rest.ResetWrittenCount();
        do
        {
            var piece = all[..Math.Min(all.Length, MaxPiece)];
            all = all[piece.Length..];
            _entries.Add(new LogEntry(time.GetUtcNow(), piece.ToArray(), isPartial || all.Length > 0));
            _bytes += piece.Length;
        }
        while (all.Length > 0);
        if (_bytes > rotateAt) Rotate(0);
    }

    private void Wake()
    {
        TaskCompletionSource former;
        lock (_lock) (former, _more) = (_more, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        former.TrySetResult();
    }
}

/// <summary>A line of a log, or a piece of one.</summary>
internal readonly record struct LogEntry(DateTimeOffset Time, byte[] Text, bool IsPartial);
