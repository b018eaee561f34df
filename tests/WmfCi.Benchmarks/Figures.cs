using System.Globalization;

namespace WmfCi.Benchmarks;

/// <summary>What was measured of one thing, many times.</summary>
internal sealed record Figures(string Name, IReadOnlyList<double> Values, string Unit = "ms", string Goal = "")
{
    public double Median => At(0.5);

    public double P95 => At(0.95);

    public double Max => Values.Count == 0 ? double.NaN : Values.Max();

    /// <summary>The smallest value that at least this share of them does not exceed.</summary>
    private double At(double share)
    {
        if (Values.Count == 0) return double.NaN;
        var sorted = Values.Order().ToList();
        return sorted[Math.Clamp((int)Math.Ceiling(share * sorted.Count) - 1, 0, sorted.Count - 1)];
    }

    /// <summary>Prints a Markdown table.</summary>
    public static void Print(string title, params IReadOnlyList<Figures> rows)
    {
        Console.WriteLine($"\n### {title}\n\n| | n | median | p95 | max | goal |\n| :-- | --: | --: | --: | --: | :-- |");
        foreach (var row in rows)
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {row.Name} | {row.Values.Count} | {row.Text(row.Median)} | {row.Text(row.P95)} | {row.Text(row.Max)} | {row.Goal} |"));
    }

    private string Text(double value) => string.Create(CultureInfo.InvariantCulture, $"{value.ToString(value < 10 ? "0.00" : value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture)} {Unit}");
}
