using System.Net;
using System.Net.Http.Json;
using System.Text;
using CliWrap;
using CliWrap.Buffered;
using WmfCi.Fakes;

namespace WmfCi.Git.Tests;

/// <summary>A project on the real Gerrit, to see what it makes of a merge.</summary>
internal sealed class GerritForMerges : IDisposable
{
    private readonly HttpClient http = new();
    private readonly string address;
    private readonly string repository;

    private GerritForMerges(string address, string project, string repository) => (this.address, Project, this.repository) = (address, project, repository);

    public static string? Address => Environment.GetEnvironmentVariable("GERRIT_URL")?.TrimEnd('/');

    public string Project { get; }

    public static async Task<GerritForMerges> Create(string repository, (string SubmitType, bool ContentMerge) settings, CancellationToken cancellationToken)
    {
        var gerrit = new GerritForMerges(Address!, "merges-" + Guid.NewGuid().ToString("N"), repository);
        var made = await gerrit.Send(
            "admin", HttpMethod.Put, "projects/" + gerrit.Project, new { submit_type = settings.SubmitType, use_content_merge = settings.ContentMerge ? "TRUE" : "FALSE" }, cancellationToken);
        made.Status.ShouldBe(HttpStatusCode.Created, made.Text);
        return gerrit;
    }

    public async Task Push(IEnumerable<string> refs, CancellationToken cancellationToken)
    {
        var done = await Cli.Wrap("git")
            .WithArguments(["--git-dir=" + repository, "push", "-q", $"{address.Replace("://", "://wmfci:testbed-wmfci@", StringComparison.Ordinal)}/a/{Project}", .. refs])
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(cancellationToken);
        if (done.ExitCode != 0) throw new InvalidOperationException("git push: " + done.StandardError);
    }

    /// <summary>Uploads, votes and submits; null when it went through, else Gerrit's refusal.</summary>
    public async Task<string?> Submit(GitRandomHistory history, string branch, CancellationToken cancellationToken)
    {
        try
        {
            await Push([$"{history.TheirsRef}:refs/for/{branch}"], cancellationToken);
        }
        catch (InvalidOperationException e) when (history.Crossed && e.Message.Contains("internal error", StringComparison.Ordinal))
        {
            // It merges the parents of an uploaded merge to show the difference, and fails where their own merge bases conflict in a binary file.
            return "not even uploaded: internal error";
        }

        return await Land(history.ChangeId, branch, cancellationToken);
    }

    /// <summary>Votes and submits what is uploaded.</summary>
    public async Task<string?> Land(string changeId, string branch, CancellationToken cancellationToken)
    {
        await Vote(changeId, branch, cancellationToken);
        var (status, text) = await Send("wmfci", HttpMethod.Post, Current(changeId, branch) + "submit", new { }, cancellationToken);
        return status == HttpStatusCode.OK ? null : $"{(int)status} {text}";
    }

    public async Task Vote(string changeId, string branch, CancellationToken cancellationToken)
    {
        var change = Current(changeId, branch);
        (await Send("alice", HttpMethod.Post, change + "review", Labels("Code-Review"), cancellationToken)).Status.ShouldBe(HttpStatusCode.OK);
        (await Send("wmfci", HttpMethod.Post, change + "review", Labels("Verified"), cancellationToken)).Status.ShouldBe(HttpStatusCode.OK);
    }

    public Task Fetch(CancellationToken cancellationToken) =>
        Cli.Wrap("git").WithArguments(["--git-dir=" + repository, "fetch", "-q", $"{address}/{Project}", "+refs/heads/t*:refs/landed/t*"])
            .WithEnvironmentVariables(env => env.Set("GIT_TERMINAL_PROMPT", "0")).ExecuteAsync(cancellationToken);

    public void Dispose() => http.Dispose();

    private string Current(string changeId, string branch) => $"changes/{Project}~{branch}~{changeId}/revisions/current/";

    private static object Labels(string label) => new { labels = new Dictionary<string, int>(StringComparer.Ordinal) { [label] = 2 }, notify = "NONE" };

    private async Task<(HttpStatusCode Status, string Text)> Send(string user, HttpMethod method, string path, object body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, $"{address}/a/{path}") { Content = JsonContent.Create(body) };
        request.Headers.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:testbed-{user}")));
        using var response = await http.SendAsync(request, cancellationToken);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(cancellationToken));
    }
}
