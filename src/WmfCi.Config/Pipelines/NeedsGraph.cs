using WmfCi.Config.Yaml;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Pipelines;

/// <summary>Which stage waits for which: fills in what nobody wrote, finds what cannot be, and puts the stages in an order.</summary>
internal sealed class NeedsGraph
{
    private readonly PipelineSyntax _file;
    private readonly Mistakes _mistakes;
    private readonly Dictionary<string, IReadOnlyList<Written<string>>> _needs;

    private NeedsGraph(PipelineSyntax file, Mistakes mistakes)
    {
        (_file, _mistakes) = (file, mistakes);
        _needs = file.Stages.ToDictionary(stage => stage.Name.Value, Needs, StringComparer.Ordinal);
    }

    /// <summary>The stages with what each needs; every stage comes after those that it needs, else in the order of the file.</summary>
    public static IReadOnlyList<(StageSyntax Stage, IReadOnlyList<string> Needs)> Order(PipelineSyntax file, Mistakes mistakes)
    {
        var graph = new NeedsGraph(file, mistakes);
        foreach (var stage in file.Stages) graph.JudgeNames(stage);
        if (graph.TellCircles()) return [];
        var result = new List<(StageSyntax, IReadOnlyList<string>)>();
        var done = new HashSet<string>(file.RefusedStages, StringComparer.Ordinal);
        var waiting = file.Stages.ToList();
        while (waiting.Count > 0)
        {
            var next = waiting.Find(stage => graph.Known(stage.Name.Value).All(done.Contains)) ?? waiting[0];
            waiting.Remove(next);
            done.Add(next.Name.Value);
            result.Add((next, [.. graph._needs[next.Name.Value].Select(need => need.Value)]));
        }

        return result;
    }

    private bool Exists(string name) => _file.RefusedStages.Contains(name) || _file.Stages.Any(stage => stage.Name.Value == name);

    private IReadOnlyList<Written<string>> Needs(StageSyntax stage)
    {
        if (stage.Needs is not null || stage.Refused.Contains(PipelineKeys.Needs)) return stage.Needs ?? [];
        var name = stage.Name.Value switch
        {
            StageNames.Commit => null,
            StageNames.Deployment when Exists(StageNames.Acceptance) => StageNames.Acceptance,
            _ => StageNames.Commit,
        };
        return name is null || !Exists(name) ? [] : [new Written<string>(name, stage.Name.At)];
    }

    private IEnumerable<string> Known(string name) => _needs.TryGetValue(name, out var needs) ? needs.Select(need => need.Value).Where(Exists) : [];

    private void JudgeNames(StageSyntax stage)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var name = stage.Name.Value;
        foreach (var need in _needs[name])
        {
            if (!Exists(need.Value))
            {
                var names = _file.Stages.Select(other => other.Name.Value).Where(other => other != name).ToList();
                var advice = Wording.Nearest(need.Value, names) is { } near
                    ? $"Did you mean `{near}`?"
                    : $"Known are {Wording.Choice(names).Replace(" or ", " and ", StringComparison.Ordinal)}.";
                _mistakes.Add(need.At, $"`{name}` needs `{need.Value}`, but there is no such stage.", advice);
            }
            else if (need.Value == name)
            {
                _mistakes.Add(need.At, $"`{name}` needs itself, so it could never start.", "Remove its own name from `needs`.");
            }
            else if (!seen.Add(need.Value))
            {
                _mistakes.Add(need.At, $"`{name}` needs `{need.Value}` twice.", "Name it once.");
            }
            else if (need.Value == StageNames.Deployment)
            {
                _mistakes.Add(
                    need.At,
                    $"`{name}` needs `{need.Value}`, which this version cannot run yet, so it could never start.",
                    "Let it need `commit` or `acceptance`.");
            }
        }
    }

    /// <summary>Tells each circle once, at the need that closes it.</summary>
    private bool TellCircles()
    {
        var finished = new HashSet<string>(StringComparer.Ordinal);
        var found = false;
        foreach (var stage in _file.Stages) found |= Walk(stage.Name.Value, [], finished);
        return found;
    }

    /// <summary>The depth is bounded by the number of stages.</summary>
    private bool Walk(string name, List<string> path, HashSet<string> finished)
    {
        if (finished.Contains(name)) return false;
        path.Add(name);
        var found = false;
        foreach (var need in _needs[name].Where(need => need.Value != name && _needs.ContainsKey(need.Value)))
        {
            var start = path.IndexOf(need.Value);
            if (start < 0)
            {
                found |= Walk(need.Value, path, finished);
                continue;
            }

            var circle = string.Join(" needs ", path.Skip(start).Append(need.Value).Select(step => $"`{step}`"));
            _mistakes.Add(need.At, $"The stages wait for one another in a circle: {circle}.", "Remove one of these needs.");
            found = true;
        }

        path.RemoveAt(path.Count - 1);
        finished.Add(name);
        return found;
    }
}
