using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Crashes;

/// <summary>Where a process is to die.</summary>
/// <param name="Place">The place.</param>
/// <param name="Occurrence">The how manieth time that it is reached, from 1.</param>
internal sealed record Death(string Place, int Occurrence)
{
    public override string ToString() => $"{Place} ({Occurrence})";
}

/// <summary>The service in a process of its own.</summary>
internal sealed class Replica : IAsyncDisposable
{
    private const int Killed = 128 + 9;
    private const int LinesKept = 60;

    private readonly Process _process;
    private readonly string _places = Path.GetTempFileName();
    private readonly ConcurrentQueue<string> _lines = new();
    private readonly TaskCompletionSource _serving = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private Replica(Town town, Death? death)
    {
        var start = new ProcessStartInfo(Path.Combine(AppContext.BaseDirectory, "WmfCi.CrashHost"), [town.WriteSite(), _places])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        if (death is not null)
        {
            start.ArgumentList.Add(death.Place);
            start.ArgumentList.Add(death.Occurrence.ToString(CultureInfo.InvariantCulture));
        }
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.Exited += (_, _) => _ended.TrySetResult();
        _process.OutputDataReceived += (_, line) => Heard(line.Data);
        _process.ErrorDataReceived += (_, line) => Heard(line.Data);
    }

    public static Replica Start(Town town, Death? death = null)
    {
        var replica = new Replica(town, death);
        replica._process.Start();
        replica._process.BeginOutputReadLine();
        replica._process.BeginErrorReadLine();
        return replica;
    }

    public int ProcessId => _process.Id;

    /// <summary>Completes when it serves, or died before.</summary>
    public Task ServesOrEnded => Task.WhenAny(_serving.Task, _ended.Task);

    public bool HasEnded => _ended.Task.IsCompleted;

    /// <summary>Whether it ended as it was to.</summary>
    public bool WasKilled => HasEnded && _process.ExitCode == Killed;

    /// <summary>What it said last.</summary>
    public string Said => string.Join('\n', _lines);

    /// <summary>The places that it reached, each as often as it was reached.</summary>
    public IReadOnlyList<string> Places => File.ReadAllLines(_places);

    /// <summary>Kills it as <c>kill -9</c> does: it alone, and nothing is tidied up.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        // Not the end of its output: what it started may have that open still.
        await _ended.Task;
    }

    public async ValueTask DisposeAsync()
    {
        if (!HasEnded) await KillAsync();
        _process.Dispose();
        File.Delete(_places);
    }

    private void Heard(string? line)
    {
        if (line is null) return;
        if (line == "serving") _serving.TrySetResult();
        _lines.Enqueue(line);
        if (_lines.Count > LinesKept) _lines.TryDequeue(out _);
    }
}
