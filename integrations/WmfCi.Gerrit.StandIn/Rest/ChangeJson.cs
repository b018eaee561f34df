using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>Which parts of a change somebody wants.</summary>
internal sealed class ChangeOptions
{
    private static readonly HashSet<string> Known =
    [
        "LABELS", "DETAILED_LABELS", "CURRENT_REVISION", "ALL_REVISIONS", "DOWNLOAD_COMMANDS", "CURRENT_COMMIT", "ALL_COMMITS", "CURRENT_FILES",
        "ALL_FILES", "DETAILED_ACCOUNTS", "REVIEWER_UPDATES", "MESSAGES", "CURRENT_ACTIONS", "CHANGE_ACTIONS", "REVIEWED", "SKIP_DIFFSTAT", "SUBMITTABLE",
        "WEB_LINKS", "CHECK", "COMMIT_FOOTERS", "PUSH_CERTIFICATES", "TRACKING_IDS", "NO-LIMIT", "SUBMIT_REQUIREMENTS", "CUSTOM_KEYED_VALUES", "STAR", "PARENTS",
    ];

    private readonly HashSet<string> wanted;

    public ChangeOptions(IEnumerable<string> names)
    {
        wanted = [.. names.Select(n => n.ToUpperInvariant())];
        if (wanted.FirstOrDefault(n => !Known.Contains(n)) is { } unknown) throw new RefusedException(400, $"\"{unknown}\" is not a valid value for \"-o\"");
    }

    public bool Has(string name) => wanted.Contains(name);

    public ChangeOptions With(params string[] names) => new(wanted.Concat(names));
}

/// <summary>Changes as JSON, in the real server's field names and omissions.</summary>
internal sealed class ChangeJson(Site site, Account? viewer, ChangeOptions options)
{
    public static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss.fffffff") + "00";

    public JsonObject Person(int id) => Person(site.Accounts[id], options.Has("DETAILED_ACCOUNTS"));

    public static JsonObject Person(Account account, bool detailed)
    {
        var person = new JsonObject { ["_account_id"] = account.Id };
        if (!detailed) return person;
        person["name"] = account.FullName;
        person["email"] = account.Email;
        person["username"] = account.UserName;
        if (account.IsService) person["tags"] = new JsonArray("SERVICE_USER");
        return person;
    }

    public JsonObject Of(Change change)
    {
        var json = new JsonObject
        {
            ["id"] = $"{Uri.EscapeDataString(change.Project)}~{change.Number}",
            ["triplet_id"] = $"{Uri.EscapeDataString(change.Project)}~{Uri.EscapeDataString(change.Branch)}~{change.ChangeId}",
            ["project"] = change.Project,
            ["branch"] = change.Branch,
        };
        if (change.Topic is not null) json["topic"] = change.Topic;
        if (change.Attention.Count + change.RemovedAttention.Count > 0)
        {
            json["attention_set"] = Attention(change.Attention);
            json["removed_from_attention_set"] = Attention(change.RemovedAttention);
        }
        json["hashtags"] = new JsonArray([.. change.Hashtags.Select(h => (JsonNode)h)]);
        json["change_id"] = change.ChangeId;
        json["subject"] = change.Subject;
        json["status"] = change.StatusName;
        json["created"] = Time(change.Created);
        json["updated"] = Time(change.Updated);
        if (change.Submitted is { } submitted) json["submitted"] = Time(submitted);
        if (change.Submitter is { } submitter) json["submitter"] = Person(submitter);
        if (change.IsOpen) json["submit_type"] = site.Project(change.Project)?.SubmitType;
        if (change.IsOpen && options.Has("SUBMITTABLE")) json["submittable"] = Labels.Submittable(change);
        json["insertions"] = change.Current.Inserted;
        json["deletions"] = change.Current.Deleted;
        json["total_comment_count"] = change.Comments.Count;
        json["unresolved_comment_count"] = Unresolved(change);
        if (change.WorkInProgress) json["work_in_progress"] = true;
        if (change.Private) json["is_private"] = true;
        json["has_review_started"] = change.ReviewStarted;
        if (change.SubmissionId is not null) json["submission_id"] = change.SubmissionId;
        json["meta_rev_id"] = change.MetaRev;
        json["_number"] = change.Number;
        json["virtual_id_number"] = change.Number;
        json["owner"] = Person(change.Owner);
        AddOptional(json, change);
        return json;
    }

    public JsonArray Messages(Change change) => new([.. change.Messages.Select(m =>
    {
        var json = new JsonObject { ["id"] = m.Id };
        if (m.Tag is not null) json["tag"] = m.Tag;
        json["author"] = Person(m.Author);
        json["date"] = Time(m.Date);
        json["message"] = m.Message;
        json["accounts_in_message"] = new JsonArray();
        json["_revision_number"] = m.PatchSet;
        return (JsonNode)json;
    })]);

    public JsonObject Comments(Change change, int? patchSet = null)
    {
        var byPath = new JsonObject();
        var wanted = change.Comments.Where(c => patchSet is null || c.PatchSet == patchSet);
        foreach (var file in wanted.GroupBy(c => c.Path).OrderBy(g => g.Key, StringComparer.Ordinal))
            byPath[file.Key] = new JsonArray([.. file.OrderBy(c => c.Line ?? 0).Select(c => (JsonNode)Comment(c))]);
        return byPath;
    }

    public JsonArray Reviewers(Change change) => new([.. change.Reviewers.OrderBy(r => r.Key).Where(r => r.Value == "REVIEWER")
        .Select(r => (JsonNode)Reviewer(change, site.Accounts[r.Key], Labels.All))]);

    /// <summary>A reviewer with votes: of every label that the account may vote on, or has voted on.</summary>
    public static JsonObject Reviewer(Change change, Account account, IReadOnlyList<Label> labels)
    {
        var approvals = new JsonObject();
        foreach (var label in labels)
        {
            var vote = change.VoteOf(account.Id, label.Name, change.Current.Number);
            if (vote != 0 || label.Range(account) is not null) approvals[label.Name] = Label.Show(vote);
        }
        var json = new JsonObject { ["approvals"] = approvals };
        foreach (var (name, value) in Person(account, detailed: true).ToList()) json[name] = value?.DeepClone();
        return json;
    }

    public JsonObject AttentionEntry(int account, AttentionEntry entry) =>
        new() { ["account"] = Person(account), ["last_update"] = Time(entry.Since), ["reason"] = entry.Reason };

    private void AddOptional(JsonObject json, Change change)
    {
        var labels = new LabelJson(site, viewer, this);
        if (options.Has("LABELS") || options.Has("DETAILED_LABELS")) labels.AddTo(json, change, options.Has("DETAILED_LABELS"));
        if (options.Has("REVIEWER_UPDATES"))
        {
            json["reviewer_updates"] = new JsonArray([.. change.ReviewerUpdates.Select(u => (JsonNode)new JsonObject
            {
                ["updated"] = Time(u.Updated), ["updated_by"] = Person(u.By), ["reviewer"] = Person(u.Reviewer), ["state"] = u.State,
            })]);
        }
        if (options.Has("MESSAGES")) json["messages"] = Messages(change);
        json["current_revision_number"] = change.Current.Number;
        var revisions = new RevisionJson(this, options);
        if (revisions.Wanted)
        {
            json["current_revision"] = change.Current.Revision;
            json["revisions"] = revisions.Of(change);
        }
        json["requirements"] = new JsonArray();
        json["submit_records"] = labels.SubmitRecords(change);
        if (options.Has("SUBMIT_REQUIREMENTS")) json["submit_requirements"] = LabelJson.SubmitRequirements(change);
        if (options.Has("REVIEWED") && viewer is not null && change.Messages.Exists(m => m.Author == viewer.Id && m.PatchSet == change.Current.Number))
            json["reviewed"] = true;
    }

    private JsonObject Attention(SortedDictionary<int, AttentionEntry> entries)
    {
        var json = new JsonObject();
        foreach (var (account, entry) in entries) json[account.ToString()] = AttentionEntry(account, entry);
        return json;
    }

    private JsonObject Comment(InlineComment comment)
    {
        var json = new JsonObject { ["author"] = Person(site.Accounts[comment.Author], detailed: true) };
        if (comment.Tag is not null) json["tag"] = comment.Tag;
        json["change_message_id"] = comment.ChangeMessageId;
        json["unresolved"] = comment.Unresolved;
        json["patch_set"] = comment.PatchSet;
        json["id"] = comment.Id;
        if (comment.Side == "PARENT") json["side"] = comment.Side;
        if (comment.Line is { } line) json["line"] = line;
        if (comment.Range is { } range)
        {
            json["range"] = new JsonObject
            {
                ["start_line"] = range.StartLine,
                ["start_character"] = range.StartCharacter,
                ["end_line"] = range.EndLine,
                ["end_character"] = range.EndCharacter,
            };
        }
        if (comment.InReplyTo is not null) json["in_reply_to"] = comment.InReplyTo;
        json["updated"] = Time(comment.Updated);
        json["message"] = comment.Message;
        json["commit_id"] = comment.CommitId;
        return json;
    }

    /// <summary>Threads whose last comment is unresolved.</summary>
    private static int Unresolved(Change change)
    {
        var answered = change.Comments.Select(c => c.InReplyTo).OfType<string>().ToHashSet(StringComparer.Ordinal);
        return change.Comments.Count(c => c.Unresolved && !answered.Contains(c.Id));
    }
}
