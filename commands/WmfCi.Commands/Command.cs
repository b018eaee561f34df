using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;

namespace WmfCi.Commands;

/// <summary>One thing that people can say to the bot: its words, its help, who may, and what follows.</summary>
public sealed record Command
{
    /// <summary>The word it begins with, in lower case.</summary>
    public required string Name { get; init; }

    /// <summary>How it is written, such as <c>help [COMMAND]</c>.</summary>
    public required string Syntax { get; init; }

    /// <summary>One line: what it does.</summary>
    public required string Summary { get; init; }

    /// <summary>All there is to know, in a few sentences.</summary>
    public required string Help { get; init; }

    /// <summary>Who may say it, in words. The check itself is in <see cref="Handle"/>, where the action is.</summary>
    public required string WhoMay { get; init; }

    /// <summary>Lines that work.</summary>
    public required IReadOnlyList<string> Examples { get; init; }

    /// <summary>Where it can be said.</summary>
    public required IReadOnlyList<Channel> Channels { get; init; }

    /// <summary>Works out what it means. Pure.</summary>
    public required Func<Call, CommandAnswer> Handle { get; init; }
}

/// <summary>A command being said.</summary>
/// <param name="Words">The words.</param>
/// <param name="Said">The comment they stand in: who said it, when, on which patch set.</param>
/// <param name="Lane">What is known of the change.</param>
/// <param name="Policy">What the site wants.</param>
public sealed record Call(Invocation Words, Comment Said, ChangeLane Lane, Policy Policy)
{
    /// <summary>How the bot addresses the person.</summary>
    public string Person => Said.Author.Address;
}
