using System.Text;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;

namespace WmfCi.Commands;

/// <summary>Everything that people can say to the bot, in the order of the help. This list is the only one: help, documentation and rights follow from it.</summary>
public static class CommandList
{
    /// <summary>The commands.</summary>
    public static IReadOnlyList<Command> All { get; } = [Recheck.Command, Help.Command];

    /// <summary>The command of a name, or null.</summary>
    public static Command? Find(string name) => All.FirstOrDefault(command => command.Name == name);

    /// <summary>Reads a comment on a change as a command; this is the rules' <see cref="Interpreter"/>.</summary>
    /// <returns>Null when the comment is talk among people.</returns>
    public static CommandAnswer? Interpret(Comment comment, ChangeLane lane, Policy policy)
    {
        // Whoever sets our own label speaks about a result; Wikimedia's users rely on that such a comment starts nothing.
        if (comment.LabelsChanged.Contains(policy.Label)) return null;
        if (Grammar.Read(Channel.Gerrit, comment.Text, policy.Self.Username) is not { } words) return null;
        var command = Find(words.Word);
        return command is null || !command.Channels.Contains(Channel.Gerrit) ? null : command.Handle(new Call(words, comment, lane, policy));
    }

    /// <summary>The page about all commands, in Markdown.</summary>
    public static string ToMarkdown()
    {
        var page = new StringBuilder("# Commands\n\nThis page is made from the code (`commands/WmfCi.Commands`).\n");
        foreach (var command in All)
        {
            page.Append($"\n## {command.Name}\n\n`{command.Syntax}`\n\n{command.Summary} {command.Help}\n\n")
                .Append($"- Who may: {command.WhoMay}\n- Where: {string.Join(", ", command.Channels)}\n- Examples: {string.Join(", ", command.Examples.Select(example => $"`{example}`"))}\n");
        }
        return page.ToString();
    }
}
