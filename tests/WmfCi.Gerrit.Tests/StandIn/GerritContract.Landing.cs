namespace WmfCi.Gerrit.Tests.StandIn;

public abstract partial class GerritContract
{
    [Fact]
    public async Task A_submit_that_is_not_ready_says_why()
    {
        var (_, _, number) = await ChangeAsync();
        Task<Answer> Submit(string user = "wmfci") => Peer.PostAsync(user, $"/changes/{number}/submit");

        (await Submit("mallory")).ShouldRefuse(403, "submit not permitted");
        (await Submit()).ShouldRefuse(409, $"Failed to submit 1 change due to the following problems:\nChange {number}: submit requirement 'Verified' is unsatisfied.");
        (await ReviewAsync("wmfci", number, new { labels = new { Verified = 2 } })).Status.ShouldBe(200);
        (await Submit()).ShouldRefuse(409, $"Failed to submit 1 change due to the following problems:\nChange {number}: submit requirement 'Code-Review' is unsatisfied.");
        (await Peer.PostAsync("alice", $"/changes/{number}/wip")).Status.ShouldBe(200);
        (await Submit()).ShouldRefuse(409, $"Failed to submit 1 change due to the following problems:\nChange {number}: Change {number} is work in progress");
        (await Peer.PostAsync("alice", $"/changes/{number}/abandon")).Status.ShouldBe(200);
        (await Submit()).ShouldRefuse(409, "change is abandoned");
    }

    [Fact]
    public async Task A_change_on_the_tip_lands_by_fast_forward()
    {
        var (project, clone, number) = await ChangeAsync();
        await ApproveAsync(number);
        for (var i = 0; i < 2; i++) await Events.UntilAsync(project, "comment-added");

        var answer = (await Peer.PostAsync("wmfci", $"/changes/{number}/revisions/{await clone.HeadAsync()}/submit")).Json;

        ((string)answer["status"]!).ShouldBe("MERGED");
        ((string)answer["submission_id"]!).ShouldBe(number.ToString());
        var events = await Events.UntilAsync(project, "change-merged");
        Types(events).ShouldBe(["ref-updated", "ref-updated", "change-merged"]);
        events.Take(2).Select(e => (string)e["refUpdate"]!["refName"]!).ShouldBe(["refs/heads/main", Meta(number)]);
        ((string)events[2]["newRev"]!).ShouldBe(await clone.HeadAsync());
        ((string)events[2]["submitter"]!["username"]!).ShouldBe("wmfci");
        (await DetailAsync(number))["messages"]!.AsArray()[^1]!["message"]!.GetValue<string>().ShouldBe("Change has been successfully merged");
        (await Peer.PostAsync("wmfci", $"/changes/{number}/submit")).ShouldRefuse(409, "change is merged");
        (await ReviewAsync("wmfci", number, new { message = "afterwards" })).Status.ShouldBe(200);
        (await Events.UntilAsync(project, "comment-added"))[^1]["approvals"].ShouldBeNull();
    }

    [Fact]
    public async Task A_change_beside_the_tip_lands_by_a_merge_commit()
    {
        var (project, clone, number) = await ChangeAsync();
        var bot = await Peer.CloneAsync(project, "wmfci");
        await bot.CommitAsync("Meanwhile", ("other.txt", "x\n"));
        await bot.PushAsync("refs/heads/main");
        await ApproveAsync(number);

        (await Peer.PostAsync("wmfci", $"/changes/{number}/submit")).Status.ShouldBe(200);

        await bot.GitAsync("fetch", "--quiet");
        (await bot.GitAsync("log", "-1", "--format=%P|%an <%ae>|%cn|%B", "origin/main"))
            .ShouldBe($"{await bot.HeadAsync()} {await clone.HeadAsync()}|Wmfci <wmfci@example.org>|Gerrit Code Review|Merge \"Add a file\" into main");
        (await bot.GitAsync("ls-tree", "--name-only", "origin/main")).ShouldBe("file.txt\nother.txt");
    }

    [Fact]
    public async Task An_approved_chain_lands_as_a_whole_and_not_without_its_parents()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        await clone.CommitAsync("First", ("a", "1\n"));
        var parent = await clone.HeadAsync();
        await clone.CommitAsync("Second", ("b", "2\n"));
        await clone.PushAsync("refs/for/main");
        var first = (int)(await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+message:First")).Json[0]!["_number"]!;
        var second = first + 1;
        await ApproveAsync(second);
        (await Peer.PostAsync("wmfci", $"/changes/{second}/submit"))
            .ShouldRefuse(409, $"Failed to submit 2 changes due to the following problems:\nChange {first}: submit requirement 'Verified' is unsatisfied.");
        (await Peer.PostAsync("alice", $"/changes/{first}/abandon")).Status.ShouldBe(200);
        (await Peer.PostAsync("wmfci", $"/changes/{second}/submit")).ShouldRefuse(409, "Failed to submit 1 change due to the following problems:\n"
            + $"Change {second}: Depends on commit that cannot be merged. Commit {await clone.HeadAsync()} depends on commit {parent} of change {first} which cannot be merged.");
        (await Peer.PostAsync("alice", $"/changes/{first}/restore")).Status.ShouldBe(200);
        await ApproveAsync(first);

        (await Peer.PostAsync("wmfci", $"/changes/{second}/submit")).Status.ShouldBe(200);

        var merged = new[] { (await Events.UntilAsync(project, "change-merged"))[^1], (await Events.UntilAsync(project, "change-merged"))[^1] };
        merged.Select(m => (int)m["change"]!["number"]!).ShouldBe([first, second]);
        merged.Select(m => (string)m["newRev"]!).Distinct().Single().ShouldBe(await clone.HeadAsync());
    }

    [Fact]
    public async Task A_conflict_is_refused_and_known_before()
    {
        var (project, _, number) = await ChangeAsync();
        var bot = await Peer.CloneAsync(project, "wmfci");
        await bot.CommitAsync("Meanwhile", ("file.txt", "otherwise\n"));
        await bot.PushAsync("refs/heads/main");
        await ApproveAsync(number);

        var mergeable = (await Peer.GetAsync("wmfci", $"/changes/{number}/revisions/current/mergeable")).Json;

        ((bool)mergeable["mergeable"]!).ShouldBeFalse();
        ((string)mergeable["submit_type"]!).ShouldBe("MERGE_IF_NECESSARY");
        (await Peer.PostAsync("wmfci", $"/changes/{number}/submit")).ShouldRefuse(409, "Failed to submit 1 change due to the following problems:\n"
            + $"Change {number}: Change could not be merged due to a path conflict. Please rebase the change locally and upload the rebased commit for review.");
        ((string)(await DetailAsync(number))["status"]!).ShouldBe("NEW");
    }

    [Fact]
    public async Task Renames_are_not_followed()
    {
        var project = await Peer.ProjectAsync();
        var bot = await Peer.CloneAsync(project, "wmfci");
        var lines = string.Concat(Enumerable.Range(1, 20).Select(i => $"line {i}\n"));
        await bot.CommitAsync("Base", ("old.txt", lines), ("kept.txt", lines));
        await bot.PushAsync("refs/heads/main");
        var alice = await Peer.CloneAsync(project, "alice");
        await alice.CommitAsync("Edit the old name", ("old.txt", lines + "more\n"));
        await alice.PushAsync("refs/for/main");
        var number = await NumberAsync(project);
        await bot.GitAsync("mv", "old.txt", "new.txt");
        await bot.CommitAsync("Rename", ("kept.txt", "first\n" + lines));
        await bot.PushAsync("refs/heads/main");

        var mergeable = (await Peer.GetAsync("wmfci", $"/changes/{number}/revisions/current/mergeable")).Json;

        ((bool)mergeable["mergeable"]!).ShouldBeFalse();
    }

    [Fact]
    public async Task Edits_of_one_file_on_both_sides_are_merged()
    {
        var project = await Peer.ProjectAsync();
        var bot = await Peer.CloneAsync(project, "wmfci");
        var lines = string.Concat(Enumerable.Range(1, 20).Select(i => $"line {i}\n"));
        await bot.CommitAsync("Base", ("file.txt", lines));
        await bot.PushAsync("refs/heads/main");
        var alice = await Peer.CloneAsync(project, "alice");
        await alice.CommitAsync("At the end", ("file.txt", lines + "end\n"));
        await alice.PushAsync("refs/for/main");
        var number = await NumberAsync(project);
        await bot.CommitAsync("At the beginning", ("file.txt", "begin\n" + lines));
        await bot.PushAsync("refs/heads/main");
        await ApproveAsync(number);

        (await Peer.PostAsync("wmfci", $"/changes/{number}/submit")).Status.ShouldBe(200);

        await bot.GitAsync("fetch", "--quiet");
        (await bot.GitAsync("show", "origin/main:file.txt")).ShouldBe(("begin\n" + lines + "end\n").Trim());
    }

    [Fact]
    public async Task A_direct_push_closes_the_changes_that_it_lands()
    {
        var (project, clone, number) = await ChangeAsync();
        var bot = await Peer.CloneAsync(project, "wmfci");
        await bot.GitAsync("fetch", "--quiet", "origin", $"refs/changes/{number % 100:00}/{number}/1");
        await bot.GitAsync("merge", "--quiet", "--no-ff", "-m", "Land it exactly", "FETCH_HEAD");

        (await bot.PushAsync("refs/heads/main")).Accepted.ShouldBeTrue();

        var events = await Events.UntilAsync(project, "change-merged");
        Types(events).ShouldBe(["ref-updated", "ref-updated", "change-merged"]);
        ((string)events[2]["newRev"]!).ShouldBe(await bot.HeadAsync());
        ((string)events[2]["patchSet"]!["revision"]!).ShouldBe(await clone.HeadAsync());
        var change = await DetailAsync(number);
        ((string)change["status"]!).ShouldBe("MERGED");
        ((string)change["submitter"]!["username"]!).ShouldBe("wmfci");
        ((string)change["messages"]!.AsArray()[^1]!["message"]!).ShouldBe("Change has been successfully pushed.");
    }

    [Fact]
    public async Task An_old_patch_set_cannot_be_submitted()
    {
        var (_, clone, number) = await ChangeAsync();
        var old = await clone.HeadAsync();
        await clone.AmendAsync(("file.txt", "new\n"));
        await clone.PushAsync("refs/for/main");
        await ApproveAsync(number);

        (await Peer.PostAsync("wmfci", $"/changes/{number}/revisions/{old}/submit")).ShouldRefuse(409, $"revision {old} is not current revision");
    }
}
