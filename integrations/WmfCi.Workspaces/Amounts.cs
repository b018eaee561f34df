using System.Globalization;

namespace WmfCi.Workspaces;

/// <summary>Sizes and times as people read them.</summary>
public static class Amounts
{
    /// <summary>A size in the largest unit that leaves no long fraction.</summary>
    public static string Size(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.##} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.##} MiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes"),
    };

    /// <summary>A length of time, in minutes where it is a number of them.</summary>
    public static string Duration(TimeSpan time) => time.TotalMinutes >= 1 && time.Seconds == 0
        ? string.Create(CultureInfo.InvariantCulture, $"{(long)time.TotalMinutes} min")
        : string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.###} s");
}
