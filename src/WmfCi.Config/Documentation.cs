using WmfCi.Config.Pipelines;
using WmfCi.Config.Shapes;
using WmfCi.Config.Sites;

namespace WmfCi.Config;

/// <summary>The parts of the documentation that are made from the code: Markdown tables by the name of their place.</summary>
public static class Documentation
{
    /// <summary>Tables about <c>.pipeline/config.yaml</c>.</summary>
    public static IReadOnlyDictionary<string, string> Pipeline { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["file"] = KeyTables.Keys(PipelineKeys.File),
        ["stage"] = KeyTables.Keys(PipelineKeys.StageMap),
        ["step"] = KeyTables.Keys(PipelineKeys.Step),
        ["service"] = KeyTables.Keys(PipelineKeys.Service),
        ["types"] = KeyTables.Table(["type", "image", "steps of commit", "network"], BuildTypes.All.Select(Row)),
        ["limits"] = KeyTables.Table(["what", "at most"], PipelineLimits.Documented.Select(limit => new[] { limit.What, limit.Most })),
    };

    /// <summary>Tables about the site configuration.</summary>
    public static IReadOnlyDictionary<string, string> Site { get; } = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["file"] = KeyTables.Keys(SiteKeys.File),
        ["gerrit"] = KeyTables.Keys(SiteKeys.Gerrit),
        ["ssh"] = KeyTables.Keys(SiteKeys.Ssh),
        ["trust"] = KeyTables.Keys(SiteKeys.Trust),
        ["runner"] = KeyTables.Keys(SiteKeys.Runner),
        ["kubernetes"] = KeyTables.Keys(KubernetesKeys.Cluster),
        ["exchange"] = KeyTables.Keys(KubernetesKeys.Exchange),
        ["workers"] = KeyTables.Keys(KubernetesKeys.Worker),
        ["tolerations"] = KeyTables.Keys(KubernetesKeys.Toleration),
        ["users"] = KeyTables.Keys(KubernetesKeys.Users),
        ["services"] = KeyTables.Keys(KubernetesKeys.Services),
        ["polling"] = KeyTables.Keys(SiteKeys.Polling),
    };

    private static string[] Row(BuildType type) =>
    [
        $"`{type.Name}`",
        $"`{type.Image}`",
        string.Join(
            "; ",
            type.Steps.Select(step => $"{step.Name}: {(step.Script.Contains('\n', StringComparison.Ordinal) ? "a few lines" : $"`{step.Script}`")}")),
        type.NeedsNetwork ? "yes" : "no",
    ];
}
