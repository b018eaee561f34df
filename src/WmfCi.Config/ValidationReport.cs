using System.Text;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Shapes;
using WmfCi.Config.Sites;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config;

/// <summary>What <c>wmfci validate</c> prints about a file: every mistake with its line and a caret under the place, or a summary of what the file
/// says.</summary>
/// <param name="IsValid">Whether there was no mistake.</param>
/// <param name="Lines">Lines of plain text, without line ends and without anything that a terminal could obey.</param>
public sealed record ValidationReport(bool IsValid, ValueArray<string> Lines)
{
    private const int Width = 120;
    private const int BeforeCaret = 60;

    /// <summary>Checks a <c>.pipeline/config.yaml</c>.</summary>
    /// <param name="file">What the lines call it.</param>
    /// <param name="content">Its bytes.</param>
    public static ValidationReport OfPipeline(string file, ReadOnlySpan<byte> content) => PipelineFile.Read(file, content) switch
    {
        PipelineReading.Valid valid => new ValidationReport(true, Summary(file, valid.Pipeline).ToValueArray()),
        PipelineReading.Invalid invalid => new ValidationReport(false, Mistakes(invalid.Mistakes, Source(content), _ => false).ToValueArray()),
        _ => throw new InvalidOperationException("A reading is valid or invalid."),
    };

    /// <summary>Checks a site configuration. Lines that may hold a secret are not repeated.</summary>
    /// <param name="file">Its path.</param>
    /// <param name="content">Its bytes.</param>
    public static ValidationReport OfSite(string file, ReadOnlySpan<byte> content) => SiteFile.Read(file, content) switch
    {
        SiteReading.Valid valid => new ValidationReport(true, Summary(file, valid.Site).ToValueArray()),
        SiteReading.Invalid invalid => new ValidationReport(false, Mistakes(invalid.Mistakes, Source(content), SiteRules.IsSecret).ToValueArray()),
        _ => throw new InvalidOperationException("A reading is valid or invalid."),
    };

    private static SourceText Source(ReadOnlySpan<byte> content) =>
        SourceText.ToShow(Encoding.UTF8.GetString(content[..Math.Min(content.Length, YamlLimits.FileBytes)]));

    private static IEnumerable<string> Mistakes(ValueArray<ConfigMistake> mistakes, SourceText source, Func<string, bool> isSecret)
    {
        foreach (var mistake in mistakes)
        {
            yield return Wording.Harmless(mistake.ToString());
            var line = source.Line(mistake.Line);
            if (line.Length == 0 || isSecret(line)) continue;
            var caret = Math.Clamp(mistake.Column - 1, 0, line.Length);
            var start = Math.Max(0, Math.Min(caret - BeforeCaret, line.Length - Width));
            var number = $"{mistake.Line,5} | ";
            yield return number + Wording.Harmless(line.Substring(start, Math.Min(Width, line.Length - start)));
            yield return new string(' ', number.Length - 2) + "| " + new string(' ', caret - start) + "^";
        }

        if (mistakes.Count == YamlLimits.Mistakes) yield return $"Only the first {YamlLimits.Mistakes} mistakes are shown.";
    }

    private static IEnumerable<string> Summary(string file, Pipeline pipeline)
    {
        var stages = pipeline.Stages.GroupBy(stage => stage.Name).Select(cells => cells.ToList()).ToList();
        var width = stages.Max(cells => cells[0].Name.Length);
        yield return $"{Wording.Harmless(file)}: valid, {Count(stages.Count, "stage")}{(pipeline.Stages.Count > stages.Count ? $" in {pipeline.Stages.Count} cells" : "")}";
        foreach (var cells in stages)
        {
            var stage = cells[0];
            var images = cells.Select(cell => cell.Image).Distinct(StringComparer.Ordinal).ToList();
            var parts = new List<string?>
            {
                stage.Needs.IsEmpty ? "at once" : "after " + string.Join(" and ", stage.Needs),
                images.Count == 1 ? $"in {images[0]}" : $"in {images.Count} images",
                Count(stage.Steps.Count, "step"),
                stage.Services.IsEmpty ? null : "beside " + string.Join(" and ", stage.Services.Select(service => service.Name)),
                stage.Worker.Length == 0 ? null : $"on {stage.Worker}",
                $"at most {Quantity.WriteTime(stage.Timeout)}",
                stage.HasNetwork ? "network" : null,
                stage.HasHistory ? "history" : null,
                stage.IsVoting ? null : "not voting",
            };
            yield return Wording.Harmless($"  {stage.Name.PadRight(width)}  {string.Join(", ", parts.OfType<string>())}");
            var indent = new string(' ', width + 4);
            if (stage.Unavailable is not null) yield return indent + stage.Unavailable;
            foreach (var cell in cells.Where(cell => cell.Cell.Length > 0)) yield return Wording.Harmless($"{indent}[{cell.Cell}]{(images.Count > 1 ? $" in {cell.Image}" : "")}");
        }
    }

    private static IEnumerable<string> Summary(string file, Site site)
    {
        yield return Wording.Harmless($"{file}: valid, {site.Url} with {site.Gerrit.Url} as {site.Gerrit.User}");
        yield return Wording.Harmless($"  votes {site.Gerrit.Label} {site.Gerrit.Pass:+0;-0;0} or {site.Gerrit.Fail:+0;-0;0} on {string.Join(", ", site.Projects.Patterns)}");
        yield return site.Trust.HoldsStrangers ? "  strangers' first patch sets wait for a trusted person" : "  everybody's changes run at once";
        yield return $"  {Count(site.Runner.Slots, "stage")} at once, each {Quantity.WriteSize(site.Runner.Memory)} of memory and {Quantity.WriteSize(site.Runner.Disk)} of disk";
        if (site.Runner.Kubernetes is not { } cluster) yield break;
        yield return Wording.Harmless($"  on Kubernetes, namespace {cluster.Namespace}, by {cluster.Kubeconfig ?? "the account of the service's own pod"}");
        foreach (var worker in cluster.Workers)
            yield return $"    {worker.Name}: {Quantity.WriteCpu(worker.MilliCpu)} CPU, {Quantity.WriteSize(worker.Memory)} of memory, {Quantity.WriteSize(worker.Disk)} of disk{(worker.Name == cluster.Worker ? ", unless a stage says otherwise" : "")}";
    }

    private static string Count(int number, string what) => $"{number} {what}{(number == 1 ? "" : "s")}";
}
