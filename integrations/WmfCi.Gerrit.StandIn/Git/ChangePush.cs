using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Git;

/// <summary>A push to <c>refs/for/BRANCH</c>: every new commit becomes a change or a patch set of one.</summary>
internal sealed class ChangePush(Site site, PushRequest request, PushReport report)
{
    private sealed class RefusedPushException(string reason) : Exception(reason);

    private sealed record Item(CommitInfo Commit, string ChangeId, Change? Existing);

    public async Task HandleAsync(RefCommand command, CancellationToken ct)
    {
        try
        {
            if (command.IsDeletion) throw new RefusedPushException("cannot delete a magic branch");
            var magic = MagicBranch.Parse(command.Name, request.Options);
            if (magic.Mistake is not null) throw new RefusedPushException(magic.Mistake);
            if (magic.Submit) throw new RefusedPushException("submit on push is not supported by this server");
            var repository = site.Repository(request.Project);
            // A name such as 'main~1' means a commit to git, but no branch.
            if (magic.Branch.Any(c => c is '~' or '^' or ':' or '{') || await repository.ResolveAsync("refs/heads/" + magic.Branch, ct) is null) throw new RefusedPushException($"branch {magic.Branch} not found");
            foreach (var (label, value) in magic.Votes) CheckVote(label, value);
            var items = await ItemsAsync(repository, command.New, magic.Branch, ct);
            await ApplyAsync(repository, items, magic, ct);
        }
        catch (RefusedPushException e)
        {
            command.Refusal = e.Message;
        }
    }

    private void CheckVote(string label, int value)
    {
        if (Labels.Named(label) is not { } known) throw new RefusedPushException($"label \"{label}\" is not a configured label");
        if (value < known.Min || value > known.Max) throw new RefusedPushException($"label \"{label}\": {value} is not a valid value");
        if (!known.Permits(request.User, value)) throw new RefusedPushException($"Applying label \"{label}\": {value} is restricted");
    }

    private async Task<List<Item>> ItemsAsync(Repository repository, string tip, string branch, CancellationToken ct)
    {
        var inBranch = site.Facts.Changes.Values.Where(c => c.Project == request.Project && c.Branch == branch).ToList();
        var known = inBranch.SelectMany(c => c.PatchSets).Select(p => p.Revision).ToHashSet(StringComparer.Ordinal);
        var ids = (await repository.NewCommitsAsync(tip, ct)).Where(c => !known.Contains(c)).ToList();
        if (ids.Count == 0) throw new RefusedPushException("no new changes");
        if (ids.Count > Repository.MaxNewCommits) throw new RefusedPushException("the number of pushed changes in a batch exceeds the max limit " + Repository.MaxNewCommits);
        var items = new List<Item>();
        foreach (var commit in await repository.CommitsAsync(ids, ct))
        {
            CheckCommitter(commit);
            var changeId = ChangeIdOf(commit);
            if (items.Exists(i => i.ChangeId == changeId))
            {
                throw new RefusedPushException("same Change-Id in multiple changes.\nSquash the commits with the same Change-Id or "
                    + "ensure Change-Ids are unique for each commit");
            }
            var existing = inBranch.Find(c => c.ChangeId == changeId);
            if (existing is not null && !Rights.MaySee(request.User, existing)) throw new RefusedPushException("cannot add patch set to " + existing.Number + ".");
            if (existing is { IsOpen: false }) throw new RefusedPushException($"change {site.AddressOf(existing)} closed");
            items.Add(new Item(commit, changeId, existing));
        }
        return items;
    }

    private void CheckCommitter(CommitInfo commit)
    {
        var user = request.User;
        if (site.Options.AllowForgedCommitter || Rights.MayForgeCommitter(user)) return;
        if (string.Equals(commit.Committer.Email, user.Email, StringComparison.OrdinalIgnoreCase)) return;
        report.Tail.Append($"ERROR: commit {commit.Id[..7]}: email address {commit.Committer.Email} is not registered in your account, "
            + $"and you lack 'forge committer' permission.\nThe following addresses are currently registered:\n   {user.Email}\n"
            + $"To register an email address, visit:\n{site.Url}/settings#EmailAddresses\n\n\n");
        throw new RefusedPushException($"commit {commit.Id[..7]}: invalid committer");
    }

    private string ChangeIdOf(CommitInfo commit)
    {
        var footer = commit.Message.TrimEnd().Split("\n\n")[^1].Split('\n');
        var lines = footer.Where(l => l.StartsWith("Change-Id:", StringComparison.Ordinal)).Select(l => l[10..].Trim()).ToList();
        if (commit.Message.TrimEnd().Split("\n\n").Length == 1 || lines.Count == 0) throw BadChangeId(commit, "missing Change-Id in message footer");
        if (lines.Count > 1) throw BadChangeId(commit, "multiple Change-Id lines in message footer");
        return IsChangeId(lines[0]) ? lines[0] : throw BadChangeId(commit, "invalid Change-Id line format in message footer");
    }

    private RefusedPushException BadChangeId(CommitInfo commit, string what)
    {
        var text = $"commit {commit.Id[..7]}: {what}";
        report.Tail.Append($$"""
            ERROR: {{text}}

            Hint: to automatically insert a Change-Id, install the hook:
              gitdir=$(git rev-parse --git-dir); scp -p -P {{site.SshPort}} {{request.User.UserName}}@localhost:hooks/commit-msg ${gitdir}/hooks/
            (for OpenSSH >= 9.0 you need to add the flag '-O' to the scp command)
            or, for http(s):
              f="$(git rev-parse --git-dir)/hooks/commit-msg"; curl -o "$f" {{site.Url}}/tools/hooks/commit-msg ; chmod +x "$f"
            and then amend the commit:
              git commit --amend --no-edit
            Finally, push your changes again


            """);
        return new RefusedPushException(text);
    }

    private async Task ApplyAsync(Repository repository, List<Item> items, MagicBranch magic, CancellationToken ct)
    {
        var writer = new PatchSetWriter(site, repository, request.User);
        var done = new List<(Change Change, bool Created, JsonObject Meta, PatchSetNews News)>();
        foreach (var item in items)
        {
            var news = item.Existing is null
                ? await writer.CreateAsync(request.Project, item.Commit, item.ChangeId, magic, ct)
                : await writer.AddAsync(item.Existing, item.Commit, magic, ct);
            done.Add((news.Change, item.Existing is null, site.Touch(news.Change, request.User), news));
            writer.Say(news, magic);
        }
        await repository.CreateRefsAsync(done.Select(d => (d.Change.Current.Ref, d.Change.Current.Revision)), ct);
        foreach (var (change, _, _, _) in done)
        {
            site.Events.Publish(change, EventShapes.RefUpdated(
                request.User, change.Project, change.Current.Ref, (CommitInfo.NoRevision, change.Current.Revision), site.Now));
        }
        foreach (var (change, _, meta, _) in done) site.Events.Publish(change, meta);
        foreach (var (change, created, _, news) in done)
        {
            Tell(change, news, magic);
            (created ? report.Created : report.Replaced).Add(site.AddressOf(change) + " " + change.Subject
                + (change.Private ? " [PRIVATE]" : "") + (change.WorkInProgress ? " [WIP]" : "") + (created ? " [NEW]" : ""));
            report.Outdated.AddRange(news.Outdated.Select(v => $"{v.Label}{v.Value:+0;-0} by {site.Accounts[v.Account].FullName}"));
            if (news.Warning is not null) report.Tail.Append(news.Warning).Append('\n');
        }
    }

    private void Tell(Change change, PatchSetNews news, MagicBranch magic)
    {
        foreach (var reviewer in news.Reviewers) site.Events.Publish(change, Reviews.ReviewerAdded(site, change, reviewer, request.User));
        site.Events.Publish(change, EventShapes.PatchSetCreated(site, change, change.Current));
        if (magic.Votes.Count > 0)
        {
            var approvals = EventShapes.Approvals(l => (change.VoteOf(request.User.Id, l.Name, change.Current.Number), magic.Votes.Exists(v => v.Label == l.Name) ? 0 : null));
            site.Events.Publish(change, EventShapes.CommentAdded(site, change, change.Current, request.User, approvals, null));
        }
        // The real server names the new topic as the old one too when it comes with a push.
        if (magic.Topic is not null)
        {
            site.Events.Publish(change, EventShapes.OnChange(site, change, "topic-changed",
                new JsonObject { ["changer"] = EventShapes.Person(request.User), ["oldTopic"] = magic.Topic }));
        }
    }

    private static bool IsChangeId(string text) => text is ['I', .. { Length: 40 } digits] && digits.All(char.IsAsciiHexDigitLower);
}
