using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary><c>/changes/ID/reviewers</c> and the votes below it.</summary>
internal sealed class ReviewerResource(Site site, RestRequest request, Change change)
{
    private readonly ChangeJson json = new(site, request.User, new ChangeOptions(["DETAILED_ACCOUNTS"]));

    public RestAnswer Answer()
    {
        var lifecycle = new Lifecycle(site);
        var path = request.Path.Skip(3).Where(p => p.Length > 0).ToList();
        switch (request.Method, path)
        {
            case ("GET", []): return RestAnswer.Json(json.Reviewers(change));
            case ("GET", [var name]): return RestAnswer.Json(new JsonArray(ChangeJson.Reviewer(change, Reviewer(name), Labels.All)));
            case ("POST", []): return Add(lifecycle);
            case ("DELETE", [var name]): return Remove(lifecycle, name);
            case ("POST", [var name, "delete"]): return Remove(lifecycle, name);
            case ("DELETE", [var name, "votes", var label]): return RemoveVote(lifecycle, name, label);
            case ("POST", [var name, "votes", var label, "delete"]): return RemoveVote(lifecycle, name, label);
            default: throw new RefusedException(405, "Method not allowed");
        }
    }

    private RestAnswer Remove(Lifecycle lifecycle, string name)
    {
        lifecycle.RemoveReviewer(change, request.Who, Reviewer(name));
        return RestAnswer.NoContent;
    }

    private RestAnswer RemoveVote(Lifecycle lifecycle, string name, string label)
    {
        lifecycle.RemoveVote(change, request.Who, Reviewer(name), label);
        return RestAnswer.NoContent;
    }

    private RestAnswer Add(Lifecycle lifecycle)
    {
        var input = request.Input();
        var name = input.Text("reviewer") ?? throw new RefusedException(400, "missing reviewer field");
        if (site.Accounts.Find(name) is not { } account)
        {
            return RestAnswer.Json(new JsonObject
            {
                ["input"] = name,
                ["error"] = $"Account '{name}' not found\n{name} does not identify a registered user or group",
            }, 400);
        }
        var state = input.Text("state") ?? "REVIEWER";
        lifecycle.AddReviewer(change, request.Who, account, state);
        return RestAnswer.Json(Added(change, name, (account, state)));
    }

    /// <summary>What an addition answers; a new reviewer shows every label, a copy only those that it may vote on.</summary>
    public static JsonObject Added(Change change, string name, (Account Account, string State) who)
    {
        var shown = ChangeJson.Reviewer(change, who.Account, Labels.All);
        if (who.State == "REVIEWER")
        {
            var approvals = (JsonObject)shown["approvals"]!;
            foreach (var label in Labels.All) approvals[label.Name] ??= Label.Show(0);
        }
        return new JsonObject { ["input"] = name, [who.State == "CC" ? "ccs" : "reviewers"] = new JsonArray(shown) };
    }

    private Account Reviewer(string name) =>
        (name == "self" ? request.Who : site.Accounts.Find(name)) is { } account && change.Reviewers.ContainsKey(account.Id) ? account : throw RestApi.NotFound(name);
}
