using WmfCi.Core.Rules;

namespace WmfCi.Commands;

/// <summary><c>help</c>: what can be said.</summary>
internal static class Help
{
    public static Command Command { get; } = new()
    {
        Name = "help",
        Syntax = "help [COMMAND]",
        Summary = "Say what can be said here, or all about one command.",
        Help = "In Gerrit it must be the whole comment, since many comments among people begin with this word.",
        WhoMay = "Everybody.",
        Examples = ["help", "help recheck"],
        Channels = [Channel.Gerrit],
        Handle = Handle,
    };

    private static CommandAnswer Handle(Call call)
    {
        // "help me understand this, please" is for people, and so is a comment that goes on below.
        if (call.Words.Arguments.Count > 1 || call.Said.Text.AsSpan().Trim().Contains('\n')) return new CommandAnswer(null, false);
        if (call.Words.Arguments.Count == 0) return new CommandAnswer($"{call.Person}: you can comment\n\n{Lines()}\nhelp COMMAND tells more.", false);
        var command = CommandList.Find(call.Words.Arguments[0].ToLowerInvariant());
        return command is null
            ? new CommandAnswer(null, false)
            : new CommandAnswer($"{call.Person}: {command.Syntax}\n\n{command.Summary} {command.Help}\nWho may: {command.WhoMay}\nFor example: {string.Join(" · ", command.Examples)}", false);
    }

    private static string Lines() => string.Concat(CommandList.All.Select(command => $"- {command.Syntax} : {command.Summary}\n"));
}
