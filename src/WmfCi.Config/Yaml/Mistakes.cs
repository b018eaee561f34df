using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Yaml;

/// <summary>Gathers the mistakes of one file.</summary>
internal sealed class Mistakes(string file)
{
    private readonly List<ConfigMistake> _noted = [];

    public bool Any => _noted.Count > 0;

    /// <summary>Whether there is no use in looking for more.</summary>
    public bool IsFull => _noted.Count >= YamlLimits.MistakesNoted;

    public void Add(Position at, string problem, string advice)
    {
        if (!IsFull) _noted.Add(Single(at, problem, advice));
    }

    /// <summary>A mistake that is not noted, for the case that it is the only one worth telling.</summary>
    public ConfigMistake Single(Position at, string problem, string advice) => new(file, at.Line, at.Column, problem, advice);

    /// <summary>The first of them by place, each once.</summary>
    public ValueArray<ConfigMistake> Sorted() =>
        _noted.Distinct().OrderBy(mistake => mistake.Line).ThenBy(mistake => mistake.Column).Take(YamlLimits.Mistakes).ToValueArray();
}
