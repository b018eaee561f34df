using WmfCi.Gerrit.StandIn.Model;
using WmfCi.Gerrit.StandIn.Rest;

namespace WmfCi.Gerrit.StandIn.Pages;

/// <summary>The pages for people.</summary>
internal sealed class ChangePages(Site site)
{
    public Task<RestAnswer> AnswerAsync(HttpContext context, IReadOnlyList<string> path, (IReadOnlyList<KeyValuePair<string, string>> Query, string Body) asked)
    {
        _ = (site, context, path, asked);
        return Task.FromResult(RestAnswer.Text(404, "Not Found"));
    }
}
