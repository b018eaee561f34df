using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace WmfCi.Config.Pipelines;

/// <summary>The syntax of <c>.pipeline/config.yaml</c> for programs: editors that complete and check while one types.</summary>
public static class PipelineSchema
{
    private static readonly JsonSerializerOptions _readable = new() { WriteIndented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>
    /// The JSON schema (draft 2020-12), indented, ending with a line end. It knows every key, type and bound; what only the code or the whole file shows, such
    /// as
    /// circles, is left to <see cref="PipelineFile"/>.
    /// </summary>
    public static string Json { get; } = Write();

    private static string Write()
    {
        var definitions = new JsonObject();
        var schema = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["title"] = "Pipeline of a repository (.pipeline/config.yaml)",
        };
        foreach (var (name, value) in PipelineKeys.File.Schema(definitions).ToList()) schema[name] = value?.DeepClone();
        schema["$defs"] = definitions;
        return schema.ToJsonString(_readable) + "\n";
    }
}
