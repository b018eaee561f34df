using Npgsql;

namespace WmfCi.Storage;

/// <summary>Things that exist once among all replicas, such as the listener to the event stream: held for a while, renewed, taken over within seconds when the holder is gone.</summary>
/// <param name="source">The database.</param>
/// <param name="times">How long leases hold; <see cref="LeaseTimes.Default"/> without.</param>
public sealed class Leases(NpgsqlDataSource source, LeaseTimes? times = null)
{
    /// <summary>How long a lease holds without renewal.</summary>
    public TimeSpan Duration { get; } = (times ?? LeaseTimes.Default).Lease;

    /// <summary>How often the holder renews, and how often others try.</summary>
    public TimeSpan RenewEvery { get; } = (times ?? LeaseTimes.Default).LeaseRenewal;

    /// <summary>Takes or renews a lease.</summary>
    /// <param name="name">What is held.</param>
    /// <param name="holder">Who asks.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Whether the asker holds it now.</returns>
    public async Task<bool> TakeAsync(string name, string holder, CancellationToken cancellationToken)
    {
        await using var command = source.Command(
            """
            insert into leases (name, holder, until) values ($1, $2, now() + $3)
            on conflict (name) do update set until = excluded.until, holder = excluded.holder,
                epoch = leases.epoch + case when leases.holder = excluded.holder then 0 else 1 end
            where leases.holder = excluded.holder or leases.until < now()
            returning true
            """,
            Sql.Value(name), Sql.Value(holder), Sql.Value(Duration));
        return await command.ExecuteScalarAsync(cancellationToken) is true;
    }

    /// <summary>Gives a lease back, so that another takes it at once. Its row stays, so that its epoch only ever grows.</summary>
    public async Task ReleaseAsync(string name, string holder, CancellationToken cancellationToken)
    {
        await using var command = source.Command("update leases set until = '-infinity' where name = $1 and holder = $2", Sql.Value(name), Sql.Value(holder));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
