using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>Labels, votes, what the caller may vote, and the submit requirements.</summary>
internal sealed class LabelJson(Site site, Account? viewer, ChangeJson people)
{
    public void AddTo(JsonObject json, Change change, bool detailed)
    {
        var labels = new JsonObject();
        foreach (var label in Labels.All) labels[label.Name] = OfLabel(change, label, detailed);
        json["labels"] = labels;
        if (detailed)
        {
            json["permitted_labels"] = Permitted(change);
            json["removable_labels"] = Removable(change);
        }
        json["removable_reviewers"] = new JsonArray([.. change.Reviewers.Keys.Order().Where(r => MayRemove(change, r)).Select(r => (JsonNode)people.Person(r))]);
        var reviewers = new JsonObject();
        foreach (var state in new[] { "REVIEWER", "CC" })
        {
            var those = change.Reviewers.Where(r => r.Value == state).Select(r => r.Key).Order().ToList();
            if (those.Count > 0) reviewers[state] = new JsonArray([.. those.Select(r => (JsonNode)people.Person(r))]);
        }
        json["reviewers"] = reviewers;
        json["pending_reviewers"] = new JsonObject();
    }

    public JsonArray SubmitRecords(Change change)
    {
        if (change.Status == ChangeStatus.Abandoned) return [];
        var rows = new JsonArray();
        foreach (var label in Labels.All)
        {
            var best = Votes(change, label).Where(v => v.Value == label.Max).OrderBy(v => v.Date).FirstOrDefault();
            var worst = Votes(change, label).FirstOrDefault(v => v.Value == label.Min);
            var by = label.Optional ? Votes(change, label).LastOrDefault() : worst ?? best;
            var row = new JsonObject
            {
                ["label"] = label.Name,
                ["status"] = label.Optional ? "MAY" : worst is not null ? "REJECT" : best is not null ? "OK" : "NEED",
            };
            if (by is not null) row["applied_by"] = people.Person(by.Account);
            rows.Add(row);
        }
        var status = change.Status == ChangeStatus.Merged ? "CLOSED" : Labels.Satisfied(change, Labels.CodeReview) ? "OK" : "NOT_READY";
        return [new JsonObject { ["rule_name"] = "gerrit~DefaultSubmitRule", ["status"] = status, ["labels"] = rows }];
    }

    public static JsonArray SubmitRequirements(Change change)
    {
        var verified = Requirement(change, Labels.Verified, " AND ");
        verified["description"] = "The tests passed";
        return [verified, Requirement(change, Labels.CodeReview, " ")];
    }

    private static JsonObject Requirement(Change change, Label label, string and)
    {
        var satisfied = Labels.Satisfied(change, label);
        var max = $"label:{label.Name}=MAX";
        var min = $"label:{label.Name}=MIN";
        var hasMax = Votes(change, label).Any(v => v.Value == label.Max);
        var legacy = label == Labels.CodeReview;
        string[] passing = legacy ? satisfied ? [max, "-" + min] : [] : hasMax ? [max] : [];
        string[] failing = legacy ? satisfied ? [] : [max, "-" + min] : hasMax ? [min] : [max, min];
        return new JsonObject
        {
            ["name"] = label.Name,
            ["status"] = satisfied ? "SATISFIED" : "UNSATISFIED",
            ["is_legacy"] = legacy,
            ["submittability_expression_result"] = new JsonObject
            {
                ["expression"] = $"{max}{and}-{min}",
                ["fulfilled"] = satisfied,
                ["status"] = satisfied ? "PASS" : "FAIL",
                ["passing_atoms"] = new JsonArray([.. passing.Select(a => (JsonNode)a)]),
                ["failing_atoms"] = new JsonArray([.. failing.Select(a => (JsonNode)a)]),
            },
        };
    }

    private static IEnumerable<Vote> Votes(Change change, Label label) => change.VotesOn(change.Current.Number).Where(v => v.Label == label.Name);

    private JsonObject OfLabel(Change change, Label label, bool detailed)
    {
        var json = new JsonObject();
        var votes = Votes(change, label).ToList();
        if (votes.Find(v => v.Value == label.Min) is { } rejected) json["rejected"] = people.Person(rejected.Account);
        else if (votes.Find(v => v.Value == label.Max) is { } approved && change.IsOpen) json["approved"] = people.Person(approved.Account);
        else if (votes.Find(v => v.Value < 0) is { } disliked) json["disliked"] = people.Person(disliked.Account);
        else if (votes.Find(v => v.Value > 0 && v.Value < label.Max) is { } recommended) json["recommended"] = people.Person(recommended.Account);
        var all = new JsonArray();
        var voters = change.Reviewers.Where(r => r.Value == "REVIEWER").Select(r => r.Key).Union(votes.Select(v => v.Account)).OrderDescending();
        foreach (var account in voters) all.Add(OfVoter(change, label, site.Accounts[account], detailed));
        if (all.Count > 0) json["all"] = all;
        var values = new JsonObject();
        foreach (var (value, text) in label.Values) values[Label.Show(value)] = text;
        json["values"] = values;
        json["description"] = "";
        if (votes.Find(v => v.Value < 0 && v.Value > label.Min) is { } low) json["value"] = low.Value;
        else if (votes.Count > 0 && votes.TrueForAll(v => v.Value > 0 && v.Value < label.Max)) json["value"] = votes[0].Value;
        json["default_value"] = 0;
        if (label.Optional) json["optional"] = true;
        return json;
    }

    private JsonObject OfVoter(Change change, Label label, Account account, bool detailed)
    {
        var json = new JsonObject();
        var vote = change.VotesOn(change.Current.Number).FirstOrDefault(v => v.Account == account.Id && v.Label == label.Name);
        if (vote?.Tag is not null) json["tag"] = vote.Tag;
        if (vote is not null || (detailed && label.Range(account) is not null)) json["value"] = vote?.Value ?? 0;
        if (vote is not null) json["date"] = ChangeJson.Time(vote.Date);
        if (detailed && label.Range(account) is var (min, max)) json["permitted_voting_range"] = new JsonObject { ["min"] = min, ["max"] = max };
        foreach (var (name, value) in people.Person(account.Id).ToList()) json[name] = value?.DeepClone();
        return json;
    }

    private JsonObject Permitted(Change change)
    {
        var permitted = new JsonObject();
        if (viewer is null || !change.IsOpen) return permitted;
        foreach (var label in Labels.All)
        {
            if (label.Range(viewer) is not var (min, max)) continue;
            permitted[label.Name] = new JsonArray([.. Enumerable.Range(min, max - min + 1).Select(v => (JsonNode)Label.Show(v))]);
        }
        return permitted;
    }

    private JsonObject Removable(Change change)
    {
        var removable = new JsonObject();
        if (viewer is null || !change.IsOpen) return removable;
        foreach (var vote in change.VotesOn(change.Current.Number).Where(v => Rights.MayRemoveVote(viewer, change, v)))
        {
            var label = removable[vote.Label] as JsonObject ?? [];
            removable[vote.Label] = label;
            var those = label[Label.Show(vote.Value)] as JsonArray ?? [];
            label[Label.Show(vote.Value)] = those;
            those.Add(people.Person(vote.Account));
        }
        return removable;
    }

    private bool MayRemove(Change change, int reviewer) =>
        viewer is not null && change.IsOpen && (viewer.Id == reviewer || viewer.Id == change.Owner || viewer.IsAdministrator);
}
