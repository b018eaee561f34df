using System.Diagnostics;
using WmfCi.Core.Pipelines;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>One step as its sandbox needs it.</summary>
/// <param name="Folder">The attempt's files.</param>
/// <param name="Script">The step's script, relative to the attempt's folder.</param>
/// <param name="Temporary">Its <c>/tmp</c>, likewise.</param>
/// <param name="Home">Its home, likewise.</param>
/// <param name="Variables">Its whole environment.</param>
internal sealed record StepFiles(AttemptFolder Folder, string Script, string Temporary, string Home, IReadOnlyList<Variable> Variables)
{
    /// <summary>Counted from 1.</summary>
    public required int Number { get; init; }

    /// <summary>The stage.</summary>
    public required Stage Stage { get; init; }
}

/// <summary>How a sandbox ended, when nobody ended it.</summary>
/// <param name="ExitCode">The step's exit status; null when it never came to one.</param>
/// <param name="Trouble">What went wrong outside of the step; empty when nothing did.</param>
/// <param name="RanOutOfMemory">Whether the kernel killed something in it for want of memory.</param>
/// <param name="WantedMoreProcesses">Whether a new process was refused.</param>
/// <param name="IsMisconfigured">Whether the trouble is the configuration's, not the worker's.</param>
internal sealed record SandboxEnd(int? ExitCode, string Trouble = "", bool RanOutOfMemory = false, bool WantedMoreProcesses = false, bool IsMisconfigured = false);

/// <summary>A fresh place for one step, by one of the two programs that make such places.</summary>
internal abstract class Sandbox : IDisposable
{
    /// <summary>What its command sees, whatever the machine, and as on a cluster.</summary>
    public const string WorkPath = PodPaths.Work, InputsPath = PodPaths.Inputs, HomePath = Accounts.Home, ScriptPath = "/.wmfci-step", HostName = "ci";

    /// <summary>The user, and its group, that its command sees itself as.</summary>
    public const int User = 1000;

    /// <summary>Whether its memory must be watched, because nothing in the kernel bounds it.</summary>
    public abstract bool NeedsMemoryWatch { get; }

    /// <summary>What to start.</summary>
    public abstract ProcessStartInfo Command();

    /// <summary>Takes a line that the program said on its own, beside the step's output.</summary>
    public abstract void Hear(string line);

    /// <summary>The number, outside, of the first process in it; null while it has none.</summary>
    public abstract int? FindFirst();

    /// <summary>The number, outside, of the step's shell, once there is a first process.</summary>
    public abstract int FindShell(int first);

    /// <summary>Ends everything in it at once.</summary>
    public abstract Task KillAsync(Process process);

    /// <summary>Waits until every process in it is gone, and tells how it ended.</summary>
    public abstract Task<SandboxEnd> EndAsync(Process process);

    /// <summary>Lets go of what it held.</summary>
    public virtual void Dispose() => GC.SuppressFinalize(this);

    /// <summary>A command with nothing of our environment but what is named.</summary>
    protected static ProcessStartInfo Clean(string program, params ReadOnlySpan<string> kept)
    {
        var start = new ProcessStartInfo(program) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        var values = kept.ToArray().Select(name => (name, Environment.GetEnvironmentVariable(name))).ToList();
        start.Environment.Clear();
        foreach (var (name, value) in values)
        {
            if (value is not null) start.Environment[name] = value;
        }

        return start;
    }
}
