using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core;

namespace WmfCi.Config.Sites;

/// <summary>Takes single values out of a checked tree; null where a key is not written.</summary>
/// <param name="folder">What relative paths are relative to.</param>
internal sealed class SiteValues(string folder)
{
    /// <summary>An address that relative ones can be put behind.</summary>
    public static Uri Folder(string url) => new(url.EndsWith('/') ? url : url + "/");

    public string? FullPath(YamlMap map, string key) => Text(map, key) is { } path ? Path.GetFullPath(path, folder) : null;

    public static string? Text(YamlMap map, string key) => (map.Find(key) as YamlText)?.Value;

    public static ValueArray<string> Texts(YamlMap map, string key) => map.Find(key) switch
    {
        YamlList list => list.Items.OfType<YamlText>().Select(text => text.Value).ToValueArray(),
        _ => [],
    };

    public static TimeSpan? Time(YamlMap map, string key) => Text(map, key) is { } text ? Quantity.ReadTime(text) : null;

    public static long? Size(YamlMap map, string key) => Text(map, key) is { } text ? Quantity.ReadSize(text) : null;

    public static int? Cpu(YamlMap map, string key) => Text(map, key) is { } text ? Quantity.ReadCpu(text) : null;

    public static int Number(YamlMap map, string key, int otherwise) => Text(map, key) is { } text ? NumberShape.Value(text) ?? otherwise : otherwise;
}
