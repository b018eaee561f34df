using System.Text.Json;
using System.Text.Json.Serialization;

namespace WmfCi.Core;

/// <summary>How states, events and effects are written down. Enumerations are words, so that a person can read the tables and a reordered enumeration breaks nothing.</summary>
public static class CoreJson
{
    /// <summary>The options. Unknown members are passed over, so that an older replica can read what a newer one wrote.</summary>
    public static JsonSerializerOptions Options { get; } = Make();

    private static JsonSerializerOptions Make()
    {
        var options = new JsonSerializerOptions(JsonSerializerDefaults.Web)
        {
            DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
            Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        };
        options.Converters.Add(new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower));
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
