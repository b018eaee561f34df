using WmfCi.Core.Policies;
using WmfCi.Core.Runs;

namespace WmfCi.Service.Pages;

/// <summary>The paths below the page of an attempt.</summary>
public static class PagePaths
{
    /// <summary>The raw log.</summary>
    public static string Raw(AttemptId id) => Links.Path(id) + "/log";

    /// <summary>What the log gains, as server-sent events.</summary>
    public static string Events(AttemptId id) => Links.Path(id) + "/log/events";

    /// <summary>An artifact.</summary>
    /// <param name="id">Whose.</param>
    /// <param name="path">As it is stored; its slashes stay.</param>
    public static string Artifact(AttemptId id, string path) => $"{Links.Path(id)}/artifacts/{string.Join('/', path.Split('/').Select(Uri.EscapeDataString))}";
}
