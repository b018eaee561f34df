using System.ComponentModel;
using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Git;

/// <summary>The git program as the owner of a working tree uses it: with their settings, but without the variables that lead it to another repository.</summary>
internal sealed class WorkTreeGit
{
    private const int MaxErrorText = 600;

    // A hook of git's runs with these set; what we do beside the repository must not be led back into it.
    private static readonly string[] Leading =
    [
        "GIT_DIR", "GIT_WORK_TREE", "GIT_COMMON_DIR", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_NAMESPACE",
        "GIT_SHALLOW_FILE", "GIT_GRAFT_FILE", "GIT_REPLACE_REF_BASE", "GIT_QUARANTINE_PATH", "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
    ];

    private WorkTreeGit(string folder) => Folder = folder;

    /// <summary>The top of the working tree.</summary>
    public string Folder { get; private init; }

    /// <summary>Git in any folder.</summary>
    public static WorkTreeGit At(string folder) => new(Path.GetFullPath(folder));

    /// <summary>Finds the working tree that a folder is in.</summary>
    /// <exception cref="WorkTreeException">There is none.</exception>
    public static async Task<WorkTreeGit> FindAsync(string folder, CancellationToken cancellationToken)
    {
        var full = Path.GetFullPath(folder);
        if (!Directory.Exists(full)) throw new WorkTreeException($"There is no folder {GitPath.FromText(full).Quoted}.");
        var (status, output, error) = await new WorkTreeGit(full).AnswerAsync(["rev-parse", "--show-toplevel"], [], cancellationToken);
        if (status != 0) throw new WorkTreeException($"{GitPath.FromText(full).Quoted} is in no working tree of git: {Shown(error)}");
        return new WorkTreeGit(output.TrimEnd('\n'));
    }

    /// <summary>Runs it.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="WorkTreeException">It failed, or is not installed.</exception>
    public async Task<string> RunAsync(IReadOnlyList<string> arguments, Dictionary<string, string?> variables, CancellationToken cancellationToken)
    {
        var (status, output, error) = await AnswerAsync(arguments, variables, cancellationToken);
        var verb = arguments.First(argument => !argument.StartsWith('-') && !argument.Contains('=', StringComparison.Ordinal));
        return status == 0 ? output : throw new WorkTreeException($"git {verb} failed: {Shown(error)}");
    }

    /// <summary>Asks it something that it may have no answer to.</summary>
    /// <returns>One line; null where there is no answer.</returns>
    public async Task<string?> TryAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var (status, output, _) = await AnswerAsync(arguments, [], cancellationToken);
        return status == 0 && output.Split('\n')[0] is { Length: > 0 } line ? line : null;
    }

    /// <summary>The lines that it prints.</summary>
    public async Task<string[]> LinesAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        (await RunAsync(arguments, [], cancellationToken)).TrimEnd('\n').Split('\n');

    private async Task<(int Status, string Output, string Error)> AnswerAsync(IReadOnlyList<string> arguments, Dictionary<string, string?> variables, CancellationToken cancellationToken)
    {
        var surroundings = Leading.ToDictionary(name => name, _ => (string?)null, StringComparer.Ordinal);
        (surroundings["LC_ALL"], surroundings["GIT_TERMINAL_PROMPT"], surroundings["GIT_OPTIONAL_LOCKS"]) = ("C", "0", "0");
        foreach (var (name, value) in variables) surroundings[name] = value;
        try
        {
            var result = await Cli.Wrap("git").WithArguments(arguments).WithWorkingDirectory(Folder).WithEnvironmentVariables(surroundings)
                .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(Encoding.UTF8, cancellationToken);
            return (result.ExitCode, result.StandardOutput, result.StandardError);
        }
        catch (Win32Exception)
        {
            throw new WorkTreeException("git is not installed: apt-get install git");
        }
    }

    private static string Shown(string text)
    {
        text = string.Concat(text.Trim().Select(c => char.IsControl(c) ? ' ' : c));
        return text.Length <= MaxErrorText ? text : text[..MaxErrorText] + "…";
    }
}
