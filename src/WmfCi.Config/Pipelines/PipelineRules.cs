using System.Buffers;
using System.Text.RegularExpressions;
using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>What is wrong with a text of a pipeline, one rule for each kind of text. Expressions are of the kind that runs in linear time.</summary>
internal static partial class PipelineRules
{
    public const string StageNamePattern = "^" + StageNameText + "$";
    public const string VariableNamePattern = "^" + VariableNameText + "$";
    public const string ServiceNamePattern = "^[a-z](?:[a-z0-9-]*[a-z0-9])?$";
    public const string ImagePattern = "^" + ImageText + "$";

    /// <summary>Wider than the rule itself: classes of Unicode are not understood by every validator.</summary>
    public const string ValuePattern = @"^[^,\[\]\s](?:[^,\[\]]*[^,\[\]\s])?$";

    // The schema's `$` is the end of the text; here `$` would allow a line end after it, so the expressions below end in `\z`.
    private const string StageNameText = "[a-z](?:[a-z0-9-]*[a-z0-9])?";
    private const string VariableNameText = "[A-Za-z_][A-Za-z0-9_]*";
    private const string ImageText = "[A-Za-z0-9$](?:[A-Za-z0-9._/:@+${}-]*[A-Za-z0-9}])?";
    private const string ValueText = @"[^,\[\]\s\p{C}](?:[^,\[\]\p{C}]*[^,\[\]\s\p{C}])?";
    private const int LastPort = 65_535;
    private const RegexOptions Linear = RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture;

    /// <summary>Variables with this beginning tell steps what they test, and nobody else may set them.</summary>
    public const string ReservedPrefix = "WMFCI_";

    /// <summary>What stands in the place of an image for the worker's own programs.</summary>
    public const string Host = "host";

    /// <summary>Names that a service cannot have: they mean the stage's own machine.</summary>
    private static readonly string[] _ownNames = ["localhost", "ci", "workspace", "wmfci"];

    private static readonly SearchValues<char> _inCommands = SearchValues.Create(" \"'/=$");

    public static Fault? StageName(string name)
    {
        if (name.Length > PipelineLimits.StageNameLength) return new($"has a name longer than {PipelineLimits.StageNameLength} characters", "Make it shorter.");
        if (StageNameExpression().IsMatch(name)) return null;
        var better = NotInStageName().Replace(name.ToLowerInvariant(), "-").Trim('-').TrimStart([.. "0123456789-"]);
        var advice = better.Length > 0 && StageNameExpression().IsMatch(better) ? $"Write `{better}`." : "Write for example `lint` or `test-php8`.";
        return new("must have a name of lower-case letters, digits and dashes", advice);
    }

    public static Fault? VariableName(string name)
    {
        if (name.Length > PipelineLimits.VariableNameLength)
            return new($"has a name longer than {PipelineLimits.VariableNameLength} characters", "Make it shorter.");
        if (!VariableNameExpression().IsMatch(name))
            return new("must have a name of letters, digits and underscores that begins with no digit", "Write for example `MODE` or `php_version`.");
        return name.StartsWith(ReservedPrefix, StringComparison.OrdinalIgnoreCase)
            ? new($"has a name that begins with `{ReservedPrefix}`, which is kept for what the service tells the steps", "Choose another name.")
            : null;
    }

    public static Fault? Value(string value) => ValueExpression().IsMatch(value)
        ? null
        : new(
            "must be a short text without commas, brackets and spaces around it",
            "Write for example `8.1` or `mariadb`, and give longer texts by `environment`.");

    /// <summary>An image as written, perhaps with <c>${axis}</c> in it.</summary>
    public static Fault? Image(string image) => ImageExpression().IsMatch(image)
        ? null
        : new(
            $"cannot be {Wording.Quote(image)}",
            "Write the name of a container image such as `docker.io/library/python:3.13`, or `host` for the worker's own programs.");

    /// <summary>An image after the values of the matrix were put into it.</summary>
    public static Fault? FilledImage(string image) => image.AsSpan().ContainsAny('$', '{', '}') ? new("has braces left in it") : Image(image);

    public static Fault? ImageOfAll(string image) => image.Contains('$', StringComparison.Ordinal)
        ? new("of the whole file cannot use a matrix", "Write this image in the stage that has the matrix.")
        : Image(image);

    /// <summary>The image of a service, which is never the worker itself.</summary>
    public static Fault? ServiceImage(string image)
    {
        const string Advice = "Write the name of a container image such as `docker.io/library/mariadb:11`.";
        return image == Host ? new("cannot be `host`: a service runs in a container of its own", Advice) : Image(image) is { } fault ? fault with { Advice = Advice } : null;
    }

    public static Fault? ServiceName(string name)
    {
        if (DnsName.Label(name) is { } fault) return fault;
        if (char.IsAsciiDigit(name[0])) return new("has a name that begins with a digit, as addresses do", "Write for example `db`.");
        return _ownNames.Contains(name) ? new("has the name of the stage's own machine", "Write for example `db` or `search`.") : null;
    }

    /// <summary>The name of a class of workers; which there are is the site's to say.</summary>
    public static Fault? Worker(string name) => DnsName.Label(name);

    /// <summary>A port, or a command.</summary>
    public static Fault? Ready(string ready)
    {
        if (Script(ready) is { } fault) return fault;
        if (!ready.All(char.IsAsciiDigit)) return null;
        return NumberShape.Value(ready) is > 0 and <= LastPort
            ? null
            : new($"must be a port from 1 to {LastPort}, or a command", "Write for example `ready: 3306`.");
    }

    public static Fault? Script(string script) =>
        string.IsNullOrWhiteSpace(script) ? new("is an empty command", "Write the command, for example `make test`, or remove the item.") : null;

    public static Fault? StepName(string name) => string.IsNullOrWhiteSpace(name) || name.Any(char.IsControl) || Wording.Harmless(name) != name
        ? new("must be one line of visible text", "Write for example `name: unit tests`.")
        : null;

    public static Fault? Pattern(string pattern)
    {
        if (string.IsNullOrWhiteSpace(pattern) || pattern.Any(char.IsControl))
            return new("must be a path or a pattern of paths", "Write for example `build/**/*.deb`.");
        if (pattern.Contains('\\', StringComparison.Ordinal))
            return new("has a backslash", $"Write slashes between folders: {Wording.Quote(pattern.Replace('\\', '/'))}.");
        if (pattern.StartsWith('/'))
            return new(
                "begins with a slash, but only files of the workspace can be kept",
                $"Write it relative to the repository: {Wording.Quote(pattern.TrimStart('/'))}.");
        if (pattern.Split('/').Contains(".."))
            return new("leaves the workspace with `..`", "Write it relative to the repository, and copy what lies elsewhere into the workspace first.");
        return pattern.StartsWith('!') ? new("begins with `!`, but nothing can be left out again", "Name only what shall be kept.") : null;
    }

    public static Fault? None(string text) => null;

    /// <summary>Advice for a step that YAML took for a map because of a colon.</summary>
    public static string? AdviseOnStep(YamlEntry entry) => entry.Key.Value.AsSpan().ContainsAny(_inCommands)
        ? "The colon made a map of this command: put the whole command in quotes, or write `run: |` and the command on the next line."
        : null;

    /// <summary>Advice for a stage that stands where only the known ones may.</summary>
    public static string? AdviseOnFile(YamlEntry entry)
    {
        var looksLikeStage = entry.Value is YamlList || (entry.Value is YamlMap map && map.Entries.Any(inner => inner.Key.Value is "steps" or "run" or "script" or "needs" or "matrix"));
        return looksLikeStage && StageName(entry.Key.Value) is null && Wording.Nearest(entry.Key.Value, PipelineKeys.File.Keys.Select(key => key.Name)) is null
            ? $"A stage besides {Wording.Choice([StageNames.Commit, StageNames.Acceptance, StageNames.Deployment])} stands under `stages:`, indented by two spaces."
            : null;
    }

    [GeneratedRegex("^" + StageNameText + @"\z", Linear)]
    private static partial Regex StageNameExpression();

    [GeneratedRegex("[^a-z0-9]+", Linear)]
    private static partial Regex NotInStageName();

    [GeneratedRegex("^" + VariableNameText + @"\z", Linear)]
    private static partial Regex VariableNameExpression();

    [GeneratedRegex("^" + ImageText + @"\z", Linear)]
    private static partial Regex ImageExpression();

    [GeneratedRegex("^" + ValueText + @"\z", Linear)]
    private static partial Regex ValueExpression();
}
