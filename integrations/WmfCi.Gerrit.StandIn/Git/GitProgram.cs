using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>A git command that failed, with what it said.</summary>
internal sealed class GitFailedException(string message) : Exception(message);

/// <summary>The git program: argument lists only, no configuration of the machine or the account, never a prompt.</summary>
internal static class GitProgram
{
    public static async Task<string> RunAsync(string gitDir, IEnumerable<string> arguments, CancellationToken ct, string? input = null)
    {
        var result = await TryAsync(gitDir, arguments, ct, input);
        return result.Succeeded ? result.Output : throw new GitFailedException(result.Error);
    }

    public static async Task<(bool Succeeded, string Output, string Error)> TryAsync(
        string gitDir, IEnumerable<string> arguments, CancellationToken ct, string? input = null, IReadOnlyDictionary<string, string?>? environment = null)
    {
        var command = Command(gitDir, arguments, environment);
        if (input is not null) command = command.WithStandardInputPipe(PipeSource.FromString(input, Encoding.UTF8));
        var result = await command.ExecuteBufferedAsync(Encoding.UTF8, ct);
        return (result.ExitCode == 0, result.StandardOutput, result.StandardError);
    }

    public static async Task<byte[]> BytesAsync(string gitDir, IEnumerable<string> arguments, CancellationToken ct, PipeSource? input = null)
    {
        using var output = new MemoryStream();
        var error = new StringBuilder();
        var command = Command(gitDir, arguments, null) | PipeTarget.ToStream(output);
        command = command.WithStandardErrorPipe(PipeTarget.ToStringBuilder(error));
        if (input is not null) command = command.WithStandardInputPipe(input);
        var result = await command.ExecuteAsync(ct);
        return result.ExitCode == 0 ? output.ToArray() : throw new GitFailedException(error.ToString());
    }

    public static Command Command(string gitDir, IEnumerable<string> arguments, IReadOnlyDictionary<string, string?>? environment) =>
        Cli.Wrap("git")
            .WithArguments(["--git-dir=" + gitDir, "-c", "core.quotePath=false", "-c", "gc.auto=0", .. arguments])
            .WithEnvironmentVariables(e =>
            {
                e.Set("GIT_CONFIG_NOSYSTEM", "1").Set("GIT_CONFIG_GLOBAL", "/dev/null").Set("GIT_TERMINAL_PROMPT", "0").Set("LC_ALL", "C.UTF-8");
                foreach (var (name, value) in environment ?? new Dictionary<string, string?>()) e.Set(name, value);
            })
            .WithValidation(CommandResultValidation.None);
}
