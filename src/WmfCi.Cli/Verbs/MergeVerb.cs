using System.CommandLine;
using WmfCi.Git;

namespace WmfCi.Cli.Verbs;

/// <summary><c>wmfci merge</c>: shows an operator what a speculative merge comes to.</summary>
internal static class MergeVerb
{
    public static Command Make()
    {
        var directory = new Option<DirectoryInfo>("--git-dir") { Description = "A bare repository, or the .git folder of another.", Required = true };
        var commits = new Argument<string[]>("OURS THEIRS")
        {
            Description = "The branch's tip and the change. Without them pairs are read from the standard input, and each is answered by a line.",
            Arity = new ArgumentArity(0, 2),
        };
        var command = new Command("merge", "Merge two commits as Gerrit would: `tree ID` or `conflict PATH…`.") { directory, commits };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var given = parsed.GetValue(commits) ?? [];
            if (given.Length == 1)
            {
                await Console.Error.WriteLineAsync("wmfci: give both OURS and THEIRS, or neither.");
                return 2;
            }
            var pair = given.Length == 2 ? (given[0], given[1]) : ((string, string)?)null;
            return await new MergeCommand(MergeSettings.Default).Run(parsed.GetValue(directory)!.FullName, pair, Console.In, Console.Out, cancellationToken);
        });
        return command;
    }
}
