using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>A push straight to a branch or tag, with Gerrit's refusals; changes whose current patch set lands this way are closed.</summary>
internal sealed class BranchPush(Site site, PushRequest request, PushReport report)
{
    private const string Heads = "refs/heads/";

    public async Task HandleAsync(RefCommand command, CancellationToken ct)
    {
        var user = request.User;
        var repository = site.Repository(request.Project);
        var isBranch = command.Name.StartsWith(Heads, StringComparison.Ordinal);
        var wellFormed = (await GitProgram.TryAsync(repository.Folder, ["check-ref-format", command.Name], ct)).Succeeded;
        if (!wellFormed || (!isBranch && !command.Name.StartsWith("refs/tags/", StringComparison.Ordinal)))
        {
            Refuse(command, "create", "You need 'Create' rights to create new references.");
            return;
        }
        var creates = command.Old == CommitInfo.NoRevision;
        if (command.IsDeletion && !Rights.MayForce(user))
        {
            Refuse(command, "delete", "You need 'Delete Reference' rights or 'Push' rights with the \n'Force Push' flag set to delete references.");
            return;
        }
        if (!Rights.MayPushDirectly(user))
        {
            if (creates) Refuse(command, "create", "You need 'Create' rights to create new references.");
            else Refuse(command, "update", $"Push to refs/for/{command.Name[Heads.Length..]} to create a review, or get 'Push' rights to update the branch.");
            return;
        }
        var forced = isBranch && !creates && !command.IsDeletion && !await repository.IsAncestorAsync(command.Old, command.New, ct);
        if (forced && !Rights.MayForce(user))
        {
            Refuse(command, "force update", "You need 'Push' rights with the 'Force Push' flag set to do a non-fastforward push.");
            return;
        }
        if (!await repository.UpdateRefAsync(command.Name, command.New, command.Old, ct))
        {
            command.Refusal = "failed to lock";
            return;
        }
        site.Touch();
        await TellAsync(repository, command, isBranch && !command.IsDeletion, ct);
    }

    private async Task TellAsync(Repository repository, RefCommand command, bool mayLand, CancellationToken ct)
    {
        var landed = mayLand ? await LandedAsync(repository, command, ct) : [];
        if (landed.Count > 0) new Submission(site).Land(landed, request.User, (command.Old, command.New), pushed: true);
        else site.Events.Publish(null, EventShapes.RefUpdated(request.User, request.Project, command.Name, (command.Old, command.New), site.Now));
    }

    private async Task<List<Change>> LandedAsync(Repository repository, RefCommand command, CancellationToken ct)
    {
        var branch = command.Name[Heads.Length..];
        var open = site.Facts.Changes.Values.Where(c => c.IsOpen && c.Project == request.Project && c.Branch == branch).ToList();
        if (open.Count == 0) return [];
        var range = await repository.RangeAsync(command.Old == CommitInfo.NoRevision ? null : command.Old, command.New, ct);
        var position = range.Select((commit, at) => (commit, at)).ToDictionary(p => p.commit, p => p.at);
        return [.. open.Where(c => position.ContainsKey(c.Current.Revision)).OrderByDescending(c => position[c.Current.Revision])];
    }

    private void Refuse(RefCommand command, string right, string advice)
    {
        command.Refusal = "prohibited by Gerrit: not permitted: " + right;
        report.Errors.Append($"error: branch {command.Name}:\n{advice}\nUser: {request.User.UserName}\nContact an administrator to fix the permissions\n");
    }
}
