using System.Runtime.InteropServices;
using System.Text;

namespace WmfCi.Pod.Steps;

/// <summary>
/// The step's shell and everything that it started. Being the first process of the container, this one inherits every orphan: it takes the ends of all of them,
/// so that none stays as an entry in the process table, and knows when the last is gone.
/// </summary>
internal sealed unsafe class StepProcess
{
    private const int MaxReport = 500;
    private readonly TaskCompletionSource<int> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _gone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly int _shell;

    private StepProcess(int shell)
    {
        _shell = shell;
        new Thread(Reap, 256 * 1024) { IsBackground = true, Name = "reaper" }.Start();
    }

    /// <summary>The shell's exit status, once it has ended: 128 and the signal's number where a signal ended it.</summary>
    public Task<int> Ended => _ended.Task;

    /// <summary>Completes when every process is gone.</summary>
    public Task Gone => _gone.Task;

    /// <summary>Starts the shell.</summary>
    /// <param name="words">The program and its arguments, which are to end in a shell.</param>
    /// <param name="variables">Its environment.</param>
    /// <param name="output">The writing end of the pipe for its output and errors; closed here.</param>
    /// <param name="trouble">Why the shell does not run; null where it does. What was started is to be waited for all the same.</param>
    /// <returns>Null where nothing was started.</returns>
    public static StepProcess? Start(string[] words, List<byte[]> variables, int output, out string? trouble)
    {
        var report = MakePipe();
        using var command = new NativeStrings([.. words.Select(Encoding.UTF8.GetBytes)]);
        using var environment = new NativeStrings([.. variables.Select(variable => (byte[])[Entrance.Mark, .. variable])]);
        var error = Spawn(command, environment, output, report.Write, out var shell);
        Close(output);
        Close(report.Write);
        trouble = error == 0 ? Hear(report.Read) : $"the step cannot be started: {Marshal.GetPInvokeErrorMessage(error)}";
        Close(report.Read);
        return error == 0 ? new StepProcess(shell) : null;
    }

    /// <summary>A pipe that programs started from here do not inherit by themselves.</summary>
    public static (int Read, int Write) MakePipe()
    {
        var ends = stackalloc int[2];
        if (Native.Pipe(ends, Native.CloseOnExec) != 0) throw new IOException($"a pipe cannot be made: {Native.LastError()}");
        return (ends[0], ends[1]);
    }

    /// <summary>Sends a signal to every process but this one.</summary>
    public static void SignalAll(int signal) => _ = Native.Kill(-1, signal);

    private static void Close(int descriptor) => new Microsoft.Win32.SafeHandles.SafeFileHandle(descriptor, ownsHandle: true).Dispose();

    /// <returns>Zero or an error number. The other calls only fill structures that are large enough; where one failed all the same, the step would not start.</returns>
    private static int Spawn(NativeStrings command, NativeStrings environment, int output, int report, out int process)
    {
        const int standardOutput = 1, standardError = 2;
        var actions = stackalloc byte[Native.SpawnStructureBytes];
        var attributes = stackalloc byte[Native.SpawnStructureBytes];
        var signals = stackalloc byte[Native.SignalSetBytes];
        new Span<byte>(signals, Native.SignalSetBytes).Clear();
        _ = Native.InitActions(actions);
        _ = Native.InitAttributes(attributes);
        try
        {
            fixed (byte* nothing = "/dev/null\0"u8) _ = Native.AddOpen(actions, 0, nothing, 0, 0);
            _ = Native.AddDuplicate(actions, output, standardOutput);
            _ = Native.AddDuplicate(actions, output, standardError);
            _ = Native.AddDuplicate(actions, report, Entrance.ReportDescriptor);
            _ = Native.SetSpawnFlags(attributes, Native.SpawnFlags);
            _ = Native.SetSpawnMask(attributes, signals);
            _ = Native.FillSignals(signals);
            _ = Native.SetSpawnDefaults(attributes, signals);
            return Native.Spawn(out process, command.Pointers[0], actions, attributes, command.Pointers, environment.Pointers);
        }
        finally
        {
            _ = Native.DestroyActions(actions);
            _ = Native.DestroyAttributes(attributes);
        }
    }

    /// <summary>Hears how far it got; over when the shell has taken over, or all is lost.</summary>
    private static string? Hear(int report)
    {
        var text = new byte[MaxReport];
        var length = 0;
        fixed (byte* start = text)
        {
            while (length < MaxReport)
            {
                var read = Native.Read(report, start + length, (nuint)(MaxReport - length));
                if (read > 0) length += (int)read;
                else if (read == 0 || Marshal.GetLastPInvokeError() != Native.InterruptedCall) break;
            }
        }

        var heard = text.AsSpan(0, length);
        if (heard.SequenceEqual([Entrance.Ready])) return null;
        return heard.Length == 0 ? "the step could not be started: its process ended before the shell ran" : Encoding.UTF8.GetString(heard.TrimStart(Entrance.Ready));
    }

    private void Reap()
    {
        while (true)
        {
            var process = Native.Wait(-1, out var status, 0);
            if (process == _shell) _ended.SetResult(ExitOf(status));
            if (process >= 0 || Marshal.GetLastPInvokeError() == Native.InterruptedCall) continue;
            _gone.SetResult();
            return;
        }
    }

    private static int ExitOf(int status)
    {
        const int signalMask = 0x7f, signalled = 128;
        var signal = status & signalMask;
        return signal == 0 ? (status >> 8) & 0xff : signalled + signal;
    }
}
