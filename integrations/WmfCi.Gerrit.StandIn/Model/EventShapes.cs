using System.Text.Json.Nodes;

namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>The lines of <c>gerrit stream-events</c>: field names and omissions as the real server writes them.</summary>
internal static class EventShapes
{
    public static JsonObject RefUpdated(Account? submitter, string project, string refName, (string Old, string New) revisions, DateTimeOffset now)
    {
        var line = new JsonObject();
        if (submitter is not null) line["submitter"] = Person(submitter);
        line["refUpdate"] = new JsonObject { ["oldRev"] = revisions.Old, ["newRev"] = revisions.New, ["refName"] = refName, ["project"] = project };
        return End(line, "ref-updated", now);
    }

    public static JsonObject ProjectCreated(string project, string head, DateTimeOffset now) =>
        End(new JsonObject { ["projectName"] = project, ["headName"] = head }, "project-created", now);

    public static JsonObject ProjectHeadUpdated(string project, string oldHead, string newHead, DateTimeOffset now) =>
        End(new JsonObject { ["projectName"] = project, ["oldHead"] = oldHead, ["newHead"] = newHead }, "project-head-updated", now);

    public static JsonObject PatchSetCreated(Site site, Change change, PatchSet patchSet) =>
        OnPatchSet(site, change, patchSet, "patchset-created", new JsonObject { ["uploader"] = Person(site.Accounts[patchSet.Uploader]) });

    /// <summary>A review. <paramref name="comment"/> is null when votes came with a push; <paramref name="approvals"/> when the change is merged.</summary>
    public static JsonObject CommentAdded(Site site, Change change, PatchSet patchSet, Account author, JsonArray? approvals, string? comment)
    {
        var line = new JsonObject { ["author"] = Person(author) };
        if (approvals is not null) line["approvals"] = approvals;
        if (comment is not null) line["comment"] = comment;
        return OnPatchSet(site, change, patchSet, "comment-added", line);
    }

    /// <summary>An event about a patch set whose own fields stand first: <c>change-merged</c>, <c>reviewer-added</c> and so on.</summary>
    public static JsonObject OnPatchSet(Site site, Change change, PatchSet patchSet, string type, JsonObject line)
    {
        line["patchSet"] = PatchSet(site, patchSet);
        return OnChange(site, change, type, line);
    }

    /// <summary>An event about a change as a whole.</summary>
    public static JsonObject OnChange(Site site, Change change, string type, JsonObject line)
    {
        line["change"] = Change(site, change);
        line["project"] = change.Project;
        line["refName"] = "refs/heads/" + change.Branch;
        line["changeKey"] = new JsonObject { ["id"] = change.ChangeId };
        return End(line, type, site.Now);
    }

    /// <summary>The commenter's votes; <c>oldValue</c> only where a vote changed.</summary>
    public static JsonArray Approvals(Func<Label, (int Value, int? Old)> voteOf) =>
        new([.. Labels.InEvents.Select(label =>
        {
            var (value, old) = voteOf(label);
            return (JsonNode)Approval(label.Name, value, old);
        })]);

    public static JsonObject Approval(string label, int value, int? old)
    {
        var approval = new JsonObject { ["type"] = label, ["description"] = label, ["value"] = value.ToString() };
        if (old is not null) approval["oldValue"] = old.Value.ToString();
        return approval;
    }

    public static JsonObject Person(Account account) =>
        new() { ["name"] = account.FullName, ["email"] = account.Email, ["username"] = account.UserName };

    public static JsonObject PatchSet(Site site, PatchSet patchSet)
    {
        var author = patchSet.Commit.Author;
        return new JsonObject
        {
            ["number"] = patchSet.Number,
            ["revision"] = patchSet.Revision,
            ["parents"] = new JsonArray([.. patchSet.Commit.Parents.Select(p => (JsonNode)p)]),
            ["ref"] = patchSet.Ref,
            ["uploader"] = Person(site.Accounts[patchSet.Uploader]),
            ["createdOn"] = patchSet.Created.ToUnixTimeSeconds(),
            ["author"] = site.Accounts.WithEmail(author.Email) is { } known
                ? Person(known)
                : new JsonObject { ["name"] = author.Name, ["email"] = author.Email, ["username"] = "" },
            ["kind"] = patchSet.Kind,
            ["sizeInsertions"] = patchSet.Inserted + patchSet.Commit.MessageLines,
            ["sizeDeletions"] = patchSet.Deleted,
        };
    }

    public static JsonObject Change(Site site, Change change)
    {
        var shape = new JsonObject { ["project"] = change.Project, ["branch"] = change.Branch };
        if (change.Topic is not null) shape["topic"] = change.Topic;
        shape["id"] = change.ChangeId;
        shape["number"] = change.Number;
        shape["subject"] = change.Subject;
        shape["owner"] = Person(site.Accounts[change.Owner]);
        shape["url"] = site.AddressOf(change);
        shape["commitMessage"] = change.Current.Commit.Message;
        if (change.Hashtags.Count > 0) shape["hashtags"] = new JsonArray([.. change.Hashtags.Select(h => (JsonNode)h)]);
        shape["createdOn"] = change.Created.ToUnixTimeSeconds();
        shape["status"] = change.StatusName;
        if (change.Private) shape["private"] = true;
        if (change.WorkInProgress) shape["wip"] = true;
        return shape;
    }

    private static JsonObject End(JsonObject line, string type, DateTimeOffset now)
    {
        line["type"] = type;
        line["eventCreatedOn"] = now.ToUnixTimeSeconds();
        return line;
    }
}
