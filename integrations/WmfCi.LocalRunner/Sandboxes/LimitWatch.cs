using System.Globalization;
using CliWrap;
using WmfCi.Core.Runs;
using WmfCi.Workspaces;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>Looks after what the kernel does not bound: the disk, memory where there are no control groups, and a wish to stop from another process.</summary>
internal sealed class LimitWatch(LocalRunnerOptions options, AttemptFolder folder, StopSignal stop, TimeProvider time)
{
    private const int CostShare = 10;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan MeasuredEvery = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MeasuredAtMostEvery = TimeSpan.FromMilliseconds(300);
    private readonly DriveInfo _drive = new(options.WorkFolder);
    private long _used;
    private long _freeWhenMeasured;
    private DateTimeOffset _measured;
    private TimeSpan _cost;

    /// <summary>Watches until it is cancelled; what exceeds a limit gets the order to stop.</summary>
    public async Task RunAsync(Sandbox sandbox, CancellationToken cancellationToken)
    {
        if (_freeWhenMeasured == 0) (_freeWhenMeasured, _measured) = (_drive.AvailableFreeSpace, time.GetUtcNow());
        using var timer = new PeriodicTimer(Tick, time);
        try
        {
            while (await timer.WaitForNextTickAsync(cancellationToken) && stop.Order is null)
            {
                if (File.Exists(folder.StopWish)) stop.Stop(new StopOrder(OutcomeKind.Stopped, "It was stopped, because its result is no longer wanted."));
                if (sandbox.NeedsMemoryWatch && sandbox.FindFirst() is { } first && ProcessTree.MemoryOf(first) > options.MemoryBytes) stop.Stop(OutOfMemory(options));
                if (IsDue()) await MeasureAsync(cancellationToken);
            }
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The step is over.
        }
    }

    /// <summary>Whether the stage has written more than it may.</summary>
    public async Task<bool> IsDiskExceededAsync(CancellationToken cancellationToken)
    {
        await MeasureAsync(cancellationToken);
        return stop.Order?.Kind == OutcomeKind.DiskFull;
    }

    /// <summary>The order for a stage that needs too much memory.</summary>
    public static StopOrder OutOfMemory(LocalRunnerOptions options) => new(
        OutcomeKind.OutOfMemory,
        $"It needed more than the {Amounts.Size(options.MemoryBytes)} of memory that a stage may have. Let it run less at once, or ask the operators to raise the limit (MemoryBytes).",
        IsAtOnce: true);

    /// <summary>
    /// Counting a workspace reads all of it, so that it is done only now and then, and when the disk lost so much that this stage may be the reason.
    /// Quotas of file systems were rejected (they want mount options), and a workspace in memory too (it would count as memory and be lost to big builds).
    /// </summary>
    private bool IsDue()
    {
        var age = time.GetUtcNow() - _measured;
        if (age < MeasuredAtMostEvery || age < _cost * CostShare) return false;
        var free = _drive.AvailableFreeSpace;
        return age > MeasuredEvery || free < options.ReservedDiskBytes || _used + (_freeWhenMeasured - free) > options.DiskBytes;
    }

    private async Task MeasureAsync(CancellationToken cancellationToken)
    {
        var begun = time.GetTimestamp();
        _freeWhenMeasured = _drive.AvailableFreeSpace;
        _used = await DiskUsage.OfAsync(folder.Disk, "--block-size=1", cancellationToken);
        var entries = await DiskUsage.OfAsync(folder.Disk, "--inodes", cancellationToken);
        (_measured, _cost) = (time.GetUtcNow(), time.GetElapsedTime(begun));
        if (_used > options.DiskBytes)
        {
            stop.Stop(new StopOrder(OutcomeKind.DiskFull, $"It wrote more than the {Amounts.Size(options.DiskBytes)} that a stage may keep on disk. Delete what is no longer needed as it goes on, or ask the operators to raise the limit (DiskBytes).", IsAtOnce: true));
        }
        else if (entries > options.MaxDiskEntries)
        {
            stop.Stop(new StopOrder(OutcomeKind.DiskFull, $"It made more than the {options.MaxDiskEntries} files that a stage may have on disk. Make fewer, or ask the operators to raise the limit (MaxDiskEntries).", IsAtOnce: true));
        }
        else if (_freeWhenMeasured < options.ReservedDiskBytes)
        {
            stop.Stop(new StopOrder(OutcomeKind.InfrastructureFailed, $"The worker's disk has less than {Amounts.Size(options.ReservedDiskBytes)} left, though this stage kept within its limit.", IsAtOnce: true));
        }
    }
}

/// <summary>Counts what a folder takes. <c>du</c> copes with everything a hostile step can leave: depth, names, sparse files, hard links, links.</summary>
internal static class DiskUsage
{
    /// <summary>Counts a folder.</summary>
    /// <param name="folder">Which.</param>
    /// <param name="unit"><c>--block-size=1</c> for bytes or <c>--inodes</c> for entries.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What could be counted; 0 when nothing could.</returns>
    public static async Task<long> OfAsync(string folder, string unit, CancellationToken cancellationToken)
    {
        long total = 0;
        await Cli.Wrap("du").WithArguments(["--summarize", "--one-file-system", unit, "--", folder]).WithValidation(CommandResultValidation.None)
            .WithStandardOutputPipe(PipeTarget.ToDelegate(line => _ = long.TryParse(line.Split('\t')[0], NumberStyles.None, CultureInfo.InvariantCulture, out total)))
            .ExecuteAsync(cancellationToken);
        return total;
    }
}
