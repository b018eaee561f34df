using FsCheck.Xunit;

namespace WmfCi.Commands.Tests;

/// <summary>How words are cut, in each of the three channels.</summary>
public sealed class GrammarTests
{
    private const string Bot = "wmfci";

    [Theory]
    [InlineData("recheck", "recheck")]
    [InlineData("  \n\trecheck", "recheck")]
    [InlineData("ReCheck", "recheck")]
    [InlineData("recheck.", "recheck", ".")]
    [InlineData("recheck, please", "recheck", ",", "please")]
    [InlineData("recheck\nplease", "recheck")]
    [InlineData("recheck\r\nplease", "recheck")]
    [InlineData("help recheck", "help", "recheck")]
    [InlineData("help\u00A0recheck", "help", "recheck")]
    [InlineData("deploy core@1234 staging", "deploy", "core@1234", "staging")]
    public void In_Gerrit_the_first_word_of_the_comment_counts(string text, string word, params string[] arguments) =>
        Grammar.Read(Channel.Gerrit, text, Bot).ShouldBe(new Invocation(word, arguments, IsAddressed: false));

    [Theory]
    [InlineData("")]
    [InlineData(" \n ")]
    [InlineData("> recheck")]
    [InlineData("`recheck`")]
    [InlineData("```\nrecheck\n```")]
    [InlineData("*recheck*")]
    [InlineData("\"recheck\"")]
    [InlineData("\uFEFFrecheck")]
    [InlineData("recheckу")] // a Cyrillic letter behind it
    [InlineData("rечeck")] // Cyrillic letters inside
    [InlineData("ｒｅｃｈｅｃｋ")] // full width
    [InlineData("再检查")]
    [InlineData("إعادة")]
    [InlineData("👍 recheck")]
    [InlineData("!ci recheck")]
    public void What_does_not_begin_with_a_plain_word_is_talk(string text) => Grammar.Read(Channel.Gerrit, text, Bot).ShouldBeNull();

    [Theory]
    [InlineData("rechecking")]
    [InlineData("recheck_all")]
    [InlineData("recheck2")]
    public void A_longer_word_is_another_word(string text) => Grammar.Read(Channel.Gerrit, text, Bot)!.Word.ShouldBe(text);

    [Theory]
    [InlineData("wmfci: status core")]
    [InlineData("wmfci, status core")]
    [InlineData("WmfCi status core")]
    [InlineData("!ci status core")]
    [InlineData("!CI   status   core")]
    [InlineData("@wmfci status core")]
    [InlineData("@wmfci: status core")]
    public void In_chat_and_on_tasks_the_bot_is_named_first(string text)
    {
        foreach (var channel in new[] { Channel.Irc, Channel.Phabricator })
            Grammar.Read(channel, text, Bot).ShouldBe(new Invocation("status", ["core"], IsAddressed: true));
    }

    [Theory]
    [InlineData("recheck")]
    [InlineData("status")]
    [InlineData("wmfcix: status")]
    [InlineData("wmfci-bot: status")]
    [InlineData("wmfci")]
    [InlineData("wmfci:")]
    [InlineData("wmfci: ")]
    [InlineData("!ci")]
    [InlineData("!citation needed")]
    [InlineData("I think wmfci: status would help")]
    [InlineData("@ wmfci status")]
    [InlineData("<wmfci> status")]
    public void Chat_that_does_not_name_the_bot_first_is_talk(string text)
    {
        Grammar.Read(Channel.Irc, text, Bot).ShouldBeNull();
        Grammar.Read(Channel.Phabricator, text, Bot).ShouldBeNull();
    }

    [Fact]
    public void A_bot_without_a_name_answers_to_its_prefix_only()
    {
        Grammar.Read(Channel.Irc, ": status", "").ShouldBeNull();
        Grammar.Read(Channel.Irc, "!ci status", "").ShouldNotBeNull();
    }

    [Fact]
    public void Huge_texts_are_looked_at_up_to_a_bound()
    {
        var words = Grammar.Read(Channel.Gerrit, "recheck " + string.Concat(Enumerable.Repeat("a ", 5_000_000)), Bot)!;
        words.Arguments.Count.ShouldBe(Grammar.MaxArguments);
        Grammar.Read(Channel.Gerrit, new string('a', 10_000_000), Bot)!.Word.Length.ShouldBe(Grammar.MaxTextLength);
        Grammar.Read(Channel.Gerrit, new string(' ', 10_000_000) + "recheck", Bot).ShouldBeNull();
    }

    [Property(MaxTest = 1000)]
    public void No_text_makes_it_throw(char[] text, char[] bot)
    {
        foreach (var channel in Enum.GetValues<Channel>())
        {
            if (Grammar.Read(channel, new string(text), new string(bot)) is not { } words) continue;
            words.Word.ShouldMatch("^[a-z0-9_]+$");
            words.IsAddressed.ShouldBe(channel != Channel.Gerrit);
        }
    }

    [Property(MaxTest = 1000)]
    public void A_line_of_chat_that_names_nobody_is_never_for_the_bot(string line, bool withCommand)
    {
        var text = withCommand ? "recheck " + line : line;
        if (text is null) return;
        var start = text.TrimStart();
        var isAddressed = new[] { "wmfci", "@wmfci", "!ci" }.Any(name => start.StartsWith(name, StringComparison.OrdinalIgnoreCase));
        if (!isAddressed) Grammar.Read(Channel.Irc, text, Bot).ShouldBeNull();
    }

    [Property(MaxTest = 300)]
    public void Named_or_not_the_words_are_the_same(string said)
    {
        var text = "status " + (said ?? "").Replace('\0', ' ');
        if (text.Length > Grammar.MaxTextLength - 10) return;
        var inGerrit = Grammar.Read(Channel.Gerrit, text, Bot)!;
        Grammar.Read(Channel.Irc, "wmfci: " + text, Bot).ShouldBe(inGerrit with { IsAddressed = true });
        Grammar.Read(Channel.Phabricator, "!ci " + text, Bot).ShouldBe(inGerrit with { IsAddressed = true });
    }
}
