using System.Globalization;
using Npgsql;

namespace WmfCi.Storage;

/// <summary>Single facts that must survive: when the service was installed, up to when changes were caught up.</summary>
/// <param name="source">The database.</param>
public sealed class Facts(NpgsqlDataSource source)
{
    /// <summary>When the service first started here. Patch sets from before run only when asked for.</summary>
    public const string Installed = "installed";

    /// <summary>Up to when the code review's changes were caught up.</summary>
    public const string CaughtUpUntil = "caught-up-until";

    /// <summary>Reads a time, storing it first if there is none.</summary>
    public async Task<DateTimeOffset> ReadOrSetAsync(string name, DateTimeOffset initial, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "insert into facts (name, value) values ($1, $2) on conflict (name) do update set value = facts.value returning value", Sql.Value(name), Sql.Value(Text(initial)));
        return DateTimeOffset.ParseExact((string)(await command.ExecuteScalarAsync(cancellationToken))!, "O", CultureInfo.InvariantCulture);
    }

    /// <summary>Moves a time forwards; an earlier one than is stored changes nothing.</summary>
    public async Task AdvanceAsync(string name, DateTimeOffset to, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            "insert into facts (name, value) values ($1, $2) on conflict (name) do update set value = greatest(facts.value collate \"C\", excluded.value)", Sql.Value(name), Sql.Value(Text(to)));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    // In UTC and of one length, so that the order of the texts is that of the times.
    private static string Text(DateTimeOffset time) => time.ToUniversalTime().ToString("O", CultureInfo.InvariantCulture);
}
