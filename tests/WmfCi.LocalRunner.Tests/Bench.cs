using System.Formats.Tar;
using System.Text;
using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.LocalRunner.Sandboxes;
using WmfCi.ObjectStore;
using WmfCi.Ports;
using ZstdSharp;

namespace WmfCi.LocalRunner.Tests;

/// <summary>A runner with a store in a folder of its own, and short words to run something on it.</summary>
internal sealed class Bench : IAsyncDisposable
{
    private static int _runs;
    private readonly List<AttemptId> _attempts = [];

    public Bench(Func<LocalRunnerOptions, LocalRunnerOptions>? configure = null, string? folder = null)
    {
        Folder = folder ?? Directory.CreateTempSubdirectory("wmfci-test-").FullName;
        OwnsFolder = folder is null;
        Store = new FolderStore(Path.Combine(Folder, "store"));
        var options = new LocalRunnerOptions { WorkFolder = Path.Combine(Folder, "run"), StopGrace = TimeSpan.FromSeconds(5) };
        Options = configure?.Invoke(options) ?? options;
        Runner = new LocalJobRunner(Options, Store, Time);
    }

    public string Folder { get; }

    public FolderStore Store { get; }

    public LocalRunnerOptions Options { get; }

    public LocalJobRunner Runner { get; }

    public HurryingTime Time { get; } = new();

    private bool OwnsFolder { get; }

    public static CancellationToken Patience => TestContext.Current.CancellationToken;

    /// <summary>A snapshot of a few files.</summary>
    public Task<string> SnapshotAsync(params (string Name, string Text)[] files) => SnapshotAsync(tar =>
    {
        foreach (var (name, text) in files)
            tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(Encoding.UTF8.GetBytes(text)) });
    });

    /// <summary>A snapshot of whatever is written.</summary>
    public async Task<string> SnapshotAsync(Action<TarWriter> write)
    {
        using var packed = Pack(write);
        return (await Store.PutAsync(packed, long.MaxValue, Patience)).Digest;
    }

    public static MemoryStream Pack(Action<TarWriter> write)
    {
        var packed = new MemoryStream();
        using (var compressed = new CompressionStream(packed, 3, leaveOpen: true))
        using (var tar = new TarWriter(compressed, TarEntryFormat.Pax, leaveOpen: true)) write(tar);
        packed.Position = 0;
        return packed;
    }

    /// <summary>A stage of steps, each a script; its image is the machine's own.</summary>
    public static Stage StageOf(params string[] scripts) => new()
    {
        Name = "commit",
        Image = "host",
        Timeout = TimeSpan.FromMinutes(2),
        Steps = scripts.Select((script, i) => new Step($"step {i + 1}", script)).ToValueArray(),
    };

    /// <summary>An attempt that was never run before.</summary>
    public async Task<AttemptSpec> SpecAsync(Stage stage, string? snapshot = null)
    {
        _attempts.Add(new AttemptId(new RunId(Interlocked.Increment(ref _runs)), stage.Id, 1));
        return new AttemptSpec { Id = _attempts[^1], Stage = stage, Snapshot = snapshot ?? await SnapshotAsync(("README", "hello\n")) };
    }

    /// <summary>The containers there are of this bench's attempts; others on the machine have theirs.</summary>
    public IEnumerable<string> Containers()
    {
        var names = _attempts.Select(id => $"{Podman.NamePrefix}{AttemptFolder.Of(Options.WorkFolder, id, owner: null).Key}-").ToList();
        return Needs.Run("podman", "ps", "--all", "--format={{.Names}}").Split('\n').Where(there => names.Exists(name => there.StartsWith(name, StringComparison.Ordinal)));
    }

    /// <summary>Runs a stage to its end.</summary>
    public async Task<Told> RunAsync(Stage stage, string? snapshot = null)
    {
        var told = new Told();
        told.Report = await Runner.RunAsync(await SpecAsync(stage, snapshot), told, Patience);
        return told;
    }

    /// <summary>Runs a stage until it has printed a text; then its time is over.</summary>
    public async Task<Told> RunOutOfTimeAsync(Stage stage, string printed)
    {
        var told = new Told();
        var running = Runner.RunAsync(await SpecAsync(stage with { Timeout = TimeSpan.FromHours(1) }), told, Patience);
        await told.PrintedAsync(printed);
        Time.Hurry();
        told.Report = await running;
        return told;
    }

    /// <summary>Runs steps to their end.</summary>
    public Task<Told> RunAsync(params string[] scripts) => RunAsync(StageOf(scripts));

    /// <summary>What the store has under a collected file's digest, as text.</summary>
    public async Task<string> TextOfAsync(CollectedFile file)
    {
        using var reader = new StreamReader((await Store.OpenAsync(file.Blob.Digest, Patience))!);
        return await reader.ReadToEndAsync(Patience);
    }

    public async ValueTask DisposeAsync()
    {
        await Runner.DisposeAsync();
        if (OwnsFolder) Directory.Delete(Folder, recursive: true);
    }
}

/// <summary>The system's clock, but what would come in an hour or later comes when a test says so.</summary>
internal sealed class HurryingTime : TimeProvider
{
    private readonly List<Action> _late = [];

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        lock (_late)
        {
            if (dueTime >= TimeSpan.FromHours(1)) _late.Add(() => callback(state));
        }

        return base.CreateTimer(callback, state, dueTime, period);
    }

    /// <summary>Lets it come now.</summary>
    public void Hurry()
    {
        List<Action> late;
        lock (_late) late = [.. _late];
        late.ForEach(one => one());
    }
}

/// <summary>Remembers what an attempt said, and lets a test wait until it says something.</summary>
internal sealed class Told : IAttemptObserver
{
    private readonly Lock _lock = new();
    private readonly List<(string Text, TaskCompletionSource Heard)> _awaited = [];
    private readonly List<byte> _output = [];

    public List<string> Steps { get; } = [];

    public List<string> Notes { get; } = [];

    public AttemptReport Report { get; set; } = null!;

    public string Output
    {
        get
        {
            lock (_lock) return Encoding.UTF8.GetString([.. _output]);
        }
    }

    public Task StepStartedAsync(string step, CancellationToken cancellationToken)
    {
        Steps.Add(step);
        return Task.CompletedTask;
    }

    public Task OutputAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            _output.AddRange(bytes.Span);
            foreach (var (text, heard) in _awaited)
            {
                if (Output.Contains(text, StringComparison.Ordinal)) heard.TrySetResult();
            }
        }

        return Task.CompletedTask;
    }

    public Task WaitingAsync(string reason, CancellationToken cancellationToken) => throw new InvalidOperationException("nothing waits here");

    public Task AsideAsync(string title, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task RestartAsync(CancellationToken cancellationToken) => throw new InvalidOperationException("nothing is told twice here");

    public Task NoteAsync(string line, CancellationToken cancellationToken)
    {
        Notes.Add(line);
        return Task.CompletedTask;
    }

    /// <summary>Ends when the attempt has printed a text.</summary>
    public Task PrintedAsync(string text)
    {
        var heard = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        lock (_lock)
        {
            _awaited.Add((text, heard));
            if (Output.Contains(text, StringComparison.Ordinal)) heard.TrySetResult();
        }

        return heard.Task.WaitAsync(TimeSpan.FromMinutes(3), Bench.Patience);
    }
}
