using System.Globalization;
using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary><c>/changes/</c>: queries, and calls on one change.</summary>
internal sealed class ChangeResource(Site site, RestRequest request)
{
    /// <summary>The most changes in one answer, as the real server's default query limit.</summary>
    public const int MaxListed = 500;
    private const int DefaultListed = 500;

    private static readonly string[] DetailOptions = ["DETAILED_LABELS", "DETAILED_ACCOUNTS", "MESSAGES", "REVIEWER_UPDATES"];
    private readonly Lifecycle lifecycle = new(site);

    public async Task<RestAnswer> AnswerAsync(CancellationToken ct)
    {
        if (request.Path.Count == 1 || request.Path is [_, ""]) return Query();
        var change = Find(request.Path[1]);
        if (request.Path.Count == 2)
        {
            if (request.Method == "GET") return Show(change, Options());
            if (request.Method != "DELETE") throw MethodNotAllowed();
            await lifecycle.DeleteAsync(change, request.Who, ct);
            return RestAnswer.NoContent;
        }
        return request.Path[2] switch
        {
            "revisions" => await new RevisionResource(site, request, change).AnswerAsync(ct),
            "reviewers" => new ReviewerResource(site, request, change).Answer(),
            "submit" when request.Method == "POST" => await SubmitAsync(change, ct),
            "rebase" when request.Method == "POST" => await new RevisionResource(site, request, change).RebaseAsync(change.Current, ct),
            _ => request.Method switch
            {
                "GET" => Get(change),
                "POST" => Post(change),
                "PUT" => Put(change),
                "DELETE" => Delete(change),
                _ => throw MethodNotAllowed(),
            },
        };
    }

    /// <summary>A change by number, <c>project~number</c>, triplet or Change-Id; what one may not see is not there.</summary>
    private Change Find(string id)
    {
        var all = site.Facts.Changes.Values.Where(c => Rights.MaySee(request.User, c));
        var found = id.Split('~') switch
        {
            [var number] when int.TryParse(number, CultureInfo.InvariantCulture, out var n) => all.Where(c => c.Number == n),
            [var changeId] => all.Where(c => c.ChangeId == changeId),
            [var project, var number] when int.TryParse(number, CultureInfo.InvariantCulture, out var n) => all.Where(c => c.Project == project && c.Number == n),
            [var project, var branch, var changeId] => all.Where(c => c.Project == project && c.Branch == Short(branch) && c.ChangeId == changeId),
            _ => [],
        };
        return found.ToList() switch
        {
            [var one] => one,
            [] => throw RestApi.NotFound(id),
            _ => throw new RefusedException(404, $"Multiple changes found for {id}"),
        };
    }

    private RestAnswer Query()
    {
        var options = Options();
        var limit = Math.Min(request.Number("n", DefaultListed) is 0 ? DefaultListed : request.Number("n", DefaultListed), MaxListed);
        var skip = request.Number(request.Has("S") ? "S" : "start", 0);
        var queries = request.All("q").DefaultIfEmpty("status:open").Select(q => Run(q, options, (skip, limit))).ToList();
        return RestAnswer.Json(queries.Count == 1 ? queries[0] : new JsonArray([.. queries]));
    }

    private JsonArray Run(string query, ChangeOptions options, (int Skip, int Limit) page)
    {
        var matches = ChangeQuery.Parse(site, request.User, query);
        var found = site.Facts.Changes.Values.Where(matches).OrderByDescending(c => c.Updated).ThenByDescending(c => c.Number).Skip(page.Skip).ToList();
        var json = new ChangeJson(site, request.User, options);
        var list = new JsonArray([.. found.Take(page.Limit).Select(c => (JsonNode)json.Of(c))]);
        if (found.Count > page.Limit && list.Count > 0) list[^1]!["_more_changes"] = true;
        return list;
    }

    private RestAnswer Get(Change change)
    {
        var json = new ChangeJson(site, request.User, new ChangeOptions(["DETAILED_ACCOUNTS"]));
        return request.Path[2] switch
        {
            "detail" => Show(change, Options().With(DetailOptions)),
            "messages" when request.Path.Count == 3 => RestAnswer.Json(json.Messages(change)),
            "comments" => RestAnswer.Json(json.Comments(change)),
            "robotcomments" or "drafts" => RestAnswer.Json(new JsonObject()),
            "topic" => RestAnswer.Json(JsonValue.Create(change.Topic ?? "")!),
            "hashtags" => Hashtags(change),
            "attention" => RestAnswer.Json(new JsonArray([.. change.Attention.Select(a => (JsonNode)json.AttentionEntry(a.Key, a.Value))])),
            "submitted_together" => RestAnswer.Json(request.All("o").Contains("NON_VISIBLE_CHANGES")
                ? new JsonObject { ["changes"] = new JsonArray(), ["non_visible_changes"] = 0 } : new JsonArray()),
            _ => throw new RefusedException(404, $"Not found: {request.Path[2]}"),
        };
    }

    private RestAnswer Post(Change change)
    {
        var input = request.Input();
        var who = request.Who;
        switch (request.Path[2])
        {
            case "abandon": lifecycle.Abandon(change, who, input.Text("message") ?? ""); return Show(change, Options());
            case "restore": lifecycle.Restore(change, who, input.Text("message") ?? ""); return Show(change, Options());
            case "wip": lifecycle.SetWip(change, who, true, input.Text("message") ?? ""); return RestAnswer.Json(JsonValue.Create("")!);
            case "ready": lifecycle.SetWip(change, who, false, input.Text("message") ?? ""); return RestAnswer.Json(JsonValue.Create("")!);
            case "private":
                return RestAnswer.Json(JsonValue.Create("")!, lifecycle.SetPrivate(change, who, true, input.Text("message") ?? "") ? 201 : 200);
            case "private.delete": lifecycle.SetPrivate(change, who, false, input.Text("message") ?? ""); return RestAnswer.NoContent;
            case "hashtags":
                lifecycle.SetHashtags(change, who, input.List("add").Select(t => t.ToString()), input.List("remove").Select(t => t.ToString()));
                return Hashtags(change);
            case "attention": return Attention(change, input, who);
            default: throw RestApi.NotFound(request.Path[2]);
        }
    }

    private RestAnswer Put(Change change)
    {
        if (request.Path[2] != "topic") throw RestApi.NotFound(request.Path[2]);
        var topic = request.Input().Text("topic");
        lifecycle.SetTopic(change, request.Who, topic);
        return string.IsNullOrWhiteSpace(topic) ? RestAnswer.NoContent : RestAnswer.Json(JsonValue.Create(topic.Trim())!);
    }

    private RestAnswer Delete(Change change)
    {
        switch (request.Path[2])
        {
            case "topic": lifecycle.SetTopic(change, request.Who, null); return RestAnswer.NoContent;
            case "private": lifecycle.SetPrivate(change, request.Who, false, ""); return RestAnswer.NoContent;
            case "attention" when request.Path.Count == 4:
                lifecycle.RemoveAttention(change, request.Who, Account(request.Path[3]), request.Input().Text("reason") ?? "");
                return RestAnswer.NoContent;
            default: throw RestApi.NotFound(request.Path[2]);
        }
    }

    private RestAnswer Attention(Change change, JsonObject input, Account who)
    {
        var reason = input.Text("reason");
        if (string.IsNullOrWhiteSpace(reason)) throw new RefusedException(400, "missing field: reason");
        var whom = Account(input.Text("user") ?? throw new RefusedException(400, "missing field: user"));
        if (request.Path.Count == 5)
        {
            lifecycle.RemoveAttention(change, who, whom, reason);
            return RestAnswer.NoContent;
        }
        lifecycle.AddAttention(change, who, whom, reason);
        return RestAnswer.Json(ChangeJson.Person(whom, detailed: true));
    }

    private async Task<RestAnswer> SubmitAsync(Change change, CancellationToken ct)
    {
        await new Submission(site).SubmitAsync(change, null, request.Who, ct);
        return Show(change, Options());
    }

    private static RestAnswer Hashtags(Change change) => RestAnswer.Json(new JsonArray([.. change.Hashtags.Select(h => (JsonNode)h)]));

    private ChangeOptions Options() => new(request.All("o"));

    private RestAnswer Show(Change change, ChangeOptions options) => RestAnswer.Json(new ChangeJson(site, request.User, options).Of(change));

    private Account Account(string name) =>
        name == "self" ? request.Who : site.Accounts.Find(name) ?? throw new RefusedException(422, $"Account '{name}' not found");

    private static string Short(string branch) => branch.StartsWith("refs/heads/", StringComparison.Ordinal) ? branch["refs/heads/".Length..] : branch;

    private static RefusedException MethodNotAllowed() => new(405, "Method not allowed");
}
