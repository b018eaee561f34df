using System.Runtime.CompilerServices;
using WmfCi.Core.Changes;
using WmfCi.Core.Rules;

namespace WmfCi.Commands.Tests;

public sealed class HelpTests
{
    private static readonly Account _bob = new("2", "bob", "Bob", "");

    [Theory]
    [InlineData("help")]
    [InlineData("HELP")]
    [InlineData("  help \n")]
    public void Help_lists_what_can_be_said(string text) => Answer(text).ShouldBe(new CommandAnswer(
        """
        bob: you can comment

        - recheck : Test the current patch set again, on the present tip of its branch.
        - help [COMMAND] : Say what can be said here, or all about one command.

        help COMMAND tells more.
        """,
        false));

    [Theory]
    [InlineData("help recheck")]
    [InlineData("help ReCheck")]
    public void Help_on_a_command_tells_all_about_it(string text)
    {
        var reply = Answer(text)!.Reply!;
        reply.ShouldStartWith("bob: recheck\n\nTest the current patch set again, on the present tip of its branch. It must be the first word of the comment");
        reply.ShouldContain("\nWho may: Everybody; on a patch set that waits for a trusted person, only trusted people.\n");
        reply.ShouldEndWith("For example: recheck · recheck, the mirror was down");
    }

    [Theory]
    [InlineData("help me understand this, please")]
    [InlineData("help please")]
    [InlineData("help wanted")]
    [InlineData("help\nI do not understand line 3.")]
    [InlineData("helpful!")]
    public void A_comment_for_people_is_not_answered(string text)
    {
        var answer = Answer(text);
        (answer?.Reply, answer?.StartsRun ?? false).ShouldBe((null, false));
    }

    [Fact]
    public void The_list_is_in_order()
    {
        CommandList.All.Select(command => command.Name).ShouldBeUnique();
        foreach (var command in CommandList.All)
        {
            command.Name.ShouldMatch("^[a-z]+$");
            command.Syntax.ShouldStartWith(command.Name);
            command.Channels.ShouldNotBeEmpty();
            foreach (var text in new[] { command.Summary, command.Help, command.WhoMay }) text.ShouldEndWith(".");
            foreach (var example in command.Examples) Grammar.Read(Channel.Gerrit, example, "wmfci")!.Word.ShouldBe(command.Name);
            CommandList.Find(command.Name).ShouldBeSameAs(command);
        }
    }

    [Fact]
    public void The_page_about_commands_is_made_from_the_list()
    {
        var page = Path.Combine(RootOf(), "docs", "commands.md");
        if (Environment.GetEnvironmentVariable("WMFCI_UPDATE_DOCS") == "1") File.WriteAllText(page, CommandList.ToMarkdown());
        File.ReadAllText(page).ShouldBe(CommandList.ToMarkdown(), "run the tests with WMFCI_UPDATE_DOCS=1 to write the page anew");
    }

    private static CommandAnswer? Answer(string text) => CommandList.Interpret(RecheckTests.Said(text, _bob), RecheckTests.Lane(_bob), RecheckTests.Policy);

    private static string RootOf([CallerFilePath] string here = "")
    {
        for (var folder = Path.GetDirectoryName(here); folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "WmfCi.sln"))) return folder;
        throw new InvalidOperationException($"No WmfCi.sln above {here}: run the tests from the checkout that they were built in.");
    }
}
