using System.Diagnostics;
using System.Globalization;
using System.Net;
using Npgsql;
using WmfCi.Fakes;
using WmfCi.Scenarios.World;

namespace WmfCi.Benchmarks;

/// <summary>The service as it is served: a process of its own, a PostgreSQL of its own that keeps what it says, a Gerrit.</summary>
internal sealed class ServedProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartBound = TimeSpan.FromSeconds(60);
    private readonly TempFolder _folder = new();
    private readonly PrivatePostgres _postgres;
    private readonly PrivateDatabase _database;
    private Process? _process;

    private ServedProcess(PrivatePostgres postgres, PrivateDatabase database) => (_postgres, _database) = (postgres, database);

    public int Id => _process!.Id;

    public NpgsqlDataSource Source => _database.Source;

    /// <summary>What the site's configuration says of the runner; empty for its defaults.</summary>
    public string Runner { get; set; } = "";

    public HttpClient Http { get; private set; } = null!;

    public static async Task<ServedProcess> PrepareAsync(CancellationToken cancellationToken)
    {
        var postgres = await PrivatePostgres.StartAsync(new PrivatePostgresOptions { Fsync = true }, cancellationToken);
        return new ServedProcess(postgres, await postgres.CreateAsync(cancellationToken));
    }

    /// <summary>Starts it and waits until it is ready.</summary>
    public async Task StartAsync(GerritPeer gerrit, string project, Choices choices, CancellationToken cancellationToken)
    {
        var port = FreePorts.Take(IPAddress.Loopback);
        Http = new HttpClient { BaseAddress = new Uri($"http://127.0.0.1:{port}/") };
        var program = Path.Combine(AppContext.BaseDirectory, "wmfci");
        var start = new ProcessStartInfo(program, ["serve", "--config", WriteSite(gerrit, project, port)]) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Heard(line.Data, choices);
        _process.ErrorDataReceived += (_, line) => Heard(line.Data, choices);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        using var bound = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        bound.CancelAfter(StartBound);
        while (!await IsReadyAsync(bound.Token)) await Task.Delay(100, bound.Token);
    }

    /// <summary>One column of a query's rows.</summary>
    public async Task<IReadOnlyList<T>> QueryAsync<T>(string sql, CancellationToken cancellationToken, params object[] values)
    {
        await using var command = Source.CreateCommand(sql);
        command.CommandTimeout = 300;
        foreach (var value in values) command.Parameters.Add(new NpgsqlParameter { Value = value });
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var rows = new List<T>();
        while (await reader.ReadAsync(cancellationToken)) rows.Add(await reader.GetFieldValueAsync<T>(0, cancellationToken));
        return rows;
    }

    public async ValueTask DisposeAsync()
    {
        Http?.Dispose();
        if (_process is { HasExited: false } process)
        {
            using var terminate = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
            using var bound = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            await process.WaitForExitAsync(bound.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (!process.HasExited) process.Kill(entireProcessTree: true);
        }
        _process?.Dispose();
        await _database.DisposeAsync();
        await _postgres.DisposeAsync();
        _folder.Dispose();
    }

    private static void Heard(string? line, Choices choices)
    {
        if (line is not null && (choices.Verbose || line.Contains("fail:", StringComparison.Ordinal) || line.StartsWith("wmfci:", StringComparison.Ordinal))) Console.Error.WriteLine(line);
    }

    private async Task<bool> IsReadyAsync(CancellationToken cancellationToken)
    {
        if (_process!.HasExited) throw new InvalidOperationException("The service ended; --verbose shows its log.");
        try
        {
            using var answer = await Http.GetAsync(new Uri("health/ready", UriKind.Relative), cancellationToken);
            return answer.IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private string WriteSite(GerritPeer gerrit, string project, int port) => _folder.Write("site.yaml", $"""
        url: http://127.0.0.1:{port}/
        listen: http://127.0.0.1:{port}
        state: {_folder["state"]}
        database-file: {_folder.Write("database", _database.ConnectionString)}
        gerrit:
          url: {gerrit.Url}/
          user: wmfci
          password-file: {_folder.Write("password", GerritPeer.Password("wmfci"))}
          ssh:
            host: {gerrit.SshHost}
            port: {gerrit.SshPort}
            key-file: {gerrit.KeyFile("wmfci")}
            known-hosts-file: {gerrit.KnownHostsFile}
        projects: [{project}]
        """ + Runner);
}
