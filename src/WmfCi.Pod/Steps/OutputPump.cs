using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Steps;

/// <summary>
/// Reads what a step prints until nothing can print any more: keeps it in a file, and passes it on as frames. Beyond the bound it is read and counted only,
/// so that no process is held up or ended for printing.
/// </summary>
internal sealed unsafe class OutputPump : IDisposable
{
    private const int ReadBytes = 64 * 1024;

    // A piece of a line, such as a progress bar, is not held back for longer.
    private static readonly TimeSpan HoldBound = TimeSpan.FromMilliseconds(100);
    private readonly int _pipe;
    private readonly FileStream _file;
    private readonly Stream _frames;
    private readonly long _bound;
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly byte[] _held = new byte[ReadBytes + LogFrame.MaxBytes];
    private readonly byte[] _batch = new byte[2 * (ReadBytes + LogFrame.MaxBytes)];
    private int _heldBytes;
    private int _batchBytes;
    private long _heldSince;
    private bool _isFileClosed;
    private bool _isPassedOn = true;

    /// <param name="pipe">The reading end; closed in the end.</param>
    /// <param name="file">Where to keep it; a new file.</param>
    /// <param name="frames">Where to pass it on.</param>
    /// <param name="bound">How many bytes are kept.</param>
    public OutputPump(int pipe, FileStream file, Stream frames, long bound)
    {
        _pipe = pipe;
        _file = file;
        _frames = frames;
        _bound = bound;
        // Best effort: fewer switches between the step and this process.
        _ = Native.ControlDescriptor(pipe, Native.SetPipeSize, 4 * ReadBytes);
    }

    /// <summary>How many bytes were kept.</summary>
    public long Kept { get; private set; }

    /// <summary>How many were not.</summary>
    public long Dropped { get; private set; }

    /// <summary>The SHA-256 of what was kept; to be asked once, at the end.</summary>
    public string Finish() => Convert.ToHexStringLower(_hash.GetHashAndReset());

    public void Dispose()
    {
        _hash.Dispose();
        _file.Dispose();
    }

    /// <summary>Pumps until the last writer is gone.</summary>
    public void Run()
    {
        var buffer = new byte[ReadBytes];
        while (true)
        {
            if (_heldBytes > 0 && !HasInput(Left())) PassHeld();
            var read = ReadSome(buffer);
            if (read <= 0) break;
            Take(buffer.AsSpan(0, read));
        }

        PassHeld();
    }

    private TimeSpan Left()
    {
        var left = HoldBound - Stopwatch.GetElapsedTime(_heldSince);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private bool HasInput(TimeSpan within)
    {
        if (within <= TimeSpan.Zero) return false;
        var entry = new Native.PollEntry { Descriptor = _pipe, Wanted = Native.PollIn };
        // Interrupted: what is held goes out a little early. Failed: the read that follows tells.
        return Native.Poll(ref entry, 1, (int)Math.Ceiling(within.TotalMilliseconds)) > 0;
    }

    private int ReadSome(byte[] buffer)
    {
        fixed (byte* start = buffer)
        {
            while (true)
            {
                var read = Native.Read(_pipe, start, (nuint)buffer.Length);
                if (read >= 0 || Marshal.GetLastPInvokeError() != Native.InterruptedCall) return (int)read;
            }
        }
    }

    private void Take(ReadOnlySpan<byte> output)
    {
        var kept = output[..(int)Math.Min(output.Length, _isFileClosed ? 0 : _bound - Kept)];
        if (!Keep(kept)) kept = default;
        Dropped += output.Length - kept.Length;
        if (kept.IsEmpty) return;
        if (_heldBytes == 0) _heldSince = Stopwatch.GetTimestamp();
        kept.CopyTo(_held.AsSpan(_heldBytes));
        _heldBytes += kept.Length;
        Kept += kept.Length;
        Frame(isAll: false);
        Flush();
    }

    private bool Keep(ReadOnlySpan<byte> output)
    {
        if (output.IsEmpty) return false;
        try
        {
            _file.Write(output);
            _hash.AppendData(output);
            return true;
        }
        catch (IOException)
        {
            // The disk is full. What is kept stays right up to here; the rest is counted.
            _isFileClosed = true;
            Truncate();
            return false;
        }
    }

    private void Truncate()
    {
        try
        {
            _file.SetLength(Kept);
        }
        catch (IOException)
        {
            // Its digest shows that it is not what was printed.
        }
    }

    private void PassHeld()
    {
        Frame(isAll: true);
        Flush();
    }

    /// <summary>Makes frames of what is held: of whole lines and full pieces, or of everything.</summary>
    private void Frame(bool isAll)
    {
        var done = 0;
        while (done < _heldBytes)
        {
            var rest = _held.AsSpan(done, _heldBytes - done);
            if (!isAll && rest.Length < LogFrame.MaxBytes && !rest.Contains((byte)'\n')) break;
            if (_batch.Length - _batchBytes < LogFrame.MaxBytes + LogFrame.Overhead) Flush();
            _batchBytes += LogFrame.Write(Kept - _heldBytes + done, rest, _batch.AsSpan(_batchBytes), out var taken);
            done += taken;
        }

        if (done == 0) return;
        _held.AsSpan(done, _heldBytes - done).CopyTo(_held);
        _heldBytes -= done;
        _heldSince = Stopwatch.GetTimestamp();
    }

    private void Flush()
    {
        var batch = _batch.AsSpan(0, _batchBytes);
        _batchBytes = 0;
        if (batch.IsEmpty || !_isPassedOn) return;
        try
        {
            _frames.Write(batch);
        }
        catch (IOException)
        {
            // Nobody reads the container's log any more; the complete output is in the file.
            _isPassedOn = false;
        }
    }
}
