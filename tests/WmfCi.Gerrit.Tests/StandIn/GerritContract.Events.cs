using System.Text.Json.Nodes;

namespace WmfCi.Gerrit.Tests.StandIn;

public abstract partial class GerritContract
{
    [Fact]
    public async Task A_push_is_told_as_its_refs_and_then_as_a_patch_set()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        var changeId = await clone.CommitAsync("Add a file", ("file.txt", "one\n"));
        await Events.UntilAsync(project, "project-created");
        await clone.PushAsync("refs/for/main");
        var number = await NumberAsync(project);

        var events = await Events.UntilAsync(project, "patchset-created");

        Types(events).ShouldBe(["ref-updated", "ref-updated", "patchset-created"]);
        events.Take(2).Select(e => (string)e["refUpdate"]!["refName"]!).ShouldBe([$"refs/changes/{number % 100:00}/{number}/1", Meta(number)]);
        events.Take(2).ShouldAllBe(e => (string)e["refUpdate"]!["oldRev"]! == new string('0', 40));
        var created = events[2];
        Names(created).ShouldBe(["uploader", "patchSet", "change", "project", "refName", "changeKey", "type", "eventCreatedOn"], ignoreOrder: true);
        Names(created["patchSet"]!).ShouldBe(
            ["number", "revision", "parents", "ref", "uploader", "createdOn", "author", "kind", "sizeInsertions", "sizeDeletions"], ignoreOrder: true);
        Names(created["change"]!).ShouldBe(["project", "branch", "id", "number", "subject", "owner", "url", "commitMessage", "createdOn", "status"], ignoreOrder: true);
        ((string)created["patchSet"]!["revision"]!).ShouldBe(await clone.HeadAsync());
        ((int)created["patchSet"]!["sizeInsertions"]!).ShouldBe(10);
        ((string)created["change"]!["url"]!).ShouldBe($"{Peer.Url}/c/{project}/+/{number}");
        ((string)created["change"]!["commitMessage"]!).ShouldBe($"Add a file\n\nChange-Id: {changeId}\n");
        ((string)created["refName"]!).ShouldBe("refs/heads/main");
        ((string)created["changeKey"]!["id"]!).ShouldBe(changeId);
    }

    [Fact]
    public async Task Abandoning_and_restoring_are_told_with_who_and_why()
    {
        var (project, _, number) = await ChangeAsync();

        ((string)(await Peer.PostAsync("alice", $"/changes/{number}/abandon", new { message = "no more" })).Json["status"]!).ShouldBe("ABANDONED");
        ((string)(await Peer.PostAsync("alice", $"/changes/{number}/restore")).Json["status"]!).ShouldBe("NEW");

        var abandoned = await Events.UntilAsync(project, "change-abandoned");
        Types(abandoned).ShouldBe(["ref-updated", "change-abandoned"]);
        ((string)abandoned[1]["abandoner"]!["username"]!).ShouldBe("alice");
        ((string)abandoned[1]["reason"]!).ShouldBe("no more");
        ((string)abandoned[1]["change"]!["status"]!).ShouldBe("ABANDONED");
        var restored = (await Events.UntilAsync(project, "change-restored"))[^1];
        ((string)restored["restorer"]!["username"]!).ShouldBe("alice");
        (await Peer.PostAsync("mallory", $"/changes/{number}/abandon")).ShouldRefuse(403, "abandon not permitted");
        (await Peer.PostAsync("alice", $"/changes/{number}/restore")).ShouldRefuse(409, "change is new");
        (await DetailAsync(number))["messages"]!.AsArray().Select(m => (string)m!["message"]!).Skip(1).ShouldBe(["Abandoned\n\nno more", "Restored"]);
    }

    [Fact]
    public async Task Topic_and_hashtags_are_told_with_what_they_were()
    {
        var (project, _, number) = await ChangeAsync();

        (await Peer.AskAsync("alice", HttpMethod.Put, $"/changes/{number}/topic", new { topic = "blue/green" })).Json.GetValue<string>().ShouldBe("blue/green");
        (await Peer.AskAsync("alice", HttpMethod.Delete, $"/changes/{number}/topic")).Status.ShouldBe(204);
        (await Peer.PostAsync("alice", $"/changes/{number}/hashtags", new { add = new[] { "b", "a" } })).Json.AsArray().Select(h => (string)h!).ShouldBe(["a", "b"]);

        var set = (await Events.UntilAsync(project, "topic-changed"))[^1];
        ((string)set["oldTopic"]!).ShouldBe("");
        ((string)set["change"]!["topic"]!).ShouldBe("blue/green");
        set["patchSet"].ShouldBeNull();
        var removed = (await Events.UntilAsync(project, "topic-changed"))[^1];
        ((string)removed["oldTopic"]!).ShouldBe("blue/green");
        removed["change"]!["topic"].ShouldBeNull();
        var hashtags = (await Events.UntilAsync(project, "hashtags-changed"))[^1];
        hashtags["added"]!.AsArray().Select(h => (string)h!).ShouldBe(["a", "b"], ignoreOrder: true);
        (await Peer.AskAsync("mallory", HttpMethod.Put, $"/changes/{number}/topic", new { topic = "x" })).ShouldRefuse(403, "edit topic name not permitted");
    }

    [Fact]
    public async Task Work_in_progress_is_told_and_can_be_left()
    {
        var (project, _, number) = await ChangeAsync();

        (await Peer.PostAsync("alice", $"/changes/{number}/wip", new { message = "not yet" })).Json.GetValue<string>().ShouldBe("");
        (await Peer.PostAsync("alice", $"/changes/{number}/wip")).ShouldRefuse(409, "change is already work in progress");
        (await Peer.PostAsync("mallory", $"/changes/{number}/ready")).ShouldRefuse(403, "toggle work in progress state not permitted");
        (await ReviewAsync("alice", number, new { message = "now", ready = true })).Json["ready"]!.GetValue<bool>().ShouldBeTrue();

        var entered = (await Events.UntilAsync(project, "wip-state-changed"))[^1];
        ((bool)entered["change"]!["wip"]!).ShouldBeTrue();
        ((string)entered["changer"]!["username"]!).ShouldBe("alice");
        var left = await Events.UntilAsync(project, "comment-added");
        Types(left).ShouldBe(["ref-updated", "wip-state-changed", "comment-added"]);
        left[1]["change"]!["wip"].ShouldBeNull();
    }

    [Fact]
    public async Task A_private_change_is_there_for_its_owner_and_the_bot_alone()
    {
        var (project, clone, number) = await ChangeAsync();

        (await Peer.PostAsync("alice", $"/changes/{number}/private")).Status.ShouldBe(201);

        var told = (await Events.UntilAsync(project, "private-state-changed"))[^1];
        ((bool)told["change"]!["private"]!).ShouldBeTrue();
        (await Peer.GetAsync("carol", $"/changes/{number}/detail")).ShouldRefuse(404, $"Not found: {number}");
        (await Peer.GetAsync(null, $"/changes/{number}/detail")).ShouldRefuse(404, $"Not found: {number}");
        (await Peer.GetAsync("carol", $"/changes/?q=project:{project}")).Json.AsArray().Count.ShouldBe(0);
        ((bool)(await DetailAsync(number))["is_private"]!).ShouldBeTrue();
        (await clone.GitAsync("ls-remote", $"{Peer.Url}/{project}")).ShouldNotContain($"refs/changes/{number % 100:00}/{number}/1");
        (await Peer.AskAsync("alice", HttpMethod.Delete, $"/changes/{number}/private")).Status.ShouldBe(204);
        (await Peer.GetAsync("carol", $"/changes/{number}/detail")).Status.ShouldBe(200);
    }

    [Fact]
    public async Task Reviewers_are_told_and_copies_are_not()
    {
        var (project, _, number) = await ChangeAsync();

        (await Peer.PostAsync("alice", $"/changes/{number}/reviewers", new { reviewer = "mallory", state = "CC" })).Json["ccs"]!.AsArray().Count.ShouldBe(1);
        (await Peer.PostAsync("alice", $"/changes/{number}/reviewers", new { reviewer = "carol" })).Json["reviewers"]![0]!["username"]!.GetValue<string>().ShouldBe("carol");
        (await Peer.AskAsync("alice", HttpMethod.Delete, $"/changes/{number}/reviewers/carol")).Status.ShouldBe(204);

        var added = await Events.UntilAsync(project, "reviewer-added");
        Types(added).ShouldBe(["ref-updated", "ref-updated", "reviewer-added"]);
        ((string)added[^1]["reviewer"]!["username"]!).ShouldBe("carol");
        ((string)added[^1]["adder"]!["username"]!).ShouldBe("alice");
        var removed = (await Events.UntilAsync(project, "reviewer-deleted"))[^1];
        ((string)removed["remover"]!["username"]!).ShouldBe("alice");
        ((string)removed["comment"]!).ShouldBe("Removed reviewer Carol <carol@example.org>.");
    }

    [Fact]
    public async Task A_removed_vote_is_told_with_its_value()
    {
        var (project, _, number) = await ChangeAsync();
        await ApproveAsync(number);

        (await Peer.AskAsync("bob", HttpMethod.Delete, $"/changes/{number}/reviewers/bob/votes/Code-Review")).Status.ShouldBe(204);

        var removed = (await Events.UntilAsync(project, "vote-deleted"))[^1];
        removed["approvals"]!.AsArray().Select(a => ((string)a!["type"]!, (string)a["value"]!, (string)a["oldValue"]!)).ShouldBe([("Code-Review", "0", "2")]);
        ((string)removed["comment"]!).ShouldBe("Removed Code-Review+2 by Bob <bob@example.org>\n");
        (await DetailAsync(number))["labels"]!["Code-Review"]!["approved"].ShouldBeNull();
    }

    [Fact]
    public async Task A_deleted_change_is_gone()
    {
        var (project, clone, number) = await ChangeAsync();

        (await Peer.AskAsync("alice", HttpMethod.Delete, $"/changes/{number}")).Status.ShouldBeOneOf(204, 403);
        (await Peer.AskAsync("admin", HttpMethod.Delete, $"/changes/{number}")).Status.ShouldBeOneOf(204, 404);

        var deleted = (await Events.UntilAsync(project, "change-deleted"))[^1];
        ((int)deleted["change"]!["number"]!).ShouldBe(number);
        deleted["patchSet"].ShouldBeNull();
        (await Peer.GetAsync("wmfci", $"/changes/{number}")).ShouldRefuse(404, $"Not found: {number}");
        (await clone.GitAsync("ls-remote", "origin")).ShouldNotContain("refs/changes");
    }

    [Fact]
    public async Task Branches_are_told_when_they_are_made()
    {
        var project = await Peer.ProjectAsync();
        var made = await Events.UntilAsync(project, "project-created");

        (await Peer.AskAsync("admin", HttpMethod.Put, $"/projects/{project}/branches/wmf%2F1.0", new { revision = "main" })).Status.ShouldBe(201);

        Types(made).ShouldBe(["ref-updated", "project-created"]);
        ((string)made[1]["headName"]!).ShouldBe("refs/heads/main");
        ((string)(await Events.UntilAsync(project, "ref-updated"))[0]["refUpdate"]!["refName"]!).ShouldBe("refs/heads/wmf/1.0");
        ((string)(await Peer.GetAsync("wmfci", $"/projects/{project}/branches/wmf%2F1.0")).Json["ref"]!).ShouldBe("refs/heads/wmf/1.0");
    }

    [Fact]
    public async Task Ssh_says_what_it_cannot_do()
    {
        var version = await Peer.SshAsync("wmfci", "gerrit", "version");
        var refused = await Peer.SshAsync("mallory", "gerrit", "stream-events");
        var unknown = await Peer.SshAsync("wmfci", "gerrit", "nosuch");

        version.StandardOutput.ShouldStartWith("gerrit version 3.");
        (refused.ExitCode, refused.StandardError).ShouldBe((1, "stream events not permitted\n"));
        (unknown.ExitCode, unknown.StandardError).ShouldBe((1, "fatal: gerrit: nosuch: not found\n"));
    }

    [Fact]
    public async Task Changes_can_be_queried_over_ssh()
    {
        var (project, _, number) = await ChangeAsync();

        var lines = (await Peer.SshAsync("wmfci", "gerrit", "query", "--format=JSON", "--current-patch-set", $"change:{number}")).StandardOutput
            .Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => JsonNode.Parse(l)!).ToList();
        var bad = JsonNode.Parse((await Peer.SshAsync("wmfci", "gerrit", "query", "--format=JSON", "nosuch:1")).StandardOutput)!;

        lines.Count.ShouldBe(2);
        ((string)lines[0]["project"]!).ShouldBe(project);
        ((bool)lines[0]["open"]!).ShouldBeTrue();
        ((int)lines[0]["currentPatchSet"]!["number"]!).ShouldBe(1);
        ((int)lines[1]["rowCount"]!).ShouldBe(1);
        ((string)bad["message"]!).ShouldBe("Unsupported operator nosuch:1");
    }

    [Fact]
    public async Task Git_works_over_ssh_too()
    {
        var (_, clone, number) = await ChangeAsync();
        var project = (string)(await DetailAsync(number))["project"]!;
        var ssh = Peer.SshArguments("alice");
        await clone.GitAsync("config", "core.sshCommand", "ssh " + string.Join(' ', ssh.Skip(2).SkipLast(1)));
        await clone.GitAsync("remote", "set-url", "origin", $"ssh://{ssh[^1]}:{ssh[1]}/{project}");
        await clone.AmendAsync(("file.txt", "by ssh\n"));

        var pushed = await clone.PushAsync("refs/for/main");

        pushed.Accepted.ShouldBeTrue(pushed.Everything);
        (await clone.GitAsync("ls-remote", "origin")).ShouldContain($"refs/changes/{number % 100:00}/{number}/2");
    }
}
