using System.Globalization;
using System.Text;
using WmfCi.Workspaces;

namespace WmfCi.Pod.Steps;

/// <summary>
/// What the steps' supervisors tell one another. Any step may write here too, so nothing is believed further than it does harm to the step's own stage:
/// a forged begin gives no more than the stage's time again, and a forged mark skips steps, which the service sees.
/// </summary>
internal sealed class ControlFolder(string folder, TimeProvider time)
{
    private const int MaxNumberBytes = 20, Mode = 0b110_100_100;

    /// <summary>Whether an earlier step failed.</summary>
    public bool HasFailed => IsThere("failed");

    /// <summary>Leaves the mark that a step failed.</summary>
    public void MarkFailed() => Write("failed", 1);

    /// <summary>For how long the stage's steps have been running: since the first of them began.</summary>
    public TimeSpan Elapsed()
    {
        // The monotonic clock is the node's, the same in all containers of a pod, and is not set.
        if (Read("started") is not { } started)
        {
            Write("started", time.GetTimestamp());
            return TimeSpan.Zero;
        }

        var elapsed = time.GetElapsedTime(started);
        return elapsed > TimeSpan.Zero ? elapsed : TimeSpan.Zero;
    }

    /// <summary>How much output earlier steps kept, in bytes; not more than there may be.</summary>
    public long LogBytesBefore(int step, long bound)
    {
        long total = 0;
        for (var earlier = 1; earlier < step && total < bound; earlier++) total += Math.Clamp(Read($"log-{earlier}") ?? 0, 0, bound);
        return Math.Min(total, bound);
    }

    /// <summary>Says how much output a step kept, in bytes.</summary>
    public void SetLogBytes(int step, long bytes) => Write($"log-{step}", bytes);

    private bool IsThere(string name)
    {
        var path = Path.Join(folder, name);
        return File.Exists(path) || Directory.Exists(path) || new FileInfo(path).LinkTarget is not null;
    }

    private long? Read(string name)
    {
        try
        {
            using var file = NativeFiles.OpenForReading(Path.Join(folder, name));
            if (!NativeFiles.FactsOf(file).IsPlainFile) return null;
            Span<byte> text = stackalloc byte[MaxNumberBytes];
            var length = RandomAccess.Read(file, text, 0);
            return long.TryParse(text[..length], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private void Write(string name, long number)
    {
        try
        {
            using var file = NativeFiles.CreateFile(Path.Join(folder, name), Mode);
            RandomAccess.Write(file, Encoding.ASCII.GetBytes(number.ToString(CultureInfo.InvariantCulture)), 0);
        }
        catch (IOException)
        {
            // A step wrote it first, or filled the disk. Each step is judged by its own message, so the stage fails all the same.
        }
    }
}
