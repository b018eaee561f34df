using System.Text.Json.Nodes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Shapes;

/// <summary>What a mistake is about: the subject of its sentence, and what the author could write.</summary>
internal readonly record struct Subject(string Name, string Example)
{
    /// <summary>The name within a sentence.</summary>
    public string Inside => char.ToLowerInvariant(Name[0]) + Name[1..];

    /// <summary>The same, about an inner value.</summary>
    public Subject Within(string name) => this with { Name = name };
}

/// <summary>
/// What may stand somewhere in a file. One description serves the check, the messages, the JSON schema and the tables of the documentation,
/// so that these cannot come to differ.
/// </summary>
internal abstract class Shape
{
    /// <summary>Completes “must be …”.</summary>
    public abstract string Expected { get; }

    /// <summary>The name under which the schema defines it once, or null.</summary>
    public string? Definition { get; init; }

    /// <summary>Checks a value and everything in it.</summary>
    /// <returns>The part that can be used, or null; what was left out is among the mistakes.</returns>
    public abstract YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes);

    /// <summary>The schema of a value, by reference where it has a definition.</summary>
    public JsonObject Schema(JsonObject definitions)
    {
        if (Definition is null) return Describe(definitions);
        if (!definitions.ContainsKey(Definition))
        {
            definitions[Definition] = null;
            definitions[Definition] = Describe(definitions);
        }

        return new JsonObject { ["$ref"] = $"#/$defs/{Definition}" };
    }

    /// <summary>The schema written out.</summary>
    protected abstract JsonObject Describe(JsonObject definitions);

    /// <summary>Reports a value of another kind than expected.</summary>
    protected YamlNode? Refuse(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is YamlRefused) return null;
        var problem = node is YamlText { IsNothing: true } ? $"{subject.Name} has no value." : $"{subject.Name} must be {Expected}, not {node.Kind}.";
        var otherwise = node is YamlText { IsNothing: true } ? " or leave the line out" : "";
        mistakes.Add(node.At, problem, $"Write for example {subject.Example}{otherwise}.");
        return null;
    }
}
