using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Git;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary><c>/projects/</c>.</summary>
internal sealed class ProjectResource(Site site, RestRequest request)
{
    private const string Heads = "refs/heads/";

    public async Task<RestAnswer> AnswerAsync(CancellationToken ct)
    {
        if (request.Path.Count == 1 || request.Path is [_, ""]) return await ListAsync(ct);
        var name = request.Path[1];
        if (request is { Method: "PUT", Path.Count: 2 }) return await CreateAsync(name, ct);
        var project = site.Project(name) ?? throw RestApi.NotFound(name);
        var repository = site.Repository(name);
        switch (request.Method, request.Path.Skip(2).Where(p => p.Length > 0).ToList())
        {
            case ("GET", []): return RestAnswer.Json(Show(project));
            case ("GET", ["config"]): return RestAnswer.Json(Config(project));
            case ("GET", ["HEAD"]): return RestAnswer.Json(JsonValue.Create(await repository.HeadAsync(ct))!);
            case ("PUT", ["HEAD"]): return await SetHeadAsync(project, repository, ct);
            case ("GET", ["branches"]): return await BranchesAsync(repository, ct);
            case ("GET", ["branches", var branch]): return await BranchAsync(repository, branch, ct);
            case ("PUT", ["branches", var branch]): return await CreateBranchAsync(project, repository, branch, ct);
            case ("GET", ["commits", var id]):
                var commit = id.Length == 40 ? await repository.ResolveAsync(id, ct) : null;
                return RestAnswer.Json(RevisionJson.Commit(await repository.CommitAsync(commit ?? throw RestApi.NotFound(id), ct), withId: true));
            case ("GET", ["branches", var branch, "files", var path, "content"]):
                return RestAnswer.Base64(await repository.ContentAsync(Heads + Short(branch), path, ct) ?? throw RestApi.NotFound(path), "text/plain");
            default: throw RestApi.NotFound(request.Path[2]);
        }
    }

    /// <summary>Makes a project; also used at start. The name becomes a path below the folder of repositories, so it is checked.</summary>
    public static async Task CreateAsync(Site site, Account? creator, Project project, (string Branch, bool FirstCommit) start, CancellationToken ct)
    {
        if (!IsProjectName(project.Name)) throw new RefusedException(400, $"invalid project name: {project.Name}");
        var repository = await Repository.CreateAsync(site.Repository(project.Name).Folder, start.Branch, ct);
        site.Facts.Projects[project.Name] = project;
        site.Touch();
        if (start.FirstCommit)
        {
            var tree = (await repository.RunAsync(["mktree"], ct, "")).Trim();
            var server = new Signature("Gerrit Code Review", "root@localhost", site.Now.ToUnixTimeSeconds(), 0);
            var commit = await repository.WriteCommitAsync(tree, [], (server, server), "Initial empty repository\n", ct);
            await repository.UpdateRefAsync(Heads + start.Branch, commit, CommitInfo.NoRevision, ct);
            site.Events.Publish(null, EventShapes.RefUpdated(creator, project.Name, Heads + start.Branch, (CommitInfo.NoRevision, commit), site.Now));
        }
        site.Events.Publish(null, EventShapes.ProjectCreated(project.Name, Heads + start.Branch, site.Now));
    }

    /// <summary>Whether a name can be a project: folders of letters, digits, '.', '_', '-', none of them hidden or ending in .git.</summary>
    public static bool IsProjectName(string name) =>
        name.Length is > 0 and <= 200 && name.Split('/').All(part => part.Length > 0 && part[0] is not ('.' or '-')
            && part.All(c => !char.IsControl(c) && c is not ('\\' or '?' or '%' or '*' or ':' or '<' or '>' or '|' or '$' or '\r' or '~' or '"')) && part == part.Trim()
            && !part.EndsWith(".git", StringComparison.Ordinal));

    private async Task<RestAnswer> CreateAsync(string name, CancellationToken ct)
    {
        if (!Rights.MayCreateProject(request.Who)) throw new RefusedException(403, "create project not permitted");
        if (site.Project(name) is not null) throw new RefusedException(409, $"Project \"{name}\" already exists");
        var input = request.Input();
        var branch = Short(input.List("branches").FirstOrDefault()?.ToString() ?? "main");
        if (!(await GitProgram.TryAsync(site.Folder, ["check-ref-format", Heads + branch], ct)).Succeeded) throw new RefusedException(400, $"invalid branch name \"{branch}\"");
        var project = new Project
        {
            Name = name,
            SubmitType = input.Text("submit_type") is { } type and not "INHERIT" ? type : "MERGE_IF_NECESSARY",
            UseContentMerge = input.Text("use_content_merge") != "FALSE",
        };
        await CreateAsync(site, request.Who, project, (branch, input.Flag("create_empty_commit")), ct);
        return RestAnswer.Json(Show(project), 201);
    }

    private async Task<RestAnswer> ListAsync(CancellationToken ct)
    {
        var json = new JsonObject();
        foreach (var project in site.Facts.Projects.Values)
        {
            if (request.First("p") is { } prefix && !project.Name.StartsWith(prefix, StringComparison.Ordinal)) continue;
            var entry = new JsonObject { ["id"] = Uri.EscapeDataString(project.Name), ["state"] = "ACTIVE" };
            if (request.First("b") is { } branch)
            {
                if (await site.Repository(project.Name).ResolveAsync(Heads + Short(branch), ct) is not { } tip) continue;
                entry["branches"] = new JsonObject { [branch] = tip };
            }
            json[project.Name] = entry;
        }
        return RestAnswer.Json(json);
    }

    private static JsonObject Show(Project project)
    {
        var labels = new JsonObject();
        foreach (var label in Labels.InEvents)
        {
            var values = new JsonObject();
            foreach (var (value, text) in label.Values) values[Label.Show(value)] = text;
            labels[label.Name] = new JsonObject { ["values"] = values, ["default_value"] = 0 };
        }
        return new JsonObject
        {
            ["id"] = Uri.EscapeDataString(project.Name),
            ["name"] = project.Name,
            ["parent"] = "All-Projects",
            ["state"] = "ACTIVE",
            ["labels"] = labels,
        };
    }

    private static JsonObject Config(Project project)
    {
        static JsonObject Inherited(bool value) => new() { ["configured_value"] = "INHERIT", ["inherited_value"] = value };
        return new JsonObject
        {
            ["use_contributor_agreements"] = Inherited(false),
            ["use_content_merge"] = new JsonObject { ["value"] = project.UseContentMerge, ["configured_value"] = project.UseContentMerge ? "TRUE" : "FALSE", ["inherited_value"] = true },
            ["create_new_change_for_all_not_in_target"] = Inherited(false),
            ["require_change_id"] = Inherited(true),
            ["private_by_default"] = Inherited(false),
            ["work_in_progress_by_default"] = Inherited(false),
            ["reject_empty_commit"] = Inherited(false),
            ["max_object_size_limit"] = new JsonObject(),
            ["submit_type"] = project.SubmitType,
            ["default_submit_type"] = new JsonObject
            {
                ["value"] = project.SubmitType,
                ["configured_value"] = project.SubmitType,
                ["inherited_value"] = "MERGE_IF_NECESSARY",
            },
            ["actions"] = new JsonObject(),
            ["commentlinks"] = new JsonObject(),
            ["extension_panel_names"] = new JsonObject(),
        };
    }

    private async Task<RestAnswer> SetHeadAsync(Project project, Repository repository, CancellationToken ct)
    {
        if (!request.Who.IsAdministrator) throw new RefusedException(403, "set head not permitted");
        var next = request.Input().Text("ref") ?? throw new RefusedException(400, "ref required");
        if (!next.StartsWith("refs/", StringComparison.Ordinal)) next = Heads + next;
        if (await repository.ResolveAsync(next, ct) is null) throw new RefusedException(422, $"Ref Not Found: {next}");
        var old = await repository.HeadAsync(ct);
        await repository.RunAsync(["symbolic-ref", "HEAD", next], ct);
        site.Events.Publish(null, EventShapes.ProjectHeadUpdated(project.Name, old, next, site.Now));
        return RestAnswer.Json(JsonValue.Create(next)!);
    }

    private static async Task<RestAnswer> BranchesAsync(Repository repository, CancellationToken ct)
    {
        var list = new JsonArray { new JsonObject { ["ref"] = "HEAD", ["revision"] = Short(await repository.HeadAsync(ct)) } };
        foreach (var (name, commit) in await repository.RefsAsync(ct, Heads)) list.Add(new JsonObject { ["ref"] = name, ["revision"] = commit });
        return RestAnswer.Json(list);
    }

    private static async Task<RestAnswer> BranchAsync(Repository repository, string branch, CancellationToken ct)
    {
        if (branch == "HEAD") return RestAnswer.Json(new JsonObject { ["ref"] = "HEAD", ["revision"] = Short(await repository.HeadAsync(ct)) });
        var commit = await repository.ResolveAsync(Heads + Short(branch), ct) ?? throw RestApi.NotFound(branch);
        return RestAnswer.Json(new JsonObject { ["ref"] = Heads + Short(branch), ["revision"] = commit });
    }

    private async Task<RestAnswer> CreateBranchAsync(Project project, Repository repository, string branch, CancellationToken ct)
    {
        if (!Rights.MayPushDirectly(request.Who)) throw new RefusedException(403, "create not permitted");
        var name = Heads + Short(branch);
        if (!(await GitProgram.TryAsync(repository.Folder, ["check-ref-format", name], ct)).Succeeded) throw new RefusedException(400, $"invalid branch name \"{branch}\"");
        var from = request.Input().Text("revision") ?? await repository.HeadAsync(ct);
        var commit = await repository.ResolveAsync(from, ct) ?? throw new RefusedException(422, $"invalid revision \"{from}\"");
        if (!await repository.UpdateRefAsync(name, commit, CommitInfo.NoRevision, ct)) throw new RefusedException(409, $"branch \"{name}\" already exists");
        site.Events.Publish(null, EventShapes.RefUpdated(request.Who, project.Name, name, (CommitInfo.NoRevision, commit), site.Now));
        return RestAnswer.Json(new JsonObject { ["ref"] = name, ["revision"] = commit, ["can_delete"] = true }, 201);
    }

    private static string Short(string branch) => branch.StartsWith(Heads, StringComparison.Ordinal) ? branch[Heads.Length..] : branch;
}
