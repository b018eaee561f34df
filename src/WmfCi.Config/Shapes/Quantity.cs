using System.Globalization;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Shapes;

/// <summary>Lengths of time and sizes, as people write them.</summary>
internal static class Quantity
{
    /// <summary>What the schema says of a length of time.</summary>
    public const string TimePattern = "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$";

    /// <summary>What the schema says of a size.</summary>
    public const string SizePattern = "^[0-9]+(KiB|MiB|GiB|TiB)$";

    /// <summary>What the schema says of a number of CPUs.</summary>
    public const string CpuPattern = @"^([0-9]+m|[0-9]+(\.[0-9]{1,3})?)$";

    private const int LongestText = 32;
    private const int LargestNumber = 1_000_000;
    private static readonly string[] _sizeUnits = ["KiB", "MiB", "GiB", "TiB"];

    /// <summary>A length of time within bounds, such as <c>1h30m</c>.</summary>
    public static TextShape Time(TimeSpan least, TimeSpan most) =>
        new("a length of time", text => TimeFault(text, least, most)) { Pattern = TimePattern, Longest = LongestText };

    /// <summary>A size within bounds, such as <c>2GiB</c>.</summary>
    public static TextShape Size(long least, long most) =>
        new("a size", text => SizeFault(text, least, most)) { Pattern = SizePattern, Longest = LongestText };

    /// <summary>A number of CPUs within bounds, in thousandths, such as <c>500m</c> or <c>2</c>.</summary>
    public static TextShape Cpu(int least, int most) =>
        new("a number of CPUs", text => CpuFault(text, least, most)) { Pattern = CpuPattern, Longest = LongestText, TakesNumbers = true };

    /// <summary>The length of time that a text means: hours, minutes and seconds in this order, each at most once; null for anything else.</summary>
    public static TimeSpan? ReadTime(string text)
    {
        var seconds = 0L;
        var rest = text.AsSpan();
        foreach (var (unit, worth) in ((char, int)[])[('h', 3600), ('m', 60), ('s', 1)])
        {
            var end = rest.IndexOf(unit);
            if (end < 0) continue;
            if (!int.TryParse(rest[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number > LargestNumber) return null;
            seconds += (long)number * worth;
            rest = rest[(end + 1)..];
        }

        return text.Length > 0 && rest.IsEmpty ? TimeSpan.FromSeconds(seconds) : null;
    }

    /// <summary>A length of time as <see cref="ReadTime"/> reads it; parts of a second are dropped.</summary>
    public static string WriteTime(TimeSpan time)
    {
        var hours = (long)time.TotalHours;
        var text = (hours > 0 ? $"{hours}h" : "") + (time.Minutes > 0 ? $"{time.Minutes}m" : "") + (time.Seconds > 0 ? $"{time.Seconds}s" : "");
        return text.Length > 0 ? text : "0s";
    }

    /// <summary>The bytes that a text means, such as <c>512MiB</c>; null for anything else.</summary>
    public static long? ReadSize(string text)
    {
        var unit = Array.FindIndex(_sizeUnits, known => text.EndsWith(known, StringComparison.Ordinal));
        if (unit < 0 || !int.TryParse(text.AsSpan(0, text.Length - 3), NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return null;
        if (number > LargestNumber) return null;
        return number * (1L << (10 * (unit + 1)));
    }

    /// <summary>A size in the largest unit that says it exactly; bytes that fill no KiB are dropped.</summary>
    public static string WriteSize(long bytes)
    {
        var kibibytes = bytes / 1024;
        var unit = 0;
        while (unit < _sizeUnits.Length - 1 && kibibytes > 0 && kibibytes % 1024 == 0)
        {
            kibibytes /= 1024;
            unit++;
        }

        return kibibytes + _sizeUnits[unit];
    }

    /// <summary>The thousandths of a CPU that a text means, such as <c>500m</c>, <c>2</c> or <c>0.5</c>; null for anything else.</summary>
    public static int? ReadCpu(string text)
    {
        if (text.EndsWith('m'))
            return int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var thousandths) ? thousandths : null;
        if (!decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) || !char.IsAsciiDigit(text[0]) || !char.IsAsciiDigit(text[^1]))
            return null;
        return number <= LargestNumber && number * 1000 == decimal.Truncate(number * 1000) ? (int)(number * 1000) : null;
    }

    /// <summary>A number of CPUs as <see cref="ReadCpu"/> reads it.</summary>
    public static string WriteCpu(int thousandths) => thousandths % 1000 == 0 ? $"{thousandths / 1000}" : $"{thousandths}m";

    private static Fault? CpuFault(string text, int least, int most)
    {
        if (ReadCpu(text) is not { } thousandths)
            return new Fault($"must be a number of CPUs, not {Wording.Quote(text)}", "Write for example `2` or `1.5`, or thousandths of one such as `500m`.");
        if (thousandths < least) return new Fault($"is less than {WriteCpu(least)}", $"Write `{WriteCpu(least)}` or more.");
        return thousandths > most ? new Fault($"is more than {WriteCpu(most)}", $"Write `{WriteCpu(most)}` or less.") : null;
    }

    private static Fault? TimeFault(string text, TimeSpan least, TimeSpan most)
    {
        if (text.Length > 0 && text.All(char.IsAsciiDigit))
            return new Fault("is a number without a unit", $"Write `{text}m` for minutes or `{text}s` for seconds.");
        if (ReadTime(text) is not { } time)
            return new Fault($"must be a length of time, not {Wording.Quote(text)}", "Write hours, minutes and seconds such as `90s`, `5m` or `1h30m`.");
        if (time < least) return new Fault($"is shorter than {WriteTime(least)}", $"Write `{WriteTime(least)}` or more.");
        return time > most ? new Fault($"is longer than {WriteTime(most)}", $"Write `{WriteTime(most)}` or less.") : null;
    }

    private static Fault? SizeFault(string text, long least, long most)
    {
        if (ReadSize(text) is not { } bytes)
            return new Fault($"must be a size, not {Wording.Quote(text)}", "Write a number and a unit such as `512MiB` or `2GiB`.");
        if (bytes < least) return new Fault($"is smaller than {WriteSize(least)}", $"Write `{WriteSize(least)}` or more.");
        return bytes > most ? new Fault($"is larger than {WriteSize(most)}", $"Write `{WriteSize(most)}` or less.") : null;
    }
}
