namespace WmfCi.Commands;

/// <summary>Where somebody speaks to the bot.</summary>
public enum Channel
{
    /// <summary>A comment on a change.</summary>
    Gerrit,

    /// <summary>A line in an IRC channel or query.</summary>
    Irc,

    /// <summary>A comment on a task.</summary>
    Phabricator,
}

/// <summary>Words that were said to the bot.</summary>
/// <param name="Word">The first word, in lower case: perhaps a command.</param>
/// <param name="Arguments">The other words of the line.</param>
/// <param name="IsAddressed">Whether the bot was named, so that an unknown word deserves an answer. In Gerrit it never is: most comments are talk among people.</param>
public sealed record Invocation(string Word, IReadOnlyList<string> Arguments, bool IsAddressed)
{
    /// <summary>Whether two invocations say the same words.</summary>
    public bool Equals(Invocation? other) =>
        other is not null && Word == other.Word && IsAddressed == other.IsAddressed && Arguments.SequenceEqual(other.Arguments, StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Word, Arguments.Count, IsAddressed);
}

/// <summary>Cuts what people write into words. Each channel has its own way of naming the bot; what follows is the same everywhere.</summary>
public static class Grammar
{
    /// <summary>Only so much of a text is looked at: a command stands at its beginning.</summary>
    public const int MaxTextLength = 4096;

    /// <summary>How many words a command may have.</summary>
    public const int MaxArguments = 32;

    /// <summary>The prefix that works in IRC and Phabricator beside the bot's name.</summary>
    public const string Prefix = "!ci";

    /// <summary>Reads a text.</summary>
    /// <param name="channel">Where it was said.</param>
    /// <param name="text">What was said, without what the channel itself puts before it.</param>
    /// <param name="botName">The bot's name there.</param>
    /// <returns>Null when it is not for the bot.</returns>
    public static Invocation? Read(Channel channel, string text, string botName)
    {
        var span = (text.Length > MaxTextLength ? text.AsSpan(0, MaxTextLength) : text.AsSpan()).TrimStart();
        var addressed = channel != Channel.Gerrit;
        if (addressed && !TryTakeAddress(ref span, botName)) return null;
        var end = span.IndexOf('\n');
        var line = end < 0 ? span : span[..end];
        var word = TakeWord(ref line);
        if (word.IsEmpty) return null;
        var arguments = line.ToString().Split((char[]?)null, MaxArguments + 1, StringSplitOptions.RemoveEmptyEntries);
        return new Invocation(word.ToString().ToLowerInvariant(), [.. arguments.Take(MaxArguments)], addressed);
    }

    // "wmfci: status", "wmfci, status", "wmfci status", "!ci status", and in tasks "@wmfci status".
    private static bool TryTakeAddress(ref ReadOnlySpan<char> text, string botName)
    {
        if (text.StartsWith(Prefix, StringComparison.OrdinalIgnoreCase) && text.Length > Prefix.Length && char.IsWhiteSpace(text[Prefix.Length]))
        {
            text = text[Prefix.Length..].TrimStart();
            return true;
        }
        var rest = text.StartsWith("@", StringComparison.Ordinal) ? text[1..] : text;
        if (botName.Length == 0 || !rest.StartsWith(botName, StringComparison.OrdinalIgnoreCase)) return false;
        rest = rest[botName.Length..];
        if (rest.IsEmpty || (rest[0] is not (':' or ',') && !char.IsWhiteSpace(rest[0]))) return false;
        text = rest.TrimStart(":,").TrimStart();
        return true;
    }

    // A word ends where no letter, digit or underscore follows, so that "recheck." and "recheck, please" are the word, and "rechecking" is another.
    private static ReadOnlySpan<char> TakeWord(ref ReadOnlySpan<char> line)
    {
        var length = 0;
        while (length < line.Length && (char.IsAsciiLetterOrDigit(line[length]) || line[length] == '_')) length++;
        // A letter of another alphabet right behind makes it another word.
        if (length < line.Length && char.IsLetterOrDigit(line[length])) return default;
        var word = line[..length];
        line = line[length..];
        return word;
    }
}
