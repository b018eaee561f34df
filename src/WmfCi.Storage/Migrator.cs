using System.Data;
using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using Npgsql;

namespace WmfCi.Storage;

/// <summary>A migration, as it is compiled in.</summary>
/// <param name="Number">Its place in the order.</param>
/// <param name="Name">The file's name.</param>
/// <param name="Sql">What it does.</param>
public sealed record Migration(int Number, string Name, string Sql)
{
    /// <summary>Changes when the file does: an applied migration must never be edited.</summary>
    public string Checksum => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Sql)));
}

/// <summary>The database does not fit this program.</summary>
/// <param name="message">What is wrong and what to do.</param>
public sealed class MigrationException(string message) : Exception(message);

/// <summary>Brings the tables to what this program needs. Any number of replicas may start at once: one of them does it, the others wait.</summary>
public static class Migrator
{
    private const long LockKey = 0x776d666369; // "wmfci"

    /// <summary>The migrations in the order in which they are applied.</summary>
    public static IReadOnlyList<Migration> All { get; } = [.. Read().OrderBy(migration => migration.Number)];

    /// <summary>Applies what is missing, up to a number.</summary>
    /// <param name="source">The database.</param>
    /// <param name="upTo">The last migration to apply; a test stops before the newest to fill the tables of the time before it.</param>
    /// <param name="cancellationToken">Gives up; each migration is applied whole or not at all.</param>
    /// <exception cref="MigrationException">The database was made by a newer program, or an applied migration was edited.</exception>
    public static async Task ApplyAsync(NpgsqlDataSource source, int upTo, CancellationToken cancellationToken)
    {
        await using var connection = await source.OpenConnectionAsync(cancellationToken);
        try
        {
            await ExecuteAsync(connection, string.Create(CultureInfo.InvariantCulture, $"select pg_advisory_lock({LockKey})"), cancellationToken);
            // An account that only reads may not make tables, not even those that are there.
            if (!await IsThereAsync(connection, cancellationToken))
                await ExecuteAsync(connection, "create table if not exists migrations (number int primary key, name text not null, checksum text not null, applied_at timestamptz not null default now())", cancellationToken);
            var applied = await AppliedAsync(connection, cancellationToken);
            Check(applied);
            foreach (var migration in All.Where(one => one.Number <= upTo && !applied.ContainsKey(one.Number)))
                await ApplyOneAsync(connection, migration, cancellationToken);
        }
        finally
        {
            // A broken connection has lost the lock already; what broke it is what must be reported.
            if (connection.State == ConnectionState.Open) await ExecuteAsync(connection, "select pg_advisory_unlock_all()", CancellationToken.None);
        }
    }

    /// <summary>Applies everything that is missing.</summary>
    public static Task ApplyAsync(NpgsqlDataSource source, CancellationToken cancellationToken) => ApplyAsync(source, int.MaxValue, cancellationToken);

    private static void Check(Dictionary<int, string> applied)
    {
        foreach (var (number, checksum) in applied)
        {
            var known = All.FirstOrDefault(one => one.Number == number)
                ?? throw new MigrationException($"The database has migration {number}, which this program does not know: it was made by a newer version. Start that version.");
            if (known.Checksum != checksum) throw new MigrationException($"Migration {known.Name} was edited after it had been applied. Put it back, and write a new one.");
        }
    }

    private static async Task<bool> IsThereAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select to_regclass('migrations') is not null", connection);
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    private static async Task<Dictionary<int, string>> AppliedAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var command = new NpgsqlCommand("select number, checksum from migrations", connection);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        var applied = new Dictionary<int, string>();
        while (await reader.ReadAsync(cancellationToken)) applied[reader.GetInt32(0)] = reader.GetString(1);
        return applied;
    }

    private static async Task ApplyOneAsync(NpgsqlConnection connection, Migration migration, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using (var script = new NpgsqlCommand(migration.Sql, connection, transaction) { CommandTimeout = 0 }) await script.ExecuteNonQueryAsync(cancellationToken);
        await using (var record = new NpgsqlCommand("insert into migrations (number, name, checksum) values ($1, $2, $3)", connection, transaction)
        {
            Parameters = { new() { Value = migration.Number }, new() { Value = migration.Name }, new() { Value = migration.Checksum } },
        }) await record.ExecuteNonQueryAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
        // However long it takes: a migration of a large table, or of another replica, is waited for.
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static IEnumerable<Migration> Read()
    {
        var assembly = Assembly.GetExecutingAssembly();
        const string marker = ".migrations.";
        foreach (var resource in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".sql", StringComparison.Ordinal)))
        {
            var name = resource[(resource.IndexOf(marker, StringComparison.Ordinal) + marker.Length)..];
            using var reader = new StreamReader(assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
            yield return new Migration(int.Parse(name.AsSpan(0, 4), NumberStyles.None, CultureInfo.InvariantCulture), name, reader.ReadToEnd());
        }
    }
}
