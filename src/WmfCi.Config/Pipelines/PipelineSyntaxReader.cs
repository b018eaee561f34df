using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>Takes the parts of a checked tree. Whatever does not have its shape was removed and reported before, so that nothing is checked here.</summary>
internal static class PipelineSyntaxReader
{
    private static readonly string[] _topStages = [StageNames.Commit, StageNames.Acceptance, StageNames.Deployment];

    public static PipelineSyntax Read(YamlMap file, Mistakes mistakes)
    {
        var stages = new Dictionary<string, StageSyntax>(StringComparer.Ordinal);
        var refused = new HashSet<string>(file.Refused.Intersect(_topStages), StringComparer.Ordinal);
        var written = file.Entries.Where(entry => _topStages.Contains(entry.Key.Value));
        if (file.Find(PipelineKeys.Stages) is YamlMap further)
        {
            refused.UnionWith(further.Refused);
            written = written.Concat(further.Entries);
        }

        foreach (var entry in written.OrderBy(entry => entry.Key.At.Line).ThenBy(entry => entry.Key.At.Column))
        {
            if (stages.TryAdd(entry.Key.Value, Stage(entry))) continue;
            mistakes.Add(
                entry.Key.At,
                $"The stage {Wording.Quote(entry.Key.Value)} stands twice, here and in line {stages[entry.Key.Value].Name.At.Line}.",
                "Keep one of the two.");
        }

        return new PipelineSyntax
        {
            Image = Text(file.Find(PipelineKeys.Image)),
            Type = Text(file.Find(PipelineKeys.Type)),
            Timeout = file.Find(PipelineKeys.Timeout) is YamlText time ? new Written<TimeSpan>(Quantity.ReadTime(time.Value)!.Value, time.At) : null,
            Environment = Variables(file.Find(PipelineKeys.Environment)),
            Stages = [.. stages.Values],
            RefusedStages = refused,
            Refused = file.Refused,
        };
    }

    private static StageSyntax Stage(YamlEntry entry)
    {
        var name = new Written<string>(entry.Key.Value, entry.Key.At);
        return entry.Value is YamlMap map ? Stage(name, map) : new StageSyntax(name) { Steps = Steps(entry.Value) };
    }

    private static StageSyntax Stage(Written<string> name, YamlMap map) => new(name)
    {
        Image = Text(map.Find(PipelineKeys.Image)),
        Steps = map.Find(PipelineKeys.Steps) is { } steps ? Steps(steps) : null,
        Needs = map.Find(PipelineKeys.Needs) is { } needs ? Texts(needs) : null,
        Environment = Variables(map.Find(PipelineKeys.Environment)),
        Matrix = map.Find(PipelineKeys.Matrix) is YamlMap matrix ? [.. matrix.Entries.Select(axis => new AxisSyntax(Text(axis.Key)!, Texts(axis.Value)))] : [],
        Services = map.Find(PipelineKeys.Services) is YamlMap services ? [.. services.Entries.Select(Service).OfType<ServiceSyntax>()] : [],
        Worker = Text(map.Find(PipelineKeys.Worker))?.Value,
        Artifacts = map.Find(PipelineKeys.Artifacts) is { } artifacts ? [.. Texts(artifacts).Select(pattern => pattern.Value)] : [],
        Reports = map.Find(PipelineKeys.Reports) is { } reports ? [.. Texts(reports).Select(pattern => pattern.Value)] : null,
        Timeout = map.Find(PipelineKeys.Timeout) is YamlText time ? Quantity.ReadTime(time.Value) : null,
        Voting = Truth(map.Find(PipelineKeys.Voting)),
        Network = Truth(map.Find(PipelineKeys.Network)),
        History = Truth(map.Find(PipelineKeys.History)),
        Refused = map.Refused,
    };

    /// <summary>A step that lacks its command was reported, and is left out.</summary>
    private static List<StepSyntax> Steps(YamlNode node) => [.. Items(node).Select(Step).OfType<StepSyntax>()];

    private static StepSyntax? Step(YamlNode node) => node switch
    {
        YamlText text => new StepSyntax(null, Text(text)!),
        YamlMap map when Text(map.Find(PipelineKeys.Run)) is { } run => new StepSyntax(Text(map.Find(PipelineKeys.Name)), run),
        _ => null,
    };

    /// <summary>A service that lacks its image was reported, and is left out.</summary>
    private static ServiceSyntax? Service(YamlEntry entry) => entry.Value switch
    {
        YamlText => new ServiceSyntax(Text(entry.Key)!, Text(entry.Value)!),
        YamlMap map when Text(map.Find(PipelineKeys.Image)) is { } image => new ServiceSyntax(Text(entry.Key)!, image)
        {
            Environment = Variables(map.Find(PipelineKeys.Environment)),
            Ready = Text(map.Find(PipelineKeys.Ready))?.Value,
            User = map.Find(PipelineKeys.User) is YamlText user ? NumberShape.Value(user.Value) : null,
        },
        _ => null,
    };

    private static List<VariableSyntax> Variables(YamlNode? node) =>
        node is YamlMap map ? [.. map.Entries.Select(entry => new VariableSyntax(Text(entry.Key)!, ((YamlText)entry.Value).Value))] : [];

    private static List<Written<string>> Texts(YamlNode node) => [.. Items(node).OfType<YamlText>().Select(text => Text(text)!)];

    private static IEnumerable<YamlNode> Items(YamlNode node) => node is YamlList list ? list.Items : [node];

    private static Written<string>? Text(YamlNode? node) => node is YamlText text ? new Written<string>(text.Value, text.At) : null;

    private static bool? Truth(YamlNode? node) => node is YamlText text ? text.Value == "true" : null;
}
