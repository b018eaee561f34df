using WmfCi.Core.Changes;
using WmfCi.Core.Runs;

namespace WmfCi.Core.Policies;

/// <summary>The addresses of the pages. They are stable: a link in an old comment works as long as what it names is kept.</summary>
/// <param name="BaseUrl">How people reach the service, without a slash at the end.</param>
public sealed record Links(string BaseUrl)
{
    /// <summary>The page of a run.</summary>
    public string Run(RunId run) => BaseUrl + Path(run);

    /// <summary>The page of a stage's newest attempt: its log, tests and artifacts.</summary>
    public string Stage(RunId run, string stage) => BaseUrl + Path(run, stage);

    /// <summary>The page of a change.</summary>
    public string Change(ChangeId change) => BaseUrl + Path(change);

    /// <summary>The path of a run's page.</summary>
    public static string Path(RunId run) => $"/runs/{run}";

    /// <summary>The path of a stage's page.</summary>
    public static string Path(RunId run, string stage) => $"/runs/{run}/{Uri.EscapeDataString(stage)}";

    /// <summary>The path of the page of one attempt.</summary>
    public static string Path(AttemptId attempt) => $"{Path(attempt.Run, attempt.Stage)}/{attempt.Number}";

    /// <summary>The path of a change's page; a project may have slashes, which stay as they are.</summary>
    public static string Path(ChangeId change) => $"/changes/{change.Number}/{EscapeProject(change.Project)}";

    /// <summary>The path of a project's page.</summary>
    public static string Project(string project) => $"/projects/{EscapeProject(project)}";

    private static string EscapeProject(string project) => string.Join('/', project.Split('/').Select(Uri.EscapeDataString));
}
