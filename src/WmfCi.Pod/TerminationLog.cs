using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace WmfCi.Pod;

/// <summary>What a container says at its end. The kubelet keeps 4,096 bytes of it.</summary>
internal static class TerminationLog
{
    /// <summary>How many characters of free text there may be: they may take six bytes each as they are written.</summary>
    public const int MaxText = 500;

    /// <summary>Writes it; the file is the kubelet's, and made where there is none.</summary>
    /// <exception cref="IOException">It cannot be written.</exception>
    public static void Write<T>(string path, T message, JsonTypeInfo<T> type) => File.WriteAllBytes(path, JsonSerializer.SerializeToUtf8Bytes(message, type));

    /// <summary>Free text as it may stand there: one line, bounded.</summary>
    public static string Shorten(string text)
    {
        var line = string.Concat(text.Take(MaxText + 1).Select(c => char.IsControl(c) ? ' ' : c));
        return line.Length > MaxText ? line[..MaxText] + "…" : line;
    }
}
