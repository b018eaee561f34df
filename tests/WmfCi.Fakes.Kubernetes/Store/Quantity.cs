using System.Globalization;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>Amounts of resources, as manifests write them.</summary>
internal static class Quantity
{
    private static readonly Dictionary<string, decimal> Units = new(StringComparer.Ordinal)
    {
        ["n"] = 0.000000001m,
        ["u"] = 0.000001m,
        ["m"] = 0.001m,
        [""] = 1,
        ["k"] = 1e3m,
        ["M"] = 1e6m,
        ["G"] = 1e9m,
        ["T"] = 1e12m,
        ["Ki"] = 1024m,
        ["Mi"] = 1024m * 1024,
        ["Gi"] = 1024m * 1024 * 1024,
        ["Ti"] = 1024m * 1024 * 1024 * 1024,
    };

    public static decimal Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return 0;
        var end = text.Length;
        while (end > 0 && char.IsLetter(text[end - 1])) end--;
        return decimal.Parse(text.AsSpan(0, end), NumberStyles.Float, CultureInfo.InvariantCulture) * Units[text[end..]];
    }

    public static string Format(decimal amount) =>
        amount == decimal.Truncate(amount) ? amount.ToString("0", CultureInfo.InvariantCulture) : (amount * 1000).ToString("0", CultureInfo.InvariantCulture) + "m";
}
