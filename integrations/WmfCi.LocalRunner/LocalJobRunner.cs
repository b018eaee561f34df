using System.Text.Json;
using CliWrap;
using WmfCi.Core.Runs;
using WmfCi.LocalRunner.Sandboxes;
using WmfCi.Ports;

namespace WmfCi.LocalRunner;

/// <summary>
/// Runs stages on this machine, each step in a fresh sandbox: <c>image: host</c> with bubblewrap over the machine's programs, a named image with podman.
/// How many run at once is the caller's business. An attempt does not outlive the process that runs it; what a dead process left is found by its lock.
/// </summary>
public sealed class LocalJobRunner : IJobRunner, IAsyncDisposable
{
    private const string Lost = "The worker that ran it was lost.";

    // Another process on this machine may hold the attempt; nothing tells us of the end of its lock, so it is asked for.
    private static readonly TimeSpan LockAskedEvery = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan ForeignMargin = TimeSpan.FromMinutes(30);
    private readonly RunnerParts _parts;
    private readonly Dictionary<string, LiveAttempt> _live = new(StringComparer.Ordinal);
    private readonly List<Task> _removals = [];

    /// <summary>A runner. Call <see cref="SweepAsync"/> once before the first attempt.</summary>
    /// <param name="options">Where it works and what stages may use.</param>
    /// <param name="store">Where snapshots and inputs come from and artifacts go.</param>
    /// <param name="time">The clock; the system's by default.</param>
    /// <exception cref="ArgumentException">The work folder's path has a colon, which podman cannot mount.</exception>
    /// <exception cref="IOException">The work folder cannot be made.</exception>
    public LocalJobRunner(LocalRunnerOptions options, IArtifactStore store, TimeProvider? time = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        var folder = Path.GetFullPath(options.WorkFolder);
        if (folder.Contains(':')) throw new ArgumentException($"The work folder {folder} has a colon in its path; choose another.", nameof(options));
        options = options with { WorkFolder = folder };
        AttemptFolder.Prepare(folder);
        _parts = new RunnerParts(options, store, time ?? TimeProvider.System, new Launcher(), new Podman(options));
    }

    /// <inheritdoc/>
    public async Task<AttemptReport> RunAsync(AttemptSpec spec, IAttemptObserver observer, CancellationToken detach)
    {
        ArgumentNullException.ThrowIfNull(spec);
        detach.ThrowIfCancellationRequested();
        var folder = AttemptFolder.Of(_parts.Options.WorkFolder, spec.Id, _parts.StepOwner);
        LiveAttempt attempt;
        lock (_live)
        {
            if (!_live.TryGetValue(folder.Key, out attempt!))
            {
                attempt = new LiveAttempt();
                _live.Add(folder.Key, attempt);
                attempt.Begin(() => CarryOutAsync(spec, folder, observer, attempt));
            }

            attempt.Waiting++;
        }

        try
        {
            return await attempt.WaitAsync(detach);
        }
        finally
        {
            lock (_live)
            {
                // Nobody is left to hear the answer: the process ends, and the sandbox would end with it. It ends now, and cleanly.
                if (--attempt.Waiting == 0 && !attempt.IsOver) attempt.Stop.Stop(new StopOrder(OutcomeKind.InfrastructureFailed, Lost, IsAtOnce: true));
            }
        }
    }

    /// <inheritdoc/>
    public async Task StopAsync(AttemptId id, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(id);
        var folder = AttemptFolder.Of(_parts.Options.WorkFolder, id, _parts.StepOwner);
        LiveAttempt? attempt;
        lock (_live) _live.TryGetValue(folder.Key, out attempt);
        if (attempt is null || attempt.IsElsewhere)
        {
            // Another process runs it, or nobody does: then the wish is removed with the lock's leftovers.
            if (File.Exists(folder.Lock)) await File.WriteAllTextAsync(folder.StopWish, "", cancellationToken);
            return;
        }

        attempt.Stop.Stop(new StopOrder(OutcomeKind.Stopped, "It was stopped, because its result is no longer wanted."));
        await attempt.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Removes what dead processes left: sandboxes, workspaces, locks; each of their attempts answers that its worker was lost. Removes old reports too.
    /// Attempts of other living processes are left alone.
    /// </summary>
    /// <returns>How many attempts had been left.</returns>
    public async Task<int> SweepAsync(CancellationToken cancellationToken)
    {
        var found = 0;
        var attempts = Path.Combine(_parts.Options.WorkFolder, "attempts");
        var keys = Directory.EnumerateFileSystemEntries(attempts).Select(path => Path.GetFileName(path)).Select(name => name.Split('.')[0]).ToHashSet(StringComparer.Ordinal);
        foreach (var key in keys)
        {
            cancellationToken.ThrowIfCancellationRequested();
            lock (_live)
            {
                if (_live.ContainsKey(key)) continue;
            }

            var folder = AttemptFolder.OfKey(_parts.Options.WorkFolder, key);
            using var claim = AttemptLock.TryTake(folder.Lock);
            if (claim is null) continue;
            if (!claim.WasHeld && !Directory.Exists(folder.Root))
            {
                // Somebody is just about to begin it, or nobody ever did.
                claim.Remove();
                continue;
            }

            if (await ReadReportAsync(folder) is null) await WriteReportAsync(folder, new AttemptReport { Kind = OutcomeKind.InfrastructureFailed, Explanation = Lost });
            await RemoveLeftoversAsync(folder);
            claim.Remove();
            found++;
        }

        var old = _parts.Time.GetUtcNow() - _parts.Options.ReportsKept;
        foreach (var report in new DirectoryInfo(Path.Combine(_parts.Options.WorkFolder, "reports")).EnumerateFiles())
        {
            if (report.LastWriteTimeUtc < old.UtcDateTime) report.Delete();
        }

        foreach (var trash in Directory.EnumerateDirectories(Path.Combine(_parts.Options.WorkFolder, "trash"))) await RemoveAsync(trash);
        return found;
    }

    /// <summary>Tries what stages need of this machine.</summary>
    public Task<RunnerCheck> CheckAsync(CancellationToken cancellationToken) => RunnerCheck.OfAsync(_parts, cancellationToken);

    /// <summary>Ends everything that still runs, and waits until what was to be removed is removed.</summary>
    public async ValueTask DisposeAsync()
    {
        List<LiveAttempt> attempts;
        lock (_live) attempts = [.. _live.Values];
        foreach (var attempt in attempts) attempt.Stop.Stop(new StopOrder(OutcomeKind.InfrastructureFailed, Lost, IsAtOnce: true));
        foreach (var attempt in attempts) await attempt.WaitAsync(CancellationToken.None);
        List<Task> removals;
        lock (_removals) removals = [.. _removals];
        await Task.WhenAll(removals);
        _parts.Launcher.Dispose();
    }

    private async Task<AttemptReport> CarryOutAsync(AttemptSpec spec, AttemptFolder folder, IAttemptObserver observer, LiveAttempt attempt)
    {
        try
        {
            using var claim = await TakeAsync(folder, attempt, spec.Stage.Timeout + ForeignMargin);
            if (await ReadReportAsync(folder) is { } known)
            {
                claim?.Remove();
                return known;
            }

            if (claim is null) return new AttemptReport { Kind = OutcomeKind.InfrastructureFailed, Explanation = attempt.Stop.Order?.Explanation ?? "Another process of this machine holds the attempt and does not end it." };
            var report = claim.WasHeld ? new AttemptReport { Kind = OutcomeKind.InfrastructureFailed, Explanation = Lost } : await RunAsync(spec, folder, observer, attempt);
            await WriteReportAsync(folder, report);
            if (claim.WasHeld) await RemoveLeftoversAsync(folder);
            else RemoveLater(folder);
            claim.Remove();
            return report;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return new AttemptReport { Kind = OutcomeKind.InfrastructureFailed, Explanation = $"The worker failed: {error.Message}" };
        }
        finally
        {
            lock (_live)
            {
                attempt.IsOver = true;
                _live.Remove(folder.Key);
            }
        }
    }

    private async Task<AttemptReport> RunAsync(AttemptSpec spec, AttemptFolder folder, IAttemptObserver observer, LiveAttempt attempt)
    {
        using var log = new AttemptLog(observer, _parts.Options.LogBytes);
        try
        {
            var report = await new AttemptRun(_parts, spec, folder, log, attempt.Stop).RunAsync();
            if (folder.KeepIn(_parts.Options.KeptFolder) is { } kept) await log.NoteAsync($"The workspace is kept: {kept}", default);
            return report;
        }
        catch (Exception error)
        {
            // The one place where everything is caught: the observer may throw whatever it likes, and failures are answers.
            return new AttemptReport { Kind = OutcomeKind.InfrastructureFailed, Explanation = $"The worker failed: {error.Message}" };
        }
    }

    /// <summary>Takes the attempt's lock; while another process holds it, waits for its end.</summary>
    private async Task<AttemptLock?> TakeAsync(AttemptFolder folder, LiveAttempt attempt, TimeSpan bound)
    {
        if (AttemptLock.TryTake(folder.Lock) is { } first) return first;
        attempt.IsElsewhere = true;
        using var timer = new PeriodicTimer(LockAskedEvery, _parts.Time);
        var begun = _parts.Time.GetTimestamp();
        while (_parts.Time.GetElapsedTime(begun) < bound && attempt.Stop.Order is null && await timer.WaitForNextTickAsync())
        {
            if (AttemptLock.TryTake(folder.Lock) is { } claim) return claim;
        }

        return null;
    }

    private static async Task<AttemptReport?> ReadReportAsync(AttemptFolder folder)
    {
        try
        {
            await using var file = File.OpenRead(folder.Report);
            return await JsonSerializer.DeserializeAsync<AttemptReport>(file);
        }
        catch (Exception error) when (error is FileNotFoundException or JsonException)
        {
            return null;
        }
    }

    private static async Task WriteReportAsync(AttemptFolder folder, AttemptReport report)
    {
        var temporary = $"{folder.Report}.{Guid.NewGuid():N}";
        await File.WriteAllBytesAsync(temporary, JsonSerializer.SerializeToUtf8Bytes(report));
        File.Move(temporary, folder.Report, overwrite: true);
    }

    private async Task RemoveLeftoversAsync(AttemptFolder folder)
    {
        ControlGroup.RemoveLeftover(folder.Key);
        if (Directory.Exists(folder.Root) && Directory.EnumerateFiles(folder.Root, "*.pid").Any()) await _parts.Podman.RemoveAllAsync(folder.Key);
        if (folder.MoveToTrash() is { } trash) await RemoveAsync(trash);
        File.Delete(folder.StopWish);
    }

    /// <summary>The files are out of the way at once and removed beside the next work: a big workspace takes a second.</summary>
    private void RemoveLater(AttemptFolder folder)
    {
        File.Delete(folder.StopWish);
        if (folder.MoveToTrash() is not { } trash) return;
        lock (_removals)
        {
            _removals.RemoveAll(removal => removal.IsCompleted);
            _removals.Add(Task.Run(() => RemoveAsync(trash)));
        }
    }

    // rm copes with every name and depth that a hostile step can leave, and follows no links. What it may not enter, it may after chmod.
    private static async Task RemoveAsync(string folder)
    {
        if (await ExitOfAsync("rm", "-rf", "--one-file-system", "--", folder) == 0) return;
        await ExitOfAsync("chmod", "-R", "u+rwX", "--", folder);
        await ExitOfAsync("rm", "-rf", "--one-file-system", "--", folder);
    }

    private static async Task<int> ExitOfAsync(string program, params string[] arguments) =>
        (await Cli.Wrap(program).WithArguments(arguments).WithValidation(CommandResultValidation.None).ExecuteAsync()).ExitCode;
}
