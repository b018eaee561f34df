using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>A process held by a descriptor: a number may mean another process a moment later, a descriptor never does.</summary>
internal sealed partial class HeldProcess : IDisposable
{
    public const int Terminate = 15, Kill = 9;
    private const long SendSignalCall = 424, OpenCall = 434;
    private const short Readable = 1;
    private const int Interrupted = 4;
    private readonly int _descriptor;

    private HeldProcess(int descriptor) => _descriptor = descriptor;

    /// <summary>Takes hold of a process.</summary>
    /// <returns>Null when there is none of this number any more.</returns>
    public static HeldProcess? TryHold(int process)
    {
        var descriptor = (int)Syscall(OpenCall, process, 0, 0, 0);
        return descriptor < 0 ? null : new HeldProcess(descriptor);
    }

    /// <summary>Sends a signal; harmless when the process has ended.</summary>
    public void Signal(int signal) => _ = Syscall(SendSignalCall, _descriptor, signal, 0, 0);

    /// <summary>Waits, blocking, until the process has ended. For the first process of a PID namespace that is after every other process of it.</summary>
    /// <returns>False when it had not ended after the bound.</returns>
    /// <exception cref="Win32Exception">The kernel does not let it be waited for.</exception>
    public bool WaitForEnd(TimeSpan bound)
    {
        var begun = Stopwatch.GetTimestamp();
        var request = new PollRequest { Descriptor = _descriptor, Events = Readable };
        while (true)
        {
            var left = bound - Stopwatch.GetElapsedTime(begun);
            var found = Poll(ref request, 1, left > TimeSpan.Zero ? (int)Math.Ceiling(left.TotalMilliseconds) : 0);
            if (found >= 0) return found > 0;
            // Whichever thread the kernel chooses hears of a child's end, and is woken by it.
            if (Marshal.GetLastPInvokeError() != Interrupted) throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    public void Dispose() => _ = Close(_descriptor);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall(long number, long first, long second, long third, long fourth);

    [LibraryImport("libc", EntryPoint = "poll", SetLastError = true)]
    private static partial int Poll(ref PollRequest request, ulong count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }
}
