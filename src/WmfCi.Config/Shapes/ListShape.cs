using System.Text.Json.Nodes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Shapes;

/// <summary>A list of one kind of values.</summary>
/// <param name="item">What each is.</param>
/// <param name="expected">Completes “must be …”.</param>
internal sealed class ListShape(Shape item, string expected) : Shape
{
    public override string Expected => expected;

    /// <summary>How many there may be.</summary>
    public required int Most { get; init; }

    /// <summary>How many there must be.</summary>
    public int Least { get; init; }

    /// <summary>Whether one value may stand without the list around it.</summary>
    public bool OrOne { get; init; }

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is YamlText { IsNothing: true } || (node is not YamlList && !OrOne)) return Refuse(node, subject, mistakes);
        var items = node is YamlList list ? list.Items : [node];
        if (items.Count < Least)
        {
            mistakes.Add(node.At, $"{subject.Name} is empty.", $"Write for example {subject.Example}.");
            return null;
        }

        if (items.Count > Most)
        {
            mistakes.Add(items[Most].At, $"{subject.Name} has {items.Count} items, more than {Most}.", $"Leave {Most} at most.");
            return null;
        }

        var inner = node is YamlList ? subject.Within($"An item of {subject.Inside}") : subject;
        var good = items.Select(one => item.Check(one, inner, mistakes)).OfType<YamlNode>().ToList();
        return good.Count == 0 && items.Count > 0 ? null : new YamlList(node.At, good);
    }

    protected override JsonObject Describe(JsonObject definitions)
    {
        var list = new JsonObject { ["type"] = "array", ["items"] = item.Schema(definitions), ["maxItems"] = Most };
        if (Least > 0) list["minItems"] = Least;
        return OrOne ? new JsonObject { ["anyOf"] = new JsonArray(item.Schema(definitions), list) } : list;
    }
}

/// <summary>A map whose keys the author chooses.</summary>
/// <param name="key">What is wrong with a key, or null.</param>
/// <param name="value">What each value is.</param>
/// <param name="expected">Completes “must be …”.</param>
internal sealed class MapShape(Func<string, Fault?> key, Shape value, string expected) : Shape
{
    public override string Expected => expected;

    /// <summary>How many entries there may be.</summary>
    public required int Most { get; init; }

    /// <summary>A regular expression for the keys in the schema.</summary>
    public required string KeyPattern { get; init; }

    /// <summary>What an entry is called: “The variable”.</summary>
    public required string EntryName { get; init; }

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is not YamlMap map) return Refuse(node, subject, mistakes);
        if (map.Entries.Count > Most)
        {
            mistakes.Add(map.Entries[Most].Key.At, $"{subject.Name} has {map.Entries.Count} entries, more than {Most}.", $"Leave {Most} at most.");
            return null;
        }

        var good = new List<YamlEntry>();
        var refused = new HashSet<string>(StringComparer.Ordinal);
        foreach (var entry in map.Entries)
        {
            var inner = subject.Within($"{EntryName} {Wording.Quote(entry.Key.Value)}");
            if (key(entry.Key.Value) is { } fault)
                mistakes.Add(entry.Key.At, $"{inner.Name} {fault.Problem}.", fault.Advice ?? $"Write for example {subject.Example}.");
            else if (value.Check(entry.Value, inner, mistakes) is { } checkedValue) good.Add(entry with { Value = checkedValue });
            else refused.Add(entry.Key.Value);
        }

        return new YamlMap(map.At, good) { Refused = refused };
    }

    protected override JsonObject Describe(JsonObject definitions) => new()
    {
        ["type"] = "object",
        ["propertyNames"] = new JsonObject { ["pattern"] = KeyPattern },
        ["additionalProperties"] = value.Schema(definitions),
        ["maxProperties"] = Most,
    };
}

/// <summary>Different shapes for a text, a list and a map: short forms.</summary>
/// <param name="expected">Completes “must be …”.</param>
internal sealed class FormsShape(string expected) : Shape
{
    public override string Expected => expected;

    public Shape? ForText { get; init; }

    public Shape? ForList { get; init; }

    public Shape? ForMap { get; init; }

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        var shape = node switch
        {
            YamlText { IsNothing: true } => null,
            YamlText => ForText,
            YamlList => ForList,
            YamlMap => ForMap,
            _ => null,
        };
        return shape is null ? Refuse(node, subject, mistakes) : shape.Check(node, subject, mistakes);
    }

    protected override JsonObject Describe(JsonObject definitions)
    {
        var forms = new[] { ForText, ForList, ForMap }.OfType<Shape>().Select(shape => (JsonNode?)shape.Schema(definitions));
        return new JsonObject { ["anyOf"] = new JsonArray([.. forms]) };
    }
}
