using System.Collections;
using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Git;

/// <summary>Runs the git program in an environment of our making: none of the machine's or the user's settings, no hooks, no questions.</summary>
internal sealed class GitProgram
{
    private const int MaxErrorText = 600;

    // What a program needs of its surroundings; all else is taken away.
    private static readonly HashSet<string> Kept = new(StringComparer.Ordinal)
    {
        "PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "no_proxy",
    };

    private readonly MirrorOptions options;
    private readonly string home;
    private readonly string[] secrets;

    private GitProgram(MirrorOptions options, string home)
    {
        (this.options, this.home) = (options, home);
        secrets = options.Password is { Length: > 0 } password ? [password, Uri.EscapeDataString(password), Basic(options)] : [];
    }

    /// <summary>Writes the configuration, which is the only one that git will read, and holds the password.</summary>
    public static GitProgram Prepare(MirrorOptions options)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException("Mirrors need file modes");
        var own = Path.Combine(Path.GetFullPath(options.Folder), ".home");
        Directory.CreateDirectory(own, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var file = Path.Combine(own, "gitconfig");
        var part = Path.Combine(own, "gitconfig." + Guid.NewGuid().ToString("N"));
        using (var stream = new FileStream(part, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite }))
            stream.Write(Encoding.UTF8.GetBytes(Configuration(options)));
        File.Move(part, file, overwrite: true);
        return new GitProgram(options, own);
    }

    /// <summary>Runs it.</summary>
    /// <param name="arguments">After <c>git</c>; whatever comes from outside stands behind <c>--end-of-options</c>.</param>
    /// <param name="input">For its standard input; null for none.</param>
    /// <param name="cancellationToken">Kills it with its children.</param>
    public async Task<(int Status, string Output, string Error)> Run(IReadOnlyList<string> arguments, string? input, CancellationToken cancellationToken)
    {
        var result = await Command(arguments).WithStandardInputPipe(input is null ? PipeSource.Null : PipeSource.FromString(input))
            .ExecuteBufferedAsync(Encoding.UTF8, cancellationToken);
        return (result.ExitCode, result.StandardOutput, Shown(result.StandardError));
    }

    private Command Command(IReadOnlyList<string> arguments) =>
        Cli.Wrap(options.GitProgram).WithArguments(arguments).WithWorkingDirectory(home).WithValidation(CommandResultValidation.None).WithEnvironmentVariables(Surroundings());

    private Dictionary<string, string?> Surroundings()
    {
        var variables = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
            if (variable.Key is string name && !Kept.Contains(name)) variables[name] = null;
        variables["HOME"] = home;
        variables["LC_ALL"] = "C";
        variables["GIT_CONFIG_NOSYSTEM"] = "1";
        variables["GIT_CONFIG_GLOBAL"] = Path.Combine(home, "gitconfig");
        variables["GIT_TERMINAL_PROMPT"] = "0";
        variables["GIT_ASKPASS"] = "/bin/false";
        variables["GIT_PROTOCOL_FROM_USER"] = "0";
        return variables;
    }

    // The password as a header that git sends with the first request. A credential helper would be asked only after a refusal: one more
    // exchange and two more processes on every fetch. git sends it to the configured address alone, and follows no redirect.
    private static string Configuration(MirrorOptions options)
    {
        var text = new StringBuilder();
        text.Append("[core]\n\thooksPath = /dev/null\n\tfsmonitor = false\n\taskPass = /bin/false\n[gc]\n\tauto = 0\n\tautoDetach = false\n[maintenance]\n\tauto = false\n");
        text.Append("[protocol]\n\tallow = never\n\tversion = 2\n");
        text.Append($"[protocol {Value(new Uri(options.BaseUrl).Scheme)}]\n\tallow = always\n");
        text.Append("[credential]\n\thelper =\n[http]\n\tfollowRedirects = false\n\tlowSpeedLimit = 1000\n\tlowSpeedTime = 60\n[submodule]\n\trecurse = false\n[init]\n\tdefaultBranch = main\n");
        if (options.SshConfigFile is { } ssh) text.Append($"[core]\n\tsshCommand = {Value($"ssh -F '{ssh}' -o BatchMode=yes")}\n");
        if (options.UserName is not null) text.Append($"[http {Value(options.BaseUrl.TrimEnd('/') + "/")}]\n\textraHeader = {Value("Authorization: Basic " + Basic(options))}\n");
        return text.ToString();
    }

    private static string Basic(MirrorOptions options) => Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.UserName}:{options.Password}"));

    private static string Value(string text) => "\"" + text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";

    private string Shown(string text)
    {
        foreach (var secret in secrets) text = text.Replace(secret, "…", StringComparison.Ordinal);
        text = string.Concat(text.Select(c => char.IsControl(c) ? ' ' : c)).Trim();
        return text.Length <= MaxErrorText ? text : text[..MaxErrorText] + "…";
    }
}
