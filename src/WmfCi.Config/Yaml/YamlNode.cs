using System.Runtime.InteropServices;

namespace WmfCi.Config.Yaml;

/// <summary>A place in a file; both numbers are counted from 1, the column in UTF-16 units.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct Position(int Line, int Column)
{
    public static Position Start => new(1, 1);
}

/// <summary>A value of a YAML file with its place. Values stay text: nothing is turned into numbers, truths or dates behind the author's back.</summary>
internal abstract class YamlNode(Position at)
{
    public Position At { get; } = at;

    /// <summary>What an author would call it.</summary>
    public abstract string Kind { get; }
}

/// <summary>A scalar.</summary>
/// <param name="at">Where it begins.</param>
/// <param name="value">The text, escapes resolved.</param>
/// <param name="isPlain">Whether it stands without quotes and is no block.</param>
internal sealed class YamlText(Position at, string value, bool isPlain) : YamlNode(at)
{
    public string Value { get; } = value;

    public bool IsPlain { get; } = isPlain;

    /// <summary>Whether YAML reads it as the absence of a value.</summary>
    public bool IsNothing => IsPlain && Value is "" or "~" or "null" or "Null" or "NULL";

    public override string Kind => IsNothing ? "nothing" : "a text";
}

/// <summary>A sequence.</summary>
internal sealed class YamlList(Position at, IReadOnlyList<YamlNode> items) : YamlNode(at)
{
    public IReadOnlyList<YamlNode> Items { get; } = items;

    public override string Kind => "a list";
}

/// <summary>One line of a map.</summary>
internal sealed record YamlEntry(YamlText Key, YamlNode Value);

/// <summary>A mapping whose keys are texts that differ.</summary>
internal sealed class YamlMap(Position at, IReadOnlyList<YamlEntry> entries) : YamlNode(at)
{
    public IReadOnlyList<YamlEntry> Entries { get; } = entries;

    /// <summary>Keys that were written, but whose values were refused: they are neither there nor missing.</summary>
    public IReadOnlySet<string> Refused { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    public override string Kind => "a map";

    public YamlEntry? Entry(string key) => Entries.FirstOrDefault(entry => entry.Key.Value == key);

    public YamlNode? Find(string key) => Entry(key)?.Value;
}

/// <summary>Something that was refused and reported already, such as an alias.</summary>
internal sealed class YamlRefused(Position at) : YamlNode(at)
{
    public override string Kind => "something refused";
}
