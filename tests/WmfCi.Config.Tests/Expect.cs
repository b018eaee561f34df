using WmfCi.Config.Pipelines;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Tests;

/// <summary>Reads YAML that tests write, and says what is expected of it.</summary>
internal static class Expect
{
    public static Pipeline Valid(string yaml) => PipelineFile.Read("config.yaml", yaml) switch
    {
        PipelineReading.Valid valid => valid.Pipeline,
        PipelineReading.Invalid invalid => throw new ShouldAssertException(string.Join('\n', invalid.Mistakes)),
        _ => throw new InvalidOperationException(),
    };

    public static IReadOnlyList<ConfigMistake> Mistakes(string yaml) => PipelineFile.Read("config.yaml", yaml) switch
    {
        PipelineReading.Invalid invalid => invalid.Mistakes,
        _ => throw new ShouldAssertException($"No mistake was found in:\n{yaml}"),
    };

    /// <summary>Expects one mistake, at a place, with words in its problem and in its advice.</summary>
    public static void Mistake(string yaml, (int Line, int Column) at, string problem, string advice)
    {
        var mistake = Mistakes(yaml).ShouldHaveSingleItem();
        mistake.Problem.ShouldContain(problem);
        mistake.Advice.ShouldContain(advice);
        (mistake.Line, mistake.Column).ShouldBe(at, mistake.ToString());
    }
}
