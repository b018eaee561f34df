using System.Text.Json.Nodes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Shapes;

/// <summary>A key that means something.</summary>
/// <param name="Name">As written.</param>
/// <param name="Type">Its type, in words for the documentation.</param>
/// <param name="Shape">What its value may be.</param>
/// <param name="Meaning">What it is for and what holds without it, for the documentation and the schema.</param>
/// <param name="Example">A line or a few of YAML, with the key.</param>
internal sealed record Key(string Name, string Type, Shape Shape, string Meaning, string Example)
{
    /// <summary>Whether it must be written.</summary>
    public bool IsRequired { get; init; }

    /// <summary>Names that other systems have for it, which their users will try first.</summary>
    public IReadOnlyList<string> Otherwise { get; init; } = [];

    /// <summary>The example in one line, where it has more.</summary>
    public string? Short { get; init; }

    /// <summary>The example as it is shown in a sentence.</summary>
    public string InSentence => $"`{Short ?? Example}`";
}

/// <summary>A map of known keys.</summary>
/// <param name="expected">Completes “must be …”.</param>
/// <param name="keys">The keys, in the order in which they are documented.</param>
internal sealed class KeyedShape(string expected, IReadOnlyList<Key> keys) : Shape
{
    public override string Expected => expected;

    public IReadOnlyList<Key> Keys => keys;

    /// <summary>Advice of its own for an unknown key, or null.</summary>
    public Func<YamlEntry, string?> AdviseOnUnknown { get; init; } = _ => null;

    /// <summary>Whether the author sees this map as a whole (the file) and needs no mention of where the key stands.</summary>
    public bool IsFile { get; init; }

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is not YamlMap map) return Refuse(node, subject, mistakes);
        var good = new List<YamlEntry>();
        var refused = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            if (mistakes.IsFull) break;
            if (keys.FirstOrDefault(key => key.Name == entry.Key.Value) is not { } key)
            {
                var meant = Meant(entry.Key.Value);
                if (meant is not null) refused.Add(meant.Name);
                var place = IsFile ? "" : $" of {subject.Inside}";
                mistakes.Add(entry.Key.At, $"{Wording.Quote(entry.Key.Value)} is no key{place}.", AdviseOnUnknown(entry) ?? Advice(meant));
            }
            else if (key.Shape.Check(entry.Value, new Subject($"`{key.Name}`", key.InSentence), mistakes) is { } value)
            {
                good.Add(entry with { Value = value });
            }
            else
            {
                refused.Add(key.Name);
            }
        }

        foreach (var key in keys.Where(key => key.IsRequired && map.Entry(key.Name) is null && !refused.Contains(key.Name)))
        {
            mistakes.Add(map.At, $"{(IsFile ? "The file" : subject.Name)} lacks `{key.Name}`.", $"Add for example {key.InSentence}.");
        }

        return new YamlMap(map.At, good) { Refused = refused };
    }

    protected override JsonObject Describe(JsonObject definitions)
    {
        var properties = new JsonObject();
        foreach (var key in keys)
        {
            var schema = key.Shape.Schema(definitions);
            schema["description"] = key.Meaning;
            properties[key.Name] = schema;
        }

        var result = new JsonObject { ["type"] = "object", ["properties"] = properties, ["additionalProperties"] = false };
        var required = keys.Where(key => key.IsRequired).Select(key => (JsonNode?)JsonValue.Create(key.Name)).ToArray();
        if (required.Length > 0) result["required"] = new JsonArray(required);
        return result;
    }

    private Key? Meant(string written)
    {
        var near = Wording.Nearest(written, keys.SelectMany(key => key.Otherwise.Prepend(key.Name)));
        return near is null ? null : keys.FirstOrDefault(key => key.Name == near) ?? keys.First(key => key.Otherwise.Contains(near));
    }

    private string Advice(Key? meant) => meant is not null
        ? $"Did you mean `{meant.Name}`? It is written {meant.InSentence}."
        : $"Known keys are {Wording.Choice([.. keys.Select(key => key.Name)]).Replace(" or ", " and ", StringComparison.Ordinal)}.";
}
