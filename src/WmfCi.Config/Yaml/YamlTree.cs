using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace WmfCi.Config.Yaml;

/// <summary>
/// Turns text into a tree by the events of YamlDotNet's parser. Its deserialiser and its node model are not used: they follow aliases and
/// tags, which is what hostile files are made of.
/// </summary>
internal sealed class YamlTree
{
    private readonly SourceText _source;
    private readonly Mistakes _mistakes;
    private readonly Stack<Frame> _open = new();
    private int _nodes;
    private int _documents;
    private Position _last = Position.Start;
    private YamlNode? _root;

    private YamlTree(SourceText source, Mistakes mistakes) => (_source, _mistakes) = (source, mistakes);

    /// <summary>Reads the one document of a file.</summary>
    /// <returns>Null when there is nothing to go on with; the reason is among the mistakes. Smaller refusals stay in the tree as <see
    /// cref="YamlRefused"/>.</returns>
    public static YamlNode? Read(SourceText source, Mistakes mistakes)
    {
        var tree = new YamlTree(source, mistakes);
        try
        {
            return tree.Read() ? tree._root : null;
        }
        catch (Exception stop) when (stop is not OutOfMemoryException)
        {
            // The file is hostile text and the parser is somebody else's (an unclosed bracket, for one, makes it throw what is no YamlException):
            // whatever it trips over is an answer about the file, not the end of the service.
            var at = stop is YamlException known ? source.PositionOf(known.Start.Index) : tree._last;
            SyntaxAdvice.Tell(stop, at, tree._open.FirstOrDefault(frame => frame.IsFlow)?.At, source, mistakes);
            return null;
        }
    }

    private bool Read()
    {
        var parser = new Parser(new StringReader(_source.Text));
        while (parser.MoveNext())
        {
            if (!Take(parser.Current!)) return false;
        }

        if (_root is not null && _root is not YamlText { IsNothing: true }) return true;
        if (!_mistakes.Any) _mistakes.Add(Position.Start, "The file is empty.", "Write the settings into it, or remove it.");
        return false;
    }

    private bool Take(ParsingEvent happened)
    {
        var at = _last = _source.PositionOf(happened.Start.Index);
        switch (happened)
        {
            case DocumentStart when ++_documents > 1:
                _mistakes.Add(at, "A second document begins here.", "Write one document only: remove this `---` and join what is above and below.");
                return false;
            case AnchorAlias alias:
                _mistakes.Add(
                    at,
                    $"{Wording.Quote("*" + alias.Value)} is an alias, which is not allowed.",
                    "Write the value out; if a text shall begin with a star, put it in quotes.");
                return Put(new YamlRefused(at));
            case Scalar scalar:
                return Allow(scalar, at) && Put(Text(scalar, at));
            case MappingStart or SequenceStart:
                return Allow((NodeEvent)happened, at) && Open(new Frame(at, happened is MappingStart) { IsFlow = IsFlow(happened) });
            case MappingEnd or SequenceEnd:
                var frame = _open.Pop();
                return Put(frame.IsMap ? new YamlMap(frame.At, frame.Entries) : new YamlList(frame.At, frame.Items));
            default:
                return true;
        }
    }

    private bool Allow(NodeEvent node, Position at)
    {
        if (!node.Tag.IsEmpty)
        {
            _mistakes.Add(
                at,
                $"{Wording.Quote(node.Tag.IsNonSpecific ? "!" : node.Tag.Value)} is a tag, which is not allowed.",
                "Leave it out; if a text shall begin with an exclamation mark, put it in quotes.");
        }

        if (++_nodes <= YamlLimits.Nodes) return true;
        _mistakes.Add(at, $"The file has more than {YamlLimits.Nodes} values.", "Make it smaller: move long lists of commands into scripts.");
        return false;
    }

    private YamlNode Text(Scalar scalar, Position at)
    {
        if (IsText(scalar.Value)) return new YamlText(at, scalar.Value, scalar.Style == ScalarStyle.Plain);
        _mistakes.Add(at, "This text has a NUL or half of a character.", "Remove the escape `\\0`, `\\x00` or `\\uD…` from it.");
        return new YamlRefused(at);
    }

    private bool Open(Frame frame)
    {
        _open.Push(frame);
        if (_open.Count <= YamlLimits.Depth) return true;
        _mistakes.Add(
            frame.At,
            $"Lists and maps lie more than {YamlLimits.Depth} deep in one another.",
            "Remove brackets or indentation; a configuration needs about five levels.");
        return false;
    }

    private bool Put(YamlNode node)
    {
        if (_open.TryPeek(out var frame)) frame.Put(node, _mistakes);
        else _root = node;
        return true;
    }

    private static bool IsFlow(ParsingEvent start) => start is MappingStart { Style: MappingStyle.Flow } or SequenceStart { Style: SequenceStyle.Flow };

    private static bool IsText(string value)
    {
        for (var i = 0; i < value.Length; i++)
        {
            if (value[i] == '\0' || char.IsLowSurrogate(value[i])) return false;
            if (char.IsHighSurrogate(value[i]) && (++i == value.Length || !char.IsLowSurrogate(value[i]))) return false;
        }

        return true;
    }

    /// <summary>A list or map that is being read.</summary>
    private sealed class Frame(Position at, bool isMap)
    {
        private readonly Dictionary<string, int> _lines = new(StringComparer.Ordinal);
        private YamlNode? _key;
        private bool _isKept;

        public Position At => at;

        public bool IsMap => isMap;

        public required bool IsFlow { get; init; }

        public List<YamlNode> Items { get; } = [];

        public List<YamlEntry> Entries { get; } = [];

        public void Put(YamlNode node, Mistakes mistakes)
        {
            if (!isMap)
            {
                Items.Add(node);
            }
            else if (_key is null)
            {
                _key = node;
                _isKept = Judge(node, mistakes);
            }
            else
            {
                if (_isKept) Entries.Add(new YamlEntry((YamlText)_key, node));
                _key = null;
            }
        }

        private bool Judge(YamlNode key, Mistakes mistakes)
        {
            if (key is YamlText text)
            {
                if (_lines.TryAdd(text.Value, key.At.Line)) return true;
                mistakes.Add(
                    key.At,
                    $"{Wording.Quote(text.Value)} stands twice, here and in line {_lines[text.Value]}.",
                    "Keep one of the two, with what both say.");
            }
            else if (key is not YamlRefused)
            {
                mistakes.Add(key.At, $"A key must be a text, not {key.Kind}.", "Write `name: value`; if a command begins with a bracket, put it in quotes.");
            }

            return false;
        }
    }
}
