using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>Finds the resource of a call. Every call runs alone against whole facts.</summary>
internal sealed class RestApi(Site site)
{
    private static readonly HashSet<string> Roots = new(StringComparer.Ordinal) { "changes", "projects", "accounts", "groups", "config" };

    /// <summary>Whether a path belongs to REST and not to git or to the pages.</summary>
    public static bool Knows(IReadOnlyList<string> path) => path.Count > 0 && Roots.Contains(path[0]);

    public async Task<RestAnswer> AnswerAsync(RestRequest request, CancellationToken ct)
    {
        try
        {
            return await site.ExclusivelyAsync(() => DispatchAsync(request, ct), ct);
        }
        catch (RefusedException refusal)
        {
            return RestAnswer.Text(refusal.Status, refusal.Message);
        }
    }

    /// <summary>The answer to a call on something that is not there.</summary>
    public static RefusedException NotFound(string what) => new(404, $"Not found: {what}");

    private async Task<RestAnswer> DispatchAsync(RestRequest request, CancellationToken ct) => request.Path[0] switch
    {
        "changes" => await new ChangeResource(site, request).AnswerAsync(ct),
        "projects" => await new ProjectResource(site, request).AnswerAsync(ct),
        "accounts" => Accounts(request),
        "groups" => Groups(request),
        _ => Config(request),
    };

    private static RestAnswer Config(RestRequest request) => request.Path switch
    {
        ["config", "server", "version"] when request.Has("verbose") => RestAnswer.Json(new JsonObject { ["gerrit_version"] = StandInGerrit.GerritVersion, ["note_db_version"] = 185 }),
        ["config", "server", "version"] => RestAnswer.Json(JsonValue.Create(StandInGerrit.GerritVersion)!),
        ["config", "server", "info"] => RestAnswer.Json(new JsonObject
        {
            ["accounts"] = new JsonObject { ["visibility"] = "ALL", ["default_display_name"] = "FULL_NAME" },
            ["auth"] = new JsonObject { ["auth_type"] = "DEVELOPMENT_BECOME_ANY_ACCOUNT", ["git_basic_auth_policy"] = "HTTP" },
            ["change"] = new JsonObject { ["update_delay"] = 300, ["mergeability_computation_behavior"] = "NEVER" },
            ["gerrit"] = new JsonObject { ["all_projects"] = "All-Projects", ["all_users"] = "All-Users", ["doc_search"] = false },
            ["note_db_enabled"] = true,
            ["user"] = new JsonObject { ["anonymous_coward_name"] = "Name of user not set" },
            ["receive"] = new JsonObject { ["enable_signed_push"] = false },
            ["submit_requirement_dashboard_columns"] = new JsonArray(),
        }),
        _ => throw new RefusedException(404, "Not Found"),
    };

    private RestAnswer Accounts(RestRequest request)
    {
        if (request.Path.Count == 1 || request.Path is [_, ""])
        {
            var query = request.First("q") ?? "";
            var text = query.StartsWith("email:", StringComparison.Ordinal) || query.StartsWith("username:", StringComparison.Ordinal)
                ? query[(query.IndexOf(':', StringComparison.Ordinal) + 1)..] : query;
            var found = site.Accounts.All.Where(a => site.Accounts.Find(text) == a || (query == text && text.Length > 0 && a.UserName.StartsWith(text, StringComparison.Ordinal)));
            return RestAnswer.Json(new JsonArray([.. found.Select(a => (JsonNode)ChangeJson.Person(a, request.All("o").Contains("DETAILS")))]));
        }
        var name = request.Path[1];
        var account = name == "self"
            ? request.Who
            : site.Accounts.Find(name) ?? throw new RefusedException(404, $"Account '{name}' not found");
        return request.Path switch
        {
            [_, _] => RestAnswer.Json(ChangeJson.Person(account, detailed: true)),
            [_, _, "detail"] => RestAnswer.Json(Detail(account, request.User)),
            [_, _, "capabilities"] => RestAnswer.Json(Capabilities(account)),
            [_, _, "groups"] => RestAnswer.Json(account == request.User && account.Group.Length > 0 ? new JsonArray(new JsonObject { ["name"] = account.Group }) : []),
            [_, _, "name"] => RestAnswer.Json(JsonValue.Create(account.FullName)!),
            [_, _, "username"] => RestAnswer.Json(JsonValue.Create(account.UserName)!),
            _ => throw new RefusedException(404, "Not Found"),
        };
    }

    private JsonObject Detail(Account account, Account? viewer)
    {
        var json = new JsonObject { ["registered_on"] = ChangeJson.Time(site.Started) };
        foreach (var (name, value) in ChangeJson.Person(account, detailed: true).ToList())
        {
            if (name == "username" && account == viewer) json["secondary_emails"] = new JsonArray();
            json[name] = value?.DeepClone();
        }
        return json;
    }

    private static JsonObject Capabilities(Account account)
    {
        var json = new JsonObject { ["emailReviewers"] = true };
        if (account.IsAdministrator) json["administrateServer"] = true;
        if (Rights.MayCreateProject(account)) json["createProject"] = true;
        if (Rights.MayStream(account)) json["streamEvents"] = true;
        json["queryLimit"] = new JsonObject { ["min"] = 0, ["max"] = ChangeResource.MaxListed };
        return json;
    }

    private RestAnswer Groups(RestRequest request)
    {
        // Groups show themselves to their members and to administrators only.
        if (request.Path is not [_, var name, "members" or "members."]) throw new RefusedException(404, "Not Found");
        var members = site.Accounts.All.Where(a => a.Group == name && name.Length > 0).ToList();
        if (members.Count == 0 || !(request.User?.IsAdministrator == true || members.Contains(request.User!))) throw new RefusedException(404, name);
        return RestAnswer.Json(new JsonArray([.. members.Select(a => (JsonNode)ChangeJson.Person(a, detailed: true))]));
    }
}
