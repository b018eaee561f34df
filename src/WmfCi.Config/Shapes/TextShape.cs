using System.Globalization;
using System.Text.Json.Nodes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Shapes;

/// <summary>What is wrong with a text.</summary>
/// <param name="Problem">Completes a sentence whose subject is known: “is longer than …”.</param>
/// <param name="Advice">What to write instead, a sentence; null for the example of the key.</param>
internal sealed record Fault(string Problem, string? Advice = null);

/// <summary>A scalar that is taken as it is written.</summary>
/// <param name="expected">Completes “must be …”.</param>
/// <param name="rule">What is wrong with a text, or null.</param>
internal sealed class TextShape(string expected, Func<string, Fault?> rule) : Shape
{
    public override string Expected => expected;

    /// <summary>A regular expression for the schema that no good text fails; null where only the code knows.</summary>
    public string? Pattern { get; init; }

    /// <summary>The longest text, in UTF-16 units.</summary>
    public required int Longest { get; init; }

    /// <summary>Whether an empty value, <c>null</c> and <c>~</c> are texts like others.</summary>
    public bool MayBeNothing { get; init; }

    /// <summary>Whether numbers and truths are welcome too, as the text they are written with.</summary>
    public bool TakesNumbers { get; init; }

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is not YamlText text || (text.IsNothing && !MayBeNothing)) return Refuse(node, subject, mistakes);
        var fault = text.Value.Length > Longest ? new Fault($"is longer than {Longest} characters", "Make it shorter.") : rule(text.Value);
        if (fault is null) return node;
        mistakes.Add(node.At, $"{subject.Name} {fault.Problem}.", fault.Advice ?? $"Write for example {subject.Example}.");
        return null;
    }

    protected override JsonObject Describe(JsonObject definitions)
    {
        var schema = new JsonObject { ["type"] = TakesNumbers ? new JsonArray("string", "number", "boolean") : "string" };
        if (MayBeNothing) schema["type"]!.AsArray().Add("null");
        schema["maxLength"] = Longest;
        if (Pattern is not null) schema["pattern"] = Pattern;
        return schema;
    }
}

/// <summary>One of a few words.</summary>
internal sealed class ChoiceShape(IReadOnlyList<string> words) : Shape
{
    public override string Expected => words.Count == 1 ? Wording.Choice(words) : "one of " + Wording.Choice(words);

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is not YamlText { IsNothing: false } text) return Refuse(node, subject, mistakes);
        if (words.Contains(text.Value)) return node;
        var meant = Wording.Nearest(text.Value, words) is { } near ? $"Did you mean `{near}`? " : "";
        mistakes.Add(
            node.At,
            $"{subject.Name} cannot be {Wording.Quote(text.Value)}.",
            $"{meant}Known are {Wording.Choice(words).Replace(" or ", " and ", StringComparison.Ordinal)}.");
        return null;
    }

    protected override JsonObject Describe(JsonObject definitions) => new() { ["enum"] = new JsonArray([.. words.Select(word => JsonValue.Create(word))]) };
}

/// <summary>
/// <c>true</c> or <c>false</c>. YAML's other words for them (<c>yes</c>, <c>off</c>) are refused with advice, because half of the programs that read YAML
/// take them
/// for texts.
/// </summary>
internal sealed class TruthShape : Shape
{
    private static readonly string[] _yes = ["yes", "on", "y", "true", "1"];
    private static readonly string[] _no = ["no", "off", "n", "false", "0"];

    public override string Expected => "`true` or `false`";

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is not YamlText { IsNothing: false } text) return Refuse(node, subject, mistakes);
        if (text is { IsPlain: true, Value: "true" or "false" }) return node;
        var lower = text.Value.ToLowerInvariant();
        var word = Array.IndexOf(_yes, lower) >= 0 ? "`true`" : Array.IndexOf(_no, lower) >= 0 ? "`false`" : Expected;
        mistakes.Add(node.At, $"{subject.Name} must be {Expected}, not {Wording.Quote(text.Value)}.", $"Write {word}, without quotes.");
        return null;
    }

    protected override JsonObject Describe(JsonObject definitions) => new() { ["type"] = "boolean" };
}

/// <summary>A whole number within bounds.</summary>
internal sealed class NumberShape(int least, int most) : Shape
{
    public override string Expected => $"a whole number from {least} to {most}";

    public override YamlNode? Check(YamlNode node, Subject subject, Mistakes mistakes)
    {
        if (node is not YamlText { IsNothing: false } text) return Refuse(node, subject, mistakes);
        if (Value(text.Value) is { } number && number >= least && number <= most) return node;
        mistakes.Add(node.At, $"{subject.Name} must be {Expected}, not {Wording.Quote(text.Value)}.", $"Write for example {subject.Example}.");
        return null;
    }

    /// <summary>The number that a text means, or null.</summary>
    public static int? Value(string text) =>
        int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : null;

    protected override JsonObject Describe(JsonObject definitions) => new() { ["type"] = "integer", ["minimum"] = least, ["maximum"] = most };
}
