namespace WmfCi.Config.Yaml;

/// <summary>Bounds on what is read from any configuration file, so that a hostile one costs little time and memory.</summary>
public static class YamlLimits
{
    /// <summary>The size of a file, in bytes.</summary>
    public const int FileBytes = 256 * 1024;

    /// <summary>How deep lists and maps may lie in one another.</summary>
    public const int Depth = 32;

    /// <summary>How many texts, lists and maps a file may have.</summary>
    public const int Nodes = 10_000;

    /// <summary>How many mistakes are told at once.</summary>
    public const int Mistakes = 50;

    /// <summary>How many mistakes are noted before they are sorted and cut to <see cref="Mistakes"/>; the rest is not looked at.</summary>
    internal const int MistakesNoted = 200;
}
