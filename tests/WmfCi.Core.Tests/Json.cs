using System.Text.Json;

namespace WmfCi.Core.Tests;

/// <summary>As the store writes and reads.</summary>
internal static class Json
{
    public static string Write<T>(T value) => JsonSerializer.Serialize(value, CoreJson.Options);

    public static T? Read<T>(string text) => JsonSerializer.Deserialize<T>(text, CoreJson.Options);

    public static T? RoundTrip<T>(T value) => Read<T>(Write(value));
}
