using System.Globalization;
using System.Text;
using CliWrap;
using CliWrap.Buffered;

namespace WmfCi.Fakes;

/// <summary>The programs of the newest installed PostgreSQL. The server refuses to run as root, so as root they run as the account <c>postgres</c>, which Debian's package makes.</summary>
internal sealed class PostgresPrograms(string bin)
{
    private const string Account = "postgres";

    public static string? MissingReason => FindBin() is null ? "install postgresql"
        : IsRoot && !HasAccount ? "install postgresql: its programs are here, but its account is not"
        : null;

    /// <summary>Whether this process is root, and the server another account.</summary>
    public static bool IsRoot => string.Equals(Environment.UserName, "root", StringComparison.Ordinal);

    private static bool HasAccount => File.ReadLines("/etc/passwd").Any(line => line.StartsWith(Account + ":", StringComparison.Ordinal));

    /// <summary>The programs.</summary>
    /// <exception cref="InvalidOperationException">They are not here.</exception>
    public static PostgresPrograms Find() =>
        MissingReason is { } reason ? throw new InvalidOperationException($"No PostgreSQL here: {reason}") : new PostgresPrograms(FindBin()!);

    /// <summary>The program and the arguments that run a program of PostgreSQL as the account that may.</summary>
    public IReadOnlyList<string> CommandLine(string program, params IReadOnlyList<string> arguments) => AsServer([Path.Combine(bin, program), .. arguments]);

    /// <summary>Runs a program of PostgreSQL.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has what it said.</exception>
    public Task RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => ExecuteAsync(CommandLine(program, arguments), "", cancellationToken);

    /// <summary>Makes a folder that the server owns and nobody else may enter.</summary>
    public static Task MakeFolderAsync(string path, CancellationToken cancellationToken) =>
        ExecuteAsync(IsRoot ? ["install", "-d", "-m", "0700", "-o", Account, "--", path] : ["install", "-d", "-m", "0700", "--", path], "", cancellationToken);

    /// <summary>Writes the settings of the tests behind those of <c>initdb</c>.</summary>
    public static Task ConfigureAsync(PostgresFolder folder, PrivatePostgresOptions options, CancellationToken cancellationToken)
    {
        var onOff = options.Fsync ? "on" : "off";
        // Autovacuum would only come between the tests of a process that lives for seconds.
        var settings = string.Create(CultureInfo.InvariantCulture, $"""

            listen_addresses = ''
            unix_socket_directories = '{folder.Path.Replace("'", "''", StringComparison.Ordinal)}'
            max_connections = {options.MaxConnections}
            fsync = {onOff}
            full_page_writes = {onOff}
            autovacuum = off
            shared_buffers = 64MB
            max_wal_size = 512MB
            log_line_prefix = '%m [%p] %d '

            """);
        return ExecuteAsync(AsServer(["tee", "-a", Path.Combine(folder.Data, "postgresql.conf")]), settings, cancellationToken);
    }

    private static IReadOnlyList<string> AsServer(IReadOnlyList<string> command) =>
        IsRoot ? ["setpriv", $"--reuid={Account}", $"--regid={Account}", "--init-groups", "--", .. command] : command;

    private static async Task ExecuteAsync(IReadOnlyList<string> command, string input, CancellationToken cancellationToken)
    {
        // The messages are for people who read test output: in English. The working folder may be one that the server's account cannot enter.
        var result = await Cli.Wrap(command[0]).WithArguments(command.Skip(1)).WithWorkingDirectory("/")
            .WithEnvironmentVariables(variables => variables.Set("LC_ALL", "C")).WithStandardInputPipe(PipeSource.FromString(input, Encoding.UTF8))
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        if (result.ExitCode != 0)
            throw new InvalidOperationException($"{string.Join(' ', command)} exited with {result.ExitCode}: {result.StandardError.Trim()}");
    }

    private static string? FindBin() => !Directory.Exists("/usr/lib/postgresql") ? null
        : Directory.EnumerateDirectories("/usr/lib/postgresql")
            .Select(path => (Path: Path.Combine(path, "bin"), Version: int.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out var version) ? version : 0))
            .Where(found => found.Version > 0 && File.Exists(Path.Combine(found.Path, "initdb")) && File.Exists(Path.Combine(found.Path, "postgres")))
            .OrderByDescending(found => found.Version).Select(found => found.Path).FirstOrDefault();
}
