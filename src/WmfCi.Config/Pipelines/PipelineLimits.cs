using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;

namespace WmfCi.Config.Pipelines;

/// <summary>Bounds and defaults of a pipeline. They keep one repository from taking the whole service, and one change from filling a page.</summary>
public static class PipelineLimits
{
    /// <summary>Stages in a file, each matrix counted once.</summary>
    public const int Stages = 30;

    /// <summary>Cells of one matrix.</summary>
    public const int CellsPerMatrix = 50;

    /// <summary>Cells of all stages together, a stage without a matrix counted as one.</summary>
    public const int Cells = 100;

    /// <summary>Axes of one matrix.</summary>
    public const int Axes = 5;

    /// <summary>Values of one axis.</summary>
    public const int ValuesPerAxis = 32;

    /// <summary>Length of an axis value, in UTF-16 units.</summary>
    public const int ValueLength = 64;

    /// <summary>Steps of one stage.</summary>
    public const int Steps = 50;

    /// <summary>Length of a step's script, in UTF-16 units.</summary>
    public const int ScriptLength = 32 * 1024;

    /// <summary>Length of a step's name, in UTF-16 units.</summary>
    public const int StepNameLength = 80;

    /// <summary>Length of a stage's name.</summary>
    public const int StageNameLength = 40;

    /// <summary>Environment variables in one <c>environment</c>.</summary>
    public const int Variables = 100;

    /// <summary>Length of a variable's name.</summary>
    public const int VariableNameLength = 100;

    /// <summary>Length of a variable's value, in UTF-16 units.</summary>
    public const int VariableValueLength = 8 * 1024;

    /// <summary>Patterns in one <c>artifacts</c> or <c>reports</c>.</summary>
    public const int Patterns = 50;

    /// <summary>Length of a pattern, in UTF-16 units.</summary>
    public const int PatternLength = 256;

    /// <summary>Length of an image's name.</summary>
    public const int ImageLength = 255;

    /// <summary>Services of one stage.</summary>
    public const int Services = 10;

    /// <summary>Length of the command that says whether a service is ready, in UTF-16 units.</summary>
    public const int ReadyLength = 1024;

    /// <summary>The highest user id that a service can run as.</summary>
    public const int HighestUser = 65_534;

    /// <summary>The longest timeout.</summary>
    public static readonly TimeSpan LongestTimeout = TimeSpan.FromHours(6);

    /// <summary>The shortest timeout.</summary>
    public static readonly TimeSpan ShortestTimeout = TimeSpan.FromSeconds(1);

    /// <summary>The timeout of the commit stage where neither it nor the file says one: people wait for this stage.</summary>
    public static readonly TimeSpan CommitTimeout = TimeSpan.FromMinutes(5);

    /// <summary>The timeout of any other stage where neither it nor the file says one.</summary>
    public static readonly TimeSpan StageTimeout = TimeSpan.FromMinutes(30);

    /// <summary>The limits as the documentation lists them.</summary>
    internal static IReadOnlyList<(string What, string Most)> Documented { get; } =
    [
        ("size of the file", Quantity.WriteSize(YamlLimits.FileBytes)),
        ("depth of lists and maps in one another", $"{YamlLimits.Depth}"),
        ("values in the file", $"{YamlLimits.Nodes}"),
        ("stages", $"{Stages}"),
        ("cells of one matrix", $"{CellsPerMatrix}"),
        ("cells of all stages together", $"{Cells}"),
        ("axes of a matrix, values of an axis", $"{Axes}, {ValuesPerAxis}"),
        ("steps of a stage", $"{Steps}"),
        ("characters in the script of a step", $"{ScriptLength}"),
        ("variables of one `environment`, characters in a value", $"{Variables}, {VariableValueLength}"),
        ("patterns in one `artifacts` or `reports`", $"{Patterns}"),
        ("services of a stage (a site may allow fewer)", $"{Services}"),
        ("timeout of a stage", Quantity.WriteTime(LongestTimeout)),
    ];
}
