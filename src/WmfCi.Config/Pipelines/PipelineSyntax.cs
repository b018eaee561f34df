using WmfCi.Config.Yaml;

namespace WmfCi.Config.Pipelines;

/// <summary>A value with the place where it was written.</summary>
internal sealed record Written<T>(T Value, Position At);

/// <summary>
/// A file as its author wrote it: nothing filled in, nothing expanded. It belongs to this syntax; a reader of another syntax has types of its own and
/// meets this one only in the model.
/// </summary>
internal sealed record PipelineSyntax
{
    public Written<string>? Image { get; init; }

    public Written<string>? Type { get; init; }

    public Written<TimeSpan>? Timeout { get; init; }

    public IReadOnlyList<VariableSyntax> Environment { get; init; } = [];

    public IReadOnlyList<StageSyntax> Stages { get; init; } = [];

    /// <summary>Stages that are written but were refused: others may need them without a second mistake.</summary>
    public required IReadOnlySet<string> RefusedStages { get; init; }

    /// <summary>Keys of the file that are written but were refused.</summary>
    public required IReadOnlySet<string> Refused { get; init; }
}

internal sealed record StageSyntax(Written<string> Name)
{
    public Written<string>? Image { get; init; }

    public IReadOnlyList<StepSyntax>? Steps { get; init; }

    public IReadOnlyList<Written<string>>? Needs { get; init; }

    public IReadOnlyList<VariableSyntax> Environment { get; init; } = [];

    public IReadOnlyList<AxisSyntax> Matrix { get; init; } = [];

    public IReadOnlyList<ServiceSyntax> Services { get; init; } = [];

    public string? Worker { get; init; }

    public IReadOnlyList<string> Artifacts { get; init; } = [];

    public IReadOnlyList<string>? Reports { get; init; }

    public TimeSpan? Timeout { get; init; }

    public bool? Voting { get; init; }

    public bool? Network { get; init; }

    public bool? History { get; init; }

    /// <summary>Keys that are written but were refused.</summary>
    public IReadOnlySet<string> Refused { get; init; } = new HashSet<string>(StringComparer.Ordinal);
}

internal sealed record StepSyntax(Written<string>? Name, Written<string> Run);

internal sealed record ServiceSyntax(Written<string> Name, Written<string> Image)
{
    public IReadOnlyList<VariableSyntax> Environment { get; init; } = [];

    /// <summary>A number of a port, or a command.</summary>
    public string? Ready { get; init; }

    public int? User { get; init; }
}

internal sealed record VariableSyntax(Written<string> Name, string Value);

internal sealed record AxisSyntax(Written<string> Name, IReadOnlyList<Written<string>> Values);
