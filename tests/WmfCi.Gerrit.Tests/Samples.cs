using System.Text.Json;

namespace WmfCi.Gerrit.Tests;

/// <summary>What a real Gerrit 3.10 sent.</summary>
internal static class Samples
{
    private static readonly string Folder = Path.Combine(AppContext.BaseDirectory, "data");

    public static IReadOnlyList<string> EventFiles() => [.. Directory.EnumerateFiles(Path.Combine(Folder, "events"), "*.jsonl").Order(StringComparer.Ordinal)];

    public static IEnumerable<string> EventLines() => EventFiles().SelectMany(File.ReadLines);

    /// <summary>The body of a recorded answer, with the guard before it, as it went over the wire.</summary>
    public static string Body(string name)
    {
        using var recorded = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "rest", name + ".json")));
        return recorded.RootElement.GetProperty("response").GetProperty("body").GetString()!;
    }

    /// <summary>The change of a recorded list of one, as it comes alone.</summary>
    public static string Change(string name)
    {
        using var list = JsonDocument.Parse(Body(name).AsMemory(4));
        return ")]}'\n" + list.RootElement[0].GetRawText();
    }

    /// <summary>Its status.</summary>
    public static int Status(string name)
    {
        using var recorded = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "rest", name + ".json")));
        return recorded.RootElement.GetProperty("response").GetProperty("status").GetInt32();
    }
}
