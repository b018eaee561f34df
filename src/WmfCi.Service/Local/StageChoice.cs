using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Service.Local;

/// <summary>Which stages of a pipeline somebody means.</summary>
internal static class StageChoice
{
    private const int MaxShown = 200;

    /// <summary>The stages of some names: a stage's name means every cell of its matrix, an id one of them.</summary>
    /// <exception cref="LocalException">A name means nothing, or a stage that cannot run here.</exception>
    public static List<Stage> Named(Pipeline pipeline, IReadOnlyList<string> names)
    {
        var chosen = new List<Stage>();
        foreach (var name in names)
        {
            var meant = pipeline.Stages.Where(stage => stage.Id == name || stage.Name == name).ToList();
            if (meant.Count == 0)
            {
                var known = pipeline.Stages.Select(stage => stage.Id).Take(PipelineShown).ToList();
                throw new LocalException($"There is no stage “{Shown(name)}”. There {(known.Count == 1 ? "is" : "are")}: {Shown(string.Join(", ", known))}.");
            }
            if (meant.Find(stage => stage.Unavailable is not null) is { } missing) throw new LocalException($"{Shown(missing.Id)} is not run: {Shown(missing.Unavailable!)}");
            chosen.AddRange(meant);
        }
        return chosen;
    }

    /// <summary>A pipeline of some stages and all that they need, in its own order.</summary>
    /// <param name="pipeline">The whole.</param>
    /// <param name="chosen">The stages that are wanted.</param>
    /// <param name="isDone">Whether a stage that is needed counts as done, so that what it needs itself is not wanted.</param>
    public static Pipeline WithNeeds(Pipeline pipeline, IEnumerable<Stage> chosen, Predicate<Stage> isDone)
    {
        var wanted = new HashSet<string>(StringComparer.Ordinal);
        var open = new Queue<(Stage Stage, bool IsChosen)>(chosen.Select(stage => (stage, true)));
        while (open.TryDequeue(out var next))
        {
            if (!wanted.Add(next.Stage.Id) || (!next.IsChosen && isDone(next.Stage))) continue;
            foreach (var needed in pipeline.NeededBy(next.Stage)) open.Enqueue((needed, false));
        }
        // What a stage that is done needed may not be here; nobody asks for it any more.
        return new Pipeline(pipeline.Stages.Where(stage => wanted.Contains(stage.Id)).ToValueArray());
    }

    private const int PipelineShown = 30;

    private static string Shown(string text) => PlainText.Line(text, MaxShown);
}
