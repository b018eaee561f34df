using System.Globalization;
using Npgsql;
using NpgsqlTypes;

namespace WmfCi.Storage;

/// <summary>Short forms for positional parameters; every value goes to the database as a parameter, never as text.</summary>
internal static class Sql
{
    public static NpgsqlBatchCommand Statement(string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        return command;
    }

    public static NpgsqlCommand Command(this NpgsqlDataSource source, string sql, params ReadOnlySpan<NpgsqlParameter> parameters)
    {
        var command = source.CreateCommand(sql);
        foreach (var parameter in parameters) command.Parameters.Add(parameter);
        return command;
    }

    public static NpgsqlParameter Value<T>(T value) => new NpgsqlParameter<T> { TypedValue = value };

    public static NpgsqlParameter Json(string json) => new NpgsqlParameter<string> { TypedValue = json, NpgsqlDbType = NpgsqlDbType.Json };

    public static NpgsqlParameter JsonArray(string[] json) => new NpgsqlParameter<string[]> { TypedValue = json, NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Json };

    public static NpgsqlParameter Nullable<T>(T? value, NpgsqlDbType type) => new() { Value = (object?)value ?? DBNull.Value, NpgsqlDbType = type };

    public static DateTimeOffset GetTime(this NpgsqlDataReader reader, int column) => reader.GetFieldValue<DateTimeOffset>(column);

    public static string Text(long number) => number.ToString(CultureInfo.InvariantCulture);
}
