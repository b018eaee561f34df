using System.Text.Json;
using System.Text.Json.Serialization;
using WmfCi.Core;
using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>
/// Why an attempt was ended before its time, as its Job remembers it: whoever takes over after that says the same, instead of calling it a failure of the cluster.
/// </summary>
internal static class Endings
{
    // Annotations of an object share 256 KiB.
    private const int MaxExplanation = 2000;

    /// <summary>Writes it for <see cref="Marks.Ended"/>.</summary>
    public static string Write(Reading.Over over) =>
        JsonSerializer.Serialize(new Ending(over.Kind, PlainText.Line(over.Explanation, MaxExplanation), over.Step, over.ExitCode), EndingJson.Default.Ending);

    /// <summary>Reads it; null where it is none.</summary>
    public static Reading.Over? Read(string mark)
    {
        try
        {
            return JsonSerializer.Deserialize(mark, EndingJson.Default.Ending) is { } ending && Enum.IsDefined(ending.Kind)
                ? new Reading.Over(ending.Kind, ending.Explanation ?? "") { Step = ending.Step, ExitCode = ending.ExitCode } : null;
        }
        catch (Exception error) when (error is JsonException or ArgumentException)
        {
            return null;
        }
    }

    internal sealed record Ending(OutcomeKind Kind, string? Explanation, int? Step, int? ExitCode);
}

/// <summary>How endings are written.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull, UseStringEnumConverter = true)]
[JsonSerializable(typeof(Endings.Ending))]
internal sealed partial class EndingJson : JsonSerializerContext;
