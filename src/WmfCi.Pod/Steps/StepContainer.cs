using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Steps;

/// <summary>
/// The first process of a step's container, in the user's image and as the user's own account: runs the script, keeps its output, ends everything, says what became of it.
/// It always ends well, so that the collector runs after a failure too.
/// </summary>
internal sealed class StepContainer(PodPlace place, int number, TimeProvider time)
{
    private const int LogMode = 0b110_100_100;

    // The limit counts this process's own threads as well.
    private const int OwnThreads = 32;
    // What a timer can wait for.
    private static readonly TimeSpan MaxTimeout = TimeSpan.FromDays(20);
    private static readonly TimeSpan CountInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan KillInterval = TimeSpan.FromMilliseconds(100);
    private readonly ControlFolder _control = new(place.Control, time);
    private bool _hadAllProcesses;

    private readonly string _program = Environment.ProcessPath!;
    private readonly byte[] _variables = File.ReadAllBytes("/proc/self/environ");

    /// <summary>Runs the step of that number, counted from 1.</summary>
    /// <returns>The exit status: always 0.</returns>
    public static async Task<int> RunAsync(PodPlace place, int number)
    {
        // What it needs to know of itself is read before; from here on it may not read its own files either.
        var step = new StepContainer(place, number, TimeProvider.System);
        // Processes of the same account could read and write this one's memory and open its files otherwise.
        _ = Native.Control(Native.SetDumpable, 0, 0, 0, 0);
        using var stop = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal =>
        {
            signal.Cancel = true;
            stop.Cancel();
        });
        // What a process of the step sends to the first process of its container does nothing to it unless that asked for the signal, and the runtime asks for some.
        foreach (var signal in Native.Fatal) _ = Native.SetSignal(signal, 0);
        StepEnd end;
        try
        {
            end = await step.RunAsync(stop.Token);
        }
        catch (Exception error)
        {
            // Whatever it was, the service is to hear it in a sentence and not as a crash.
            end = new StepEnd { Trouble = TerminationLog.Shorten(error.Message) };
        }

        if (end is not { Exit: 0, TimedOut: false, Trouble: null }) step._control.MarkFailed();
        try
        {
            TerminationLog.Write(place.TerminationLog, end, WireJson.Default.StepEnd);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"The termination message cannot be written: {error.Message}");
        }

        return 0;
    }

    private async Task<StepEnd> RunAsync(CancellationToken stop)
    {
        if (Environment.ProcessId != 1) return Trouble("wmfci-pod step must be the first process of its container, for it ends all others.");
        if (_control.HasFailed) return new StepEnd { Skipped = true };
        var order = JsonSerializer.Deserialize(await File.ReadAllBytesAsync(place.Order, stop), WireJson.Default.StepOrder)!;
        if (number > order.Steps.Length) return Trouble($"There is no step {number}.");
        var left = TimeSpan.FromTicks(Math.Min((order.Timeout - _control.Elapsed()).Ticks, MaxTimeout.Ticks));
        if (left <= TimeSpan.Zero) return new StepEnd { TimedOut = true };
        if (Native.Access("/bin/sh", 1) != 0) return Trouble("The image has no /bin/sh that can be run, which steps are run with; use an image that has one.");
        return await RunAsync(order, left, stop);
    }

    private static StepEnd Trouble(string why) => new() { Trouble = TerminationLog.Shorten(why) };

    private static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);

    private async Task<StepEnd> RunAsync(StepOrder order, TimeSpan left, CancellationToken stop)
    {
        var before = KernelCounters.Read();
        var variables = StepEnvironment.Make(_variables, order.Environment);
        var output = StepProcess.MakePipe();
        await using var file = new FileStream(NativeFiles.CreateFile(place.OwnLog, LogMode), FileAccess.Write, bufferSize: 0);
        await using var frames = Console.OpenStandardOutput();
        using var pump = new OutputPump(output.Read, file, frames, order.LogBytes - _control.LogBytesBefore(number, order.LogBytes));
        string[] words = [_program, Entrance.Word, Text(order.MaxProcesses + OwnThreads), Text(order.MaxFileBytes), place.Script(number)];
        if (StepProcess.Start(words, variables, output.Write, out var trouble) is not { } process) return Trouble(trouble ?? "");
        var pumping = Task.Factory.StartNew(pump.Run, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var isTimedOut = !await EndsAsync(process, order, left, stop) && !stop.IsCancellationRequested;
        CountProcesses(order);
        await EndAllAsync(process);
        await pumping;
        _control.SetLogBytes(number, pump.Kept);
        var after = KernelCounters.Read();
        var exit = await process.Ended;
        return new StepEnd
        {
            Exit = trouble is null ? exit : null,
            Trouble = trouble is null ? null : TerminationLog.Shorten($"{trouble} (exit status {exit})"),
            TimedOut = isTimedOut,
            RanOutOfMemory = after.MemoryKills > before.MemoryKills,
            WantedMoreProcesses = _hadAllProcesses || after.RefusedProcesses > before.RefusedProcesses,
            LogBytes = pump.Kept,
            LogDropped = pump.Dropped,
            LogDigest = pump.Finish(),
        };
    }

    /// <summary>Waits for the shell's end. Where the time is over or SIGTERM comes, asks everything to end, and waits for that as long as the order says.</summary>
    /// <returns>Whether the shell ended by itself.</returns>
    private async Task<bool> EndsAsync(StepProcess process, StepOrder order, TimeSpan left, CancellationToken stop)
    {
        using var late = new CancellationTokenSource(left, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, stop);
        while (!await CompletesAsync(process.Ended, CountInterval, either.Token))
        {
            CountProcesses(order);
            if (!either.IsCancellationRequested) continue;
            StepProcess.SignalAll(Native.SigTerm);
            await CompletesAsync(process.Gone, order.StopGrace, CancellationToken.None);
            return false;
        }

        return true;
    }

    private async Task EndAllAsync(StepProcess process)
    {
        do StepProcess.SignalAll(Native.SigKill);
        while (!await CompletesAsync(process.Gone, KillInterval, CancellationToken.None));
    }

    private async Task<bool> CompletesAsync(Task task, TimeSpan bound, CancellationToken giveUp)
    {
        try
        {
            await task.WaitAsync(bound, time, giveUp);
            return true;
        }
        catch (Exception error) when (error is TimeoutException or OperationCanceledException)
        {
            return false;
        }
    }

    private void CountProcesses(StepOrder order) => _hadAllProcesses = _hadAllProcesses || ProcessCount.Count(order.MaxProcesses) >= order.MaxProcesses;
}
