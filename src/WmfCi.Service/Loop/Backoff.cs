namespace WmfCi.Service.Loop;

/// <summary>How long to wait before trying again: doubling, bounded, and spread so that many who failed together do not come back together.</summary>
public static class Backoff
{
    /// <summary>The wait before the first retry.</summary>
    public static readonly TimeSpan First = TimeSpan.FromMilliseconds(500);

    /// <summary>The longest wait.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromMinutes(5);

    /// <summary>The wait after a number of failures, between half and all of the doubled time.</summary>
    /// <param name="failures">Counted from 1.</param>
    /// <param name="spread">A random number from 0 to 1.</param>
    public static TimeSpan After(int failures, double spread)
    {
        var full = Math.Min(Longest.TotalSeconds, First.TotalSeconds * Math.Pow(2, Math.Clamp(failures - 1, 0, 30)));
        return TimeSpan.FromSeconds(full * (0.5 + (Math.Clamp(spread, 0, 1) / 2)));
    }
}
