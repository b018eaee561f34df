namespace WmfCi.Core.Pipelines;

/// <summary>
/// What a repository wants done with a change: a graph of stages, already expanded (a matrix gives one stage a cell) and with every default filled in.
/// It is free of any file syntax, so that other syntaxes (PipelineLib's) can be read into it.
/// </summary>
/// <param name="Stages">All stages, in the order in which people read them. Their <see cref="Stage.Id"/> differ and <see cref="Stage.Needs"/> form no circle.</param>
public sealed record Pipeline(ValueArray<Stage> Stages)
{
    /// <summary>The stage of an id.</summary>
    public Stage this[string id] => Stages.First(stage => stage.Id == id);

    /// <summary>The stages that must have succeeded before one may start: every cell of every stage it needs.</summary>
    public IEnumerable<Stage> NeededBy(Stage stage) => Stages.Where(other => stage.Needs.Contains(other.Name));
}

/// <summary>The names that have a meaning of their own.</summary>
public static class StageNames
{
    /// <summary>Builds once and tests fast, without services.</summary>
    public const string Commit = "commit";

    /// <summary>Tests the built artifacts as a whole.</summary>
    public const string Acceptance = "acceptance";

    /// <summary>Deploys what was built and tested.</summary>
    public const string Deployment = "deployment";
}

/// <summary>One node of the graph: runs in one image, on one worker, with one log.</summary>
public sealed record Stage
{
    /// <summary>Its name in the configuration: lower-case letters, digits and dashes.</summary>
    public required string Name { get; init; }

    /// <summary>The cell of its matrix, such as <c>php=8.1, db=mariadb</c>; empty without a matrix.</summary>
    public string Cell { get; init; } = "";

    /// <summary>What people and links call it: the name, and the cell in brackets.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public string Id => Cell.Length == 0 ? Name : $"{Name} [{Cell}]";

    /// <summary>The names of the stages that must succeed first.</summary>
    public ValueArray<string> Needs { get; init; } = [];

    /// <summary>The image that its steps run in, or <c>host</c> for the programs of the worker itself.</summary>
    public required string Image { get; init; }

    /// <summary>Its steps, run one after another until one fails.</summary>
    public ValueArray<Step> Steps { get; init; } = [];

    /// <summary>Environment variables of every step.</summary>
    public ValueArray<Variable> Environment { get; init; } = [];

    /// <summary>Patterns of the files to keep, relative to the workspace.</summary>
    public ValueArray<string> Artifacts { get; init; } = [];

    /// <summary>Patterns of JUnit XML files to read, relative to the workspace.</summary>
    public ValueArray<string> Reports { get; init; } = [];

    /// <summary>How long all its steps may take together.</summary>
    public required TimeSpan Timeout { get; init; }

    /// <summary>Whether its failure fails the run.</summary>
    public bool IsVoting { get; init; } = true;

    /// <summary>Whether its steps may use the network.</summary>
    public bool HasNetwork { get; init; }

    /// <summary>Whether the workspace has the repository's history (<c>.git</c>), not only its files.</summary>
    public bool HasHistory { get; init; }

    /// <summary>Databases and the like that run beside it; the commit stage has none.</summary>
    public ValueArray<StageService> Services { get; init; } = [];

    /// <summary>The site's class of workers that it runs on; empty for the site's own choice.</summary>
    public string Worker { get; init; } = "";

    /// <summary>Why this service cannot run it yet, as shown to people; null when it can.</summary>
    public string? Unavailable { get; init; }
}

/// <summary>Something that runs beside a stage while it runs: its steps begin when it is ready, reach it by its name, and it goes when they are done.</summary>
public sealed record StageService
{
    /// <summary>What the steps call it: a name of a machine, lower-case letters, digits and dashes.</summary>
    public required string Name { get; init; }

    /// <summary>The image that it runs, with the image's own command.</summary>
    public required string Image { get; init; }

    /// <summary>Its environment variables.</summary>
    public ValueArray<Variable> Environment { get; init; } = [];

    /// <summary>A command, for <c>/bin/sh -c</c> inside of it, that exits with 0 when it is ready; null where there is none.</summary>
    public string? ReadyCommand { get; init; }

    /// <summary>The TCP port that answers when it is ready; null where there is none. Without both it is ready when it runs.</summary>
    public int? ReadyPort { get; init; }

    /// <summary>The user that it runs as, never 0; null for the image's own, which must not be root.</summary>
    public int? User { get; init; }
}

/// <summary>One command of a stage.</summary>
/// <param name="Name">What people and logs call it.</param>
/// <param name="Script">Lines for <c>/bin/sh -e</c>, as the repository wrote them.</param>
public sealed record Step(string Name, string Script);

/// <summary>An environment variable.</summary>
/// <param name="Name">Letters, digits and underscores, not beginning with a digit.</param>
/// <param name="Value">Any text without NUL.</param>
public sealed record Variable(string Name, string Value);

/// <summary>A mistake in a configuration file, told so that its author can mend it without asking.</summary>
/// <param name="File">The path in the repository, or the path that was read.</param>
/// <param name="Line">Counted from 1.</param>
/// <param name="Column">Counted from 1.</param>
/// <param name="Problem">What is wrong, one sentence.</param>
/// <param name="Advice">What to write instead.</param>
public sealed record ConfigMistake(string File, int Line, int Column, string Problem, string Advice)
{
    /// <inheritdoc/>
    public override string ToString() => $"{File}:{Line}:{Column}: {Problem} {Advice}";
}
