using System.Collections.Concurrent;
using System.Diagnostics;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>
/// Starts processes from one thread that lives as long as the runner. <c>bwrap --die-with-parent</c> ends the sandbox when the *thread* that started it ends,
/// and threads of the pool end when they are idle.
/// </summary>
internal sealed class Launcher : IDisposable
{
    private readonly BlockingCollection<Action> _work = [];

    public Launcher() => new Thread(Work) { IsBackground = true, Name = "sandbox launcher" }.Start();

    /// <summary>Starts a process.</summary>
    /// <exception cref="System.ComponentModel.Win32Exception">The program is not there, or its arguments are too long.</exception>
    public Task<Process> StartAsync(ProcessStartInfo start)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start)!);
            }
            catch (Exception error)
            {
                started.SetException(error);
            }
        });
        return started.Task;
    }

    /// <summary>Lets the thread end, and with it every sandbox that still runs.</summary>
    public void Dispose() => _work.CompleteAdding();

    private void Work()
    {
        foreach (var start in _work.GetConsumingEnumerable()) start();
        _work.Dispose();
    }
}
