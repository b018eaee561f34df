namespace WmfCi.Gerrit.Events;

/// <summary>How long to wait before the event stream is opened again.</summary>
public static class Backoff
{
    /// <summary>The wait after the first failure, before jitter.</summary>
    public static readonly TimeSpan First = TimeSpan.FromSeconds(1);

    /// <summary>The longest wait, before jitter.</summary>
    public static readonly TimeSpan Longest = TimeSpan.FromSeconds(60);

    // Beyond it every wait is the longest one; it keeps the doubling from overflowing.
    private const int MaxDoublings = 10;

    /// <summary>The wait after so many failures in a row: doubled each time, then a random share between a half and the whole of it, so that many listeners do not come back at the same moment.</summary>
    /// <param name="failures">How often it failed since it last held, from 1. Count a connection as held when it gave a line or lasted a minute.</param>
    /// <param name="random">The source of the share.</param>
    /// <param name="atLeast">What the peer asked for, or null.</param>
    public static TimeSpan Wait(int failures, Random random, TimeSpan? atLeast = null)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(failures, 1);
        ArgumentNullException.ThrowIfNull(random);
        var whole = First * Math.Pow(2, Math.Min(failures - 1, MaxDoublings));
        if (whole > Longest) whole = Longest;
        var wait = whole * (0.5 + (random.NextDouble() / 2));
        return atLeast is { } least && least > wait ? least : wait;
    }
}
