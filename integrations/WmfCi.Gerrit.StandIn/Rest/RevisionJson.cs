using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>Patch sets, commits and files as JSON.</summary>
internal sealed class RevisionJson(ChangeJson people, ChangeOptions options)
{
    public bool Wanted => options.Has("CURRENT_REVISION") || options.Has("ALL_REVISIONS") || options.Has("CURRENT_COMMIT") || options.Has("ALL_COMMITS")
        || options.Has("CURRENT_FILES") || options.Has("ALL_FILES");

    public JsonObject Of(Change change)
    {
        var json = new JsonObject();
        var all = options.Has("ALL_REVISIONS") || options.Has("ALL_COMMITS") || options.Has("ALL_FILES");
        foreach (var patchSet in all ? change.PatchSets : [change.Current]) json[patchSet.Revision] = Of(change, patchSet);
        return json;
    }

    public static JsonObject Commit(CommitInfo commit, bool withId)
    {
        var json = new JsonObject();
        if (withId) json["commit"] = commit.Id;
        json["parents"] = new JsonArray([.. commit.Parents.Zip(commit.ParentSubjects, (id, subject) => (JsonNode)new JsonObject { ["commit"] = id, ["subject"] = subject })]);
        json["author"] = Person(commit.Author);
        json["committer"] = Person(commit.Committer);
        json["subject"] = commit.Subject;
        json["message"] = commit.Message;
        return json;
    }

    public static JsonObject Person(Signature signature) => new()
    {
        ["name"] = signature.Name,
        ["email"] = signature.Email,
        ["date"] = ChangeJson.Time(DateTimeOffset.FromUnixTimeSeconds(signature.Seconds)),
        ["tz"] = signature.OffsetMinutes,
    };

    public static JsonObject Files(IEnumerable<FileChange> files)
    {
        var json = new JsonObject();
        foreach (var file in files) json[file.Path] = File(file);
        return json;
    }

    /// <summary>The entry of the commit message, which counts as a file of every patch set.</summary>
    public static JsonObject MessageFile(CommitInfo commit)
    {
        var size = commit.Message.Length;
        return new JsonObject { ["status"] = "A", ["lines_inserted"] = commit.MessageLines, ["size_delta"] = size, ["size"] = size };
    }

    private JsonObject Of(Change change, PatchSet patchSet)
    {
        var current = patchSet == change.Current;
        var json = new JsonObject
        {
            ["kind"] = patchSet.Kind,
            ["_number"] = patchSet.Number,
            ["created"] = ChangeJson.Time(patchSet.Created),
            ["uploader"] = people.Person(patchSet.Uploader),
            ["ref"] = patchSet.Ref,
            ["fetch"] = new JsonObject(),
        };
        if (options.Has("ALL_COMMITS") || (current && options.Has("CURRENT_COMMIT"))) json["commit"] = Commit(patchSet.Commit, withId: false);
        json["branch"] = "refs/heads/" + change.Branch;
        if (options.Has("ALL_FILES") || (current && options.Has("CURRENT_FILES"))) json["files"] = Files(patchSet.Files);
        if (patchSet.Description is not null) json["description"] = patchSet.Description;
        return json;
    }

    private static JsonObject File(FileChange file)
    {
        var json = new JsonObject();
        if (file.Status != "M") json["status"] = file.Status == "T" ? "W" : file.Status;
        if (file.OldMode != 0) json["old_mode"] = file.OldMode;
        if (file.NewMode != 0) json["new_mode"] = file.NewMode;
        if (file.OldPath is not null) json["old_path"] = file.OldPath;
        if (file.Binary) json["binary"] = true;
        if (file.Inserted > 0) json["lines_inserted"] = file.Inserted;
        if (file.Deleted > 0) json["lines_deleted"] = file.Deleted;
        json["size_delta"] = file.Size - file.OldSize;
        json["size"] = file.Size;
        return json;
    }
}
