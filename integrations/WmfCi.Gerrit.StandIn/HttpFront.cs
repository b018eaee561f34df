using System.Text;
using Microsoft.AspNetCore.Http.Features;
using WmfCi.Gerrit.StandIn.Git;
using WmfCi.Gerrit.StandIn.Model;
using WmfCi.Gerrit.StandIn.Pages;
using WmfCi.Gerrit.StandIn.Rest;

namespace WmfCi.Gerrit.StandIn;

/// <summary>
/// Sorts what comes over HTTP: git, REST, pages. It reads the raw address, because project and branch names carry encoded slashes that the
/// framework's own routing takes apart.
/// </summary>
internal sealed class HttpFront(Site site, Faults faults)
{
    private const int MaxBody = 16 * 1024 * 1024;
    private readonly RestApi rest = new(site);
    private readonly SmartHttp git = new(site);
    private readonly ChangePages pages = new(site);
    private readonly Lock gate = new();
    private readonly TaskCompletionSource idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int handling;
    private bool closing;

    public async Task HandleAsync(HttpContext context)
    {
        lock (gate)
        {
            if (closing) return;
            handling++;
        }
        try
        {
            await AnswerAsync(context);
        }
        finally
        {
            lock (gate)
            {
                if (--handling == 0 && closing) idle.TrySetResult();
            }
        }
    }

    /// <summary>Takes no more requests, and is done when the last one is: those whose callers have gone away are still finished.</summary>
    public Task CloseAsync()
    {
        lock (gate)
        {
            closing = true;
            if (handling == 0) idle.TrySetResult();
            return idle.Task;
        }
    }

    private async Task AnswerAsync(HttpContext context)
    {
        var raw = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        var question = raw.IndexOf('?', StringComparison.Ordinal);
        var (rawPath, rawQuery) = question < 0 ? (raw, "") : (raw[..question], raw[question..]);
        var path = rawPath.Split('/').Skip(1).Select(Uri.UnescapeDataString).ToList();
        var authenticated = path is ["a", _, ..];
        if (authenticated) path.RemoveAt(0);
        var (user, wrong) = LogIn(context.Request);
        var query = Query(rawQuery);
        var service = query.FirstOrDefault(q => q.Key == "service").Value;
        var toGit = SmartHttp.Match(path, service);
        var body = toGit is null ? await BodyAsync(context.Request, context.RequestAborted) : "";
        if (body is null)
        {
            await RestAnswer.Text(413, "Request Entity Too Large").SendAsync(context.Response, context.RequestAborted);
            return;
        }
        var shownPath = authenticated ? rawPath[2..] : rawPath;
        var fault = faults.Take(new StandInRequest(context.Request.Method, shownPath, rawQuery, user?.UserName, body));
        if (fault?.Status is { } status)
        {
            if (fault.RetryAfter is { } wait) context.Response.Headers.RetryAfter = ((int)wait.TotalSeconds).ToString();
            await RestAnswer.Text(status, "refused by order").SendAsync(context.Response, context.RequestAborted);
            return;
        }
        RestAnswer? answer;
        try
        {
            if (wrong || (authenticated && user is null)) answer = RestAnswer.Unauthorized;
            else if (toGit is { } wanted) answer = await git.AnswerAsync(context, wanted, user);
            else if (RestApi.Knows(path)) answer = await RestAsync(new RestRequest(context.Request.Method, path, query, body, user));
            else answer = await pages.AnswerAsync(context, path, body);
        }
        catch (GitFailedException e)
        {
            answer = RestAnswer.Text(500, "git failed: " + e.Message.Trim());
        }
        if (fault is not null) context.Abort();
        else if (answer is not null) await answer.SendAsync(context.Response, context.RequestAborted);
    }

    private async Task<RestAnswer> RestAsync(RestRequest request)
    {
        if (request.User is null && (!site.Options.AnonymousRead || request.Method is not ("GET" or "HEAD"))) return RestAnswer.Text(403, "Authentication required");
        // What has been begun is finished even when the caller goes away, as the real server does.
        return await rest.AnswerAsync(request, CancellationToken.None);
    }

    private (Account? User, bool Wrong) LogIn(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        if (!header.StartsWith("Basic ", StringComparison.OrdinalIgnoreCase)) return (null, false);
        try
        {
            var pair = Encoding.UTF8.GetString(Convert.FromBase64String(header[6..].Trim())).Split(':', 2);
            var user = pair.Length == 2 ? site.Accounts.Authenticate(pair[0], pair[1]) : null;
            return (user, user is null);
        }
        catch (FormatException)
        {
            return (null, true);
        }
    }

    private static List<KeyValuePair<string, string>> Query(string raw) =>
        [.. raw.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries).Select(part =>
        {
            var pair = part.Split('=', 2);
            return KeyValuePair.Create(Decode(pair[0]), pair.Length == 2 ? Decode(pair[1]) : "");
        })];

    private static string Decode(string text) => Uri.UnescapeDataString(text.Replace('+', ' '));

    private static async Task<string?> BodyAsync(HttpRequest request, CancellationToken ct)
    {
        if (request.ContentLength > MaxBody) return null;
        using var buffer = new MemoryStream();
        var part = new byte[8192];
        while (await request.Body.ReadAsync(part, ct) is > 0 and var read)
        {
            await buffer.WriteAsync(part.AsMemory(0, read), ct);
            if (buffer.Length > MaxBody) return null;
        }
        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }
}
