using System.Diagnostics;
using System.Runtime.InteropServices;
using WmfCi.LocalRunner.Sandboxes;

namespace WmfCi.LocalRunner.Tests.Sandboxes;

public sealed partial class HeldProcessTests
{
    private const int ChildEnded = 17, Signals = 20;
    private const long OwnNumberCall = 186, SignalThreadCall = 234;
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(3);

    [Fact]
    public void A_process_that_does_not_end_is_not_waited_for_beyond_the_bound()
    {
        using var process = Process.Start("sleep", "1000");
        using var held = HeldProcess.TryHold(process.Id);
        held!.WaitForEnd(TimeSpan.FromMilliseconds(1)).ShouldBeFalse();
        held.Signal(HeldProcess.Kill);
        held.WaitForEnd(Bound).ShouldBeTrue();
    }

    [Fact]
    public void Signals_that_wake_the_waiting_thread_are_not_taken_for_the_end_of_patience()
    {
        Assert.SkipUnless(RuntimeInformation.ProcessArchitecture == Architecture.X64, "numbers of system calls are those of x86-64");
        using var process = Process.Start("sleep", "1000");
        using var held = HeldProcess.TryHold(process.Id);
        var (hasEnded, number) = (false, 0L);
        var waiting = new Thread(() =>
        {
            Volatile.Write(ref number, Syscall(OwnNumberCall, 0, 0, 0));
            hasEnded = held!.WaitForEnd(Bound);
        });
        waiting.Start();
        for (var sent = 0; sent < Signals && waiting.IsAlive; sent++)
        {
            SpinWait.SpinUntil(() => !waiting.IsAlive || Sleeps(Volatile.Read(ref number)), Bound).ShouldBeTrue();
            _ = Syscall(SignalThreadCall, Environment.ProcessId, Volatile.Read(ref number), ChildEnded);
        }

        held!.Signal(HeldProcess.Kill);
        waiting.Join(Bound).ShouldBeTrue();
        hasEnded.ShouldBeTrue();
    }

    private static bool Sleeps(long thread) => thread != 0 && File.ReadAllText($"/proc/self/task/{thread}/stat").Split(") ")[^1][0] == 'S';

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial long Syscall(long number, long first, long second, long third);
}
