using System.Collections.Concurrent;
using System.Globalization;
using Npgsql;

namespace WmfCi.Fakes;

/// <summary>How a private cluster is set up.</summary>
public sealed record PrivatePostgresOptions
{
    /// <summary>Whether commits wait for the disk. Off, a crash of the server alone still loses nothing; only a crash of the machine would.</summary>
    public bool Fsync { get; init; }

    /// <summary>How many connections it accepts.</summary>
    public int MaxConnections { get; init; } = 200;
}

/// <summary>
/// A PostgreSQL cluster of the tests' own: in a temporary folder, reachable through a Unix socket only, gone when the process is. A watchdog, which waits on a pipe
/// that this process holds, stops the server and removes the folder however the process ends; what a killed watchdog leaves is swept by the next start.
/// </summary>
public sealed class PrivatePostgres : IAsyncDisposable
{
    private const string User = "wmfci";
    // Everything the server is waited for: long, since on a machine that runs many tests at once a wait that ends by the clock says nothing.
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly SemaphoreSlim SharedGate = new(1, 1);
    private static PrivatePostgres? shared;
    private static int databases;
    private readonly PostgresFolder home;
    private readonly PostgresPrograms server;
    private readonly ProcessWatchdog guard;
    private readonly ConcurrentDictionary<Delegate, string> templates = new();
    private readonly SemaphoreSlim templateGate = new(1, 1);

    private PrivatePostgres(PostgresFolder folder, PostgresPrograms programs, ProcessWatchdog watchdog) => (home, server, guard) = (folder, programs, watchdog);

    /// <summary>
    /// Why there can be no cluster here, for a test that skips; null when there can. In CI (<c>CI=true</c>) it is always null: there a missing server must fail.
    /// </summary>
    public static string? MissingReason => Environment.GetEnvironmentVariable("CI") == "true" ? null : PostgresPrograms.MissingReason;

    /// <summary>What the server wrote about itself.</summary>
    public string LogFile => home.Log;

    /// <summary>The cluster that all tests of this process share, started when first asked for. Do not restart it: that is for a cluster of your own.</summary>
    public static async Task<PrivatePostgres> SharedAsync(CancellationToken cancellationToken)
    {
        await SharedGate.WaitAsync(cancellationToken);
        try
        {
            return shared ??= await StartAsync(new PrivatePostgresOptions(), cancellationToken);
        }
        finally
        {
            SharedGate.Release();
        }
    }

    /// <summary>An empty database in the shared cluster.</summary>
    public static async Task<PrivateDatabase> CreateDatabaseAsync(CancellationToken cancellationToken) =>
        await (await SharedAsync(cancellationToken)).CreateAsync(cancellationToken);

    /// <summary>A database in the shared cluster, prepared as <see cref="CreateAsync(Func{string, CancellationToken, Task}, CancellationToken)"/> says.</summary>
    public static async Task<PrivateDatabase> CreateDatabaseAsync(Func<string, CancellationToken, Task> prepare, CancellationToken cancellationToken) =>
        await (await SharedAsync(cancellationToken)).CreateAsync(prepare, cancellationToken);

    /// <summary>Starts a cluster of the caller's own.</summary>
    /// <exception cref="InvalidOperationException">PostgreSQL is not installed, or did not start; the message says why.</exception>
    public static async Task<PrivatePostgres> StartAsync(PrivatePostgresOptions options, CancellationToken cancellationToken)
    {
        var programs = PostgresPrograms.Find();
        await PostgresFolder.SweepAsync(programs, cancellationToken);
        var folder = await PostgresFolder.CreateAsync(cancellationToken);
        var watchdog = ProcessWatchdog.Start(programs, folder);
        try
        {
            await programs.RunAsync("initdb", ["-D", folder.Data, "-U", User, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"], cancellationToken);
            await PostgresPrograms.ConfigureAsync(folder, options, cancellationToken);
            var postgres = new PrivatePostgres(folder, programs, watchdog);
            await postgres.StartServerAsync(cancellationToken);
            return postgres;
        }
        catch
        {
            await watchdog.EndAsync(Patience);
            throw;
        }
    }

    /// <summary>An empty database.</summary>
    public Task<PrivateDatabase> CreateAsync(CancellationToken cancellationToken) => CopyAsync("template1", cancellationToken);

    /// <summary>A copy of a database that <paramref name="prepare"/> has filled, once per cluster: pass a static method, so that every call passes the same one.</summary>
    /// <param name="prepare">Given the connection string of the database to fill; it must leave no connection open.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<PrivateDatabase> CreateAsync(Func<string, CancellationToken, Task> prepare, CancellationToken cancellationToken)
    {
        if (!templates.TryGetValue(prepare, out var template))
        {
            await templateGate.WaitAsync(cancellationToken);
            try
            {
                if (!templates.TryGetValue(prepare, out template))
                {
                    template = (await CreateAsync(cancellationToken)).Name;
                    await prepare(ConnectionString(template, pooling: false), cancellationToken);
                    await UntilNobodyIsInAsync(template, cancellationToken);
                    templates[prepare] = template;
                }
            }
            finally
            {
                templateGate.Release();
            }
        }
        return await CopyAsync(template, cancellationToken);
    }

    /// <summary>Stops the server and starts it again, as an operator or a crash would.</summary>
    /// <param name="immediate">As a crash: without a checkpoint, every session cut; false: orderly, every session told.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task RestartAsync(bool immediate, CancellationToken cancellationToken)
    {
        await StopServerAsync(immediate, cancellationToken);
        await StartServerAsync(cancellationToken);
    }

    /// <summary>Stops the server, until <see cref="StartServerAsync"/>.</summary>
    /// <param name="immediate">As a crash would; false: orderly, every session told.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public Task StopServerAsync(bool immediate, CancellationToken cancellationToken) =>
        server.RunAsync("pg_ctl", ["stop", "-w", "-s", "-t", Seconds(Patience), "-D", home.Data, "-m", immediate ? "immediate" : "fast"], cancellationToken);

    /// <summary>Starts the server after <see cref="StopServerAsync"/>; it answers when this returns.</summary>
    public async Task StartServerAsync(CancellationToken cancellationToken)
    {
        try
        {
            await server.RunAsync("pg_ctl", ["start", "-w", "-s", "-t", Seconds(Patience), "-D", home.Data, "-l", home.Log], cancellationToken);
        }
        catch (InvalidOperationException failure)
        {
            var log = File.Exists(home.Log) ? await File.ReadAllTextAsync(home.Log, CancellationToken.None) : "(no log)";
            throw new InvalidOperationException($"{failure.Message}\n{log}", failure);
        }
    }

    /// <summary>Stops the server and removes all that it stored.</summary>
    public async ValueTask DisposeAsync()
    {
        await guard.EndAsync(Patience);
        templateGate.Dispose();
    }

    internal async Task DropAsync(string name)
    {
        using var limit = new CancellationTokenSource(Patience);
        while (true)
        {
            try
            {
                await ExecuteAsync($"drop database if exists {name} with (force)", limit.Token);
                return;
            }
            catch (PostgresException busy) when (busy.SqlState == PostgresErrorCodes.ObjectInUse && !limit.IsCancellationRequested)
            {
                // The server ends the sessions and waits five seconds for them to be gone; on a busy machine they need longer.
            }
        }
    }

    // A session outlives its connection for a moment, and the server waits five seconds at most for a template to be left.
    private async Task UntilNobodyIsInAsync(string database, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres", pooling: false));
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("select exists (select from pg_stat_activity where datname = $1)", connection) { Parameters = { new() { Value = database } } };
        while (await command.ExecuteScalarAsync(cancellationToken) is true) await Task.Delay(TimeSpan.FromMilliseconds(20), cancellationToken);
    }

    private async Task<PrivateDatabase> CopyAsync(string template, CancellationToken cancellationToken)
    {
        var name = string.Create(CultureInfo.InvariantCulture, $"test_{Interlocked.Increment(ref databases)}");
        await ExecuteAsync($"create database {name} template {template}", cancellationToken);
        return new PrivateDatabase(this, name, ConnectionString(name, pooling: true));
    }

    private static string Seconds(TimeSpan time) => ((int)time.TotalSeconds).ToString(CultureInfo.InvariantCulture);

    private async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(ConnectionString("postgres", pooling: false));
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private string ConnectionString(string database, bool pooling) => new NpgsqlConnectionStringBuilder
    {
        Host = home.Path,
        Username = User,
        Database = database,
        Pooling = pooling,
        MaxPoolSize = 20,
        Timeout = (int)Patience.TotalSeconds,
        CommandTimeout = (int)Patience.TotalSeconds,
        IncludeErrorDetail = true,
    }.ConnectionString;
}

/// <summary>A database for one test; disposing drops it, whoever is still connected.</summary>
public sealed class PrivateDatabase : IAsyncDisposable
{
    private readonly PrivatePostgres postgres;
    private readonly Lazy<NpgsqlDataSource> source;

    internal PrivateDatabase(PrivatePostgres postgres, string name, string connectionString)
    {
        this.postgres = postgres;
        (Name, ConnectionString) = (name, connectionString);
        source = new Lazy<NpgsqlDataSource>(() => NpgsqlDataSource.Create(connectionString));
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>How to reach it.</summary>
    public string ConnectionString { get; }

    /// <summary>A pool of connections to it, the same at every call.</summary>
    public NpgsqlDataSource Source => source.Value;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (source.IsValueCreated) await source.Value.DisposeAsync();
        await postgres.DropAsync(Name);
    }
}
