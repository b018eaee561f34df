using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WmfCi.Kubernetes.SelfTest;

/// <summary>The checks for people and for programs.</summary>
public static class SelfTestText
{
    private const int NameWidth = 38, StateWidth = 5;
    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { new JsonStringEnumConverter(JsonNamingPolicy.CamelCase) } };

    /// <summary>A check as one line, and a second with what to mend.</summary>
    /// <param name="check">The check.</param>
    /// <param name="isColoured">Whether a terminal reads it.</param>
    public static string Of(Check check, bool isColoured)
    {
        var (word, colour) = check.State switch
        {
            CheckState.Passed => ("ok", 32),
            CheckState.Warned => ("warn", 33),
            CheckState.Failed => ("FAIL", 31),
            _ => ("skip", 36),
        };
        var text = new StringBuilder();
        var padded = word.PadRight(StateWidth);
        text.Append(isColoured ? $"\e[{colour}m{padded}\e[0m" : padded).Append(check.Name.PadRight(NameWidth)).Append(' ').Append(check.Found);
        if (check.Mend.Length > 0) text.Append('\n').Append(' ', StateWidth + NameWidth + 1).Append("→ ").Append(check.Mend);
        return text.ToString();
    }

    /// <summary>The last line.</summary>
    public static string Sum(IReadOnlyCollection<Check> checks)
    {
        int Count(CheckState state) => checks.Count(check => check.State == state);
        return $"{Count(CheckState.Passed)} passed, {Count(CheckState.Warned)} warned, {Count(CheckState.Failed)} failed, {Count(CheckState.Skipped)} skipped.";
    }

    /// <summary>All checks as a JSON object: <c>passed</c>, and <c>checks</c> with <c>name</c>, <c>state</c>, <c>found</c> and <c>mend</c>.</summary>
    public static string ToJson(IReadOnlyCollection<Check> checks) =>
        JsonSerializer.Serialize(new { Passed = IsGood(checks), Checks = checks }, Json);

    /// <summary>Whether nothing failed. Warnings may stay.</summary>
    public static bool IsGood(IEnumerable<Check> checks) => checks.All(check => check.State != CheckState.Failed);
}
