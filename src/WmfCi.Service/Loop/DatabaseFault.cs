using Npgsql;

namespace WmfCi.Service.Loop;

/// <summary>What a failure of the database means.</summary>
public static class DatabaseFault
{
    /// <summary>
    /// Whether it passes by itself or by an operator's hand (away, shutting down, full, read-only after a failover, password changed), so that waiting is right. Anything else
    /// is about the very thing that was sent: it would be refused for ever, and must not hold up others.
    /// </summary>
    public static bool IsPassing(NpgsqlException error) =>
        error is not PostgresException told || told.IsTransient || told.SqlState.StartsWith("57", StringComparison.Ordinal) || told.SqlState.StartsWith("28", StringComparison.Ordinal)
        || told.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction;
}
