using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Git;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary><c>/changes/ID/revisions/REV/…</c>.</summary>
internal sealed class RevisionResource(Site site, RestRequest request, Change change)
{
    public async Task<RestAnswer> AnswerAsync(CancellationToken ct)
    {
        if (request.Path.Count < 5) throw new RefusedException(404, "Not Found");
        var patchSet = Find(request.Path[3]);
        var repository = site.Repository(change.Project);
        switch (request.Method, request.Path.Skip(4).Where(p => p.Length > 0).ToList())
        {
            case ("POST", ["review"]): return Review(patchSet);
            case ("POST", ["submit"]):
                await new Submission(site).SubmitAsync(change, patchSet.Revision, request.Who, ct);
                return Show();
            case ("POST", ["rebase"]): return await RebaseAsync(patchSet, ct);
            case ("GET", ["review"]):
                return RestAnswer.Json(new ChangeJson(site, request.User, new ChangeOptions(["DETAILED_LABELS", "DETAILED_ACCOUNTS", "CURRENT_REVISION"])).Of(change));
            case ("GET", ["commit"]): return RestAnswer.Json(RevisionJson.Commit(patchSet.Commit, withId: true));
            case ("GET", ["files"]): return await FilesAsync(repository, patchSet, ct);
            case ("GET", ["files", var path, "content"]):
                return RestAnswer.Base64(await repository.ContentAsync(patchSet.Revision, path, ct) ?? throw RestApi.NotFound(path), "text/plain");
            case ("GET", ["comments"]):
                return RestAnswer.Json(new ChangeJson(site, request.User, new ChangeOptions([])).Comments(change, patchSet.Number));
            case ("GET", ["related"]): return Related(patchSet);
            case ("GET", ["mergeable"]): return await MergeableAsync(repository, patchSet, ct);
            case ("GET", ["patch"]):
                var patch = await repository.RunAsync(["format-patch", "--stdout", "-1", "--no-signature", patchSet.Revision], ct);
                return RestAnswer.Base64(Encoding.UTF8.GetBytes(patch), "application/mbox");
            default: throw RestApi.NotFound(request.Path[4]);
        }
    }

    public async Task<RestAnswer> RebaseAsync(PatchSet patchSet, CancellationToken ct)
    {
        var who = request.Who;
        if (!Rights.MayRebase(who, change)) throw new RefusedException(403, "rebase not permitted");
        Lifecycle.MustBeOpen(change);
        if (patchSet != change.Current) throw new RefusedException(409, $"revision {patchSet.Revision} is not current revision");
        var repository = site.Repository(change.Project);
        var tip = await repository.ResolveAsync("refs/heads/" + change.Branch, ct) ?? throw RestApi.NotFound(change.Branch);
        var commit = patchSet.Commit;
        if (commit.Parents is not [var parent]) throw new RefusedException(409, "Cannot rebase a change with multiple parents.");
        if (site.Facts.Changes.Values.FirstOrDefault(c => c.IsOpen && c.Project == change.Project && c.PatchSets.Exists(p => p.Revision == parent)) is { } below)
        {
            tip = below.Current.Revision;
            if (parent == tip) throw new RefusedException(409, "Change is already based on the latest patch set of the dependent change.");
        }
        if (parent == tip) throw new RefusedException(409, "Change is already up to date.");
        var merged = await new TreeMerge(repository, site.Project(change.Project)!.UseContentMerge).MergeAsync(parent, (tip, commit.Id), ct);
        if (merged.Tree is null)
        {
            throw new RefusedException(409, $"Change {change.Number} could not be rebased due to a conflict during merge.\n\nmerge conflict(s):\n"
                + string.Join('\n', merged.Conflicts));
        }
        var committer = new Signature(who.FullName, who.Email, site.Now.ToUnixTimeSeconds(), 0);
        var id = await repository.WriteCommitAsync(merged.Tree, [tip], (commit.Author, committer), commit.Message, ct);
        await EnterPatchSetAsync(repository, await repository.CommitAsync(id, ct), ct);
        return RestAnswer.Json(new ChangeJson(site, request.User, new ChangeOptions(["CURRENT_REVISION", "CURRENT_COMMIT"])).Of(change));
    }

    private async Task EnterPatchSetAsync(Repository repository, CommitInfo commit, CancellationToken ct)
    {
        var writer = new PatchSetWriter(site, repository, request.Who);
        var magic = MagicBranch.Parse("refs/for/" + change.Branch, []);
        var news = await writer.AddAsync(change, commit, magic, ct);
        var meta = site.Touch(change, request.Who);
        writer.Say(news, magic);
        await repository.CreateRefsAsync([(change.Current.Ref, change.Current.Revision)], ct);
        site.Events.Publish(change, EventShapes.RefUpdated(
            request.Who, change.Project, change.Current.Ref, (CommitInfo.NoRevision, change.Current.Revision), site.Now), meta);
        site.Events.Publish(change, EventShapes.PatchSetCreated(site, change, change.Current));
    }

    private PatchSet Find(string id)
    {
        if (id == "current") return change.Current;
        var found = int.TryParse(id, CultureInfo.InvariantCulture, out var number)
            ? change.PatchSets.Find(p => p.Number == number)
            : change.PatchSets.Find(p => id.Length >= 4 && p.Revision.StartsWith(id, StringComparison.Ordinal));
        return found ?? throw RestApi.NotFound(id);
    }

    private RestAnswer Review(PatchSet patchSet)
    {
        var input = ReviewJson.Parse(request.Input());
        foreach (var (name, _) in input.Reviewers)
            if (site.Accounts.Find(name) is null) throw new RefusedException(400, $"Account '{name}' not found\n{name} does not identify a registered user or group");
        var wasWip = change.WorkInProgress;
        var (labels, added) = new Reviews(site).Post(change, patchSet, request.Who, input);
        var json = new JsonObject();
        if (labels is not null) json["labels"] = new JsonObject(labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value)));
        if (added.Count > 0)
        {
            var reviewers = new JsonObject();
            foreach (var (name, state) in input.Reviewers)
                reviewers[name] = ReviewerResource.Added(change, name, (site.Accounts.Find(name)!, state));
            json["reviewers"] = reviewers;
        }
        if (input.Ready && wasWip) json["ready"] = true;
        json["change_info"] = new ChangeJson(site, request.User, new ChangeOptions([])).Of(change);
        return RestAnswer.Json(json);
    }

    private async Task<RestAnswer> FilesAsync(Repository repository, PatchSet patchSet, CancellationToken ct)
    {
        if (request.First("base") is { } text)
        {
            var @base = Find(text);
            var between = RevisionJson.Files(await repository.FilesAsync(@base.Revision, patchSet.Revision, ct));
            return RestAnswer.Json(between);
        }
        var files = RevisionJson.Files(patchSet.Files);
        files["/COMMIT_MSG"] = RevisionJson.MessageFile(patchSet.Commit);
        return RestAnswer.Json(files);
    }

    private RestAnswer Related(PatchSet patchSet)
    {
        var inBranch = site.Facts.Changes.Values.Where(c => c.Project == change.Project && c.Branch == change.Branch && Rights.MaySee(request.User, c)).ToList();
        var byRevision = inBranch.SelectMany(c => c.PatchSets.Select(p => (Change: c, PatchSet: p))).ToDictionary(p => p.PatchSet.Revision);
        var related = new List<(Change Change, PatchSet PatchSet)>();
        for (var at = patchSet; at is not null;)
        {
            related.Add((byRevision[at.Revision].Change, at));
            at = at.Commit.Parents.Count > 0 && byRevision.TryGetValue(at.Commit.Parents[0], out var parent) && parent.Change.IsOpen ? parent.PatchSet : null;
        }
        for (var at = patchSet.Revision; at is not null;)
        {
            var child = byRevision.Values.Where(p => p.PatchSet.Commit.Parents.Contains(at) && p.Change.IsOpen).OrderByDescending(p => p.PatchSet.Number).FirstOrDefault();
            if (child.Change is null) break;
            related.Insert(0, child);
            at = child.PatchSet.Revision;
        }
        if (related.Count < 2) return RestAnswer.Json(new JsonObject { ["changes"] = new JsonArray() });
        var submittable = request.All("o").Contains("SUBMITTABLE");
        return RestAnswer.Json(new JsonObject { ["changes"] = new JsonArray([.. related.Select(r => (JsonNode)Related(r.Change, r.PatchSet, submittable))]) });
    }

    private static JsonObject Related(Change change, PatchSet patchSet, bool submittable)
    {
        var json = new JsonObject
        {
            ["project"] = change.Project,
            ["change_id"] = change.ChangeId,
            ["commit"] = new JsonObject
            {
                ["commit"] = patchSet.Revision,
                ["parents"] = new JsonArray([.. patchSet.Commit.Parents.Select(p => (JsonNode)new JsonObject { ["commit"] = p })]),
                ["author"] = RevisionJson.Person(patchSet.Commit.Author),
                ["subject"] = patchSet.Commit.Subject,
            },
            ["_change_number"] = change.Number,
            ["_revision_number"] = patchSet.Number,
            ["_current_revision_number"] = change.Current.Number,
            ["status"] = change.StatusName,
        };
        if (submittable) json["submittable"] = Labels.Submittable(change);
        return json;
    }

    private async Task<RestAnswer> MergeableAsync(Repository repository, PatchSet patchSet, CancellationToken ct)
    {
        Lifecycle.MustBeOpen(change);
        var project = site.Project(change.Project)!;
        var tip = await repository.ResolveAsync("refs/heads/" + change.Branch, ct) ?? throw RestApi.NotFound(change.Branch);
        var merged = await repository.IsAncestorAsync(patchSet.Revision, tip, ct);
        var forward = await repository.IsAncestorAsync(tip, patchSet.Revision, ct);
        var mergeable = merged || forward
            || (project.SubmitType != "FAST_FORWARD_ONLY" && (await Submission.MergeTreesAsync(repository, project, (tip, patchSet.Revision), ct)).Tree is not null);
        return RestAnswer.Json(new JsonObject
        {
            ["submit_type"] = project.SubmitType,
            ["strategy"] = project.UseContentMerge ? "recursive" : "simple-two-way-in-core",
            ["mergeable"] = mergeable,
            ["commit_merged"] = merged,
            ["content_merged"] = merged,
        });
    }

    private RestAnswer Show() => RestAnswer.Json(new ChangeJson(site, request.User, new ChangeOptions(request.All("o"))).Of(change));
}
