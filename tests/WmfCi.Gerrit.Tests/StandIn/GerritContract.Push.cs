using CliWrap;

namespace WmfCi.Gerrit.Tests.StandIn;

public abstract partial class GerritContract
{
    [Fact]
    public async Task A_new_commit_becomes_a_change_and_the_answer_names_it()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        var changeId = await clone.CommitAsync("Add a file", ("file.txt", "one\n"));

        var pushed = await clone.PushAsync("refs/for/main");

        var number = await NumberAsync(project);
        pushed.Accepted.ShouldBeTrue(pushed.Everything);
        pushed.Said.ShouldContain("Processing changes: refs: 1, new: 1, done");
        pushed.Said.ShouldContain("SUCCESS");
        pushed.Said.ShouldContain($"  {Peer.Url}/c/{project}/+/{number} Add a file [NEW]");
        var change = await DetailAsync(number, "?o=CURRENT_REVISION&o=CURRENT_COMMIT&o=CURRENT_FILES");
        ((string)change["change_id"]!).ShouldBe(changeId);
        ((string)change["id"]!).ShouldBe($"{project}~{number}");
        ((string)change["status"]!).ShouldBe("NEW");
        ((string)change["branch"]!).ShouldBe("main");
        ((int)change["owner"]!["_account_id"]!).ShouldBeGreaterThan(0);
        var revision = change["revisions"]![await clone.HeadAsync()]!;
        ((string)revision["ref"]!).ShouldBe($"refs/changes/{number % 100:00}/{number}/1");
        ((string)revision["kind"]!).ShouldBe("REWORK");
        ((int)revision["files"]!["file.txt"]!["lines_inserted"]!).ShouldBe(1);
        (await clone.GitAsync("ls-remote", "origin", (string)revision["ref"]!)).ShouldStartWith(await clone.HeadAsync());
    }

    [Fact]
    public async Task Every_address_of_a_project_can_be_fetched_from()
    {
        var (project, clone, number) = await ChangeAsync();
        var host = Peer.Url["http://".Length..];

        foreach (var address in new[] { $"http://{host}/{project}", $"http://{host}/{project}.git", $"http://bob:testbed-bob@{host}/a/{project}.git" })
            (await clone.GitAsync("-c", "protocol.version=2", "ls-remote", address)).ShouldContain($"refs/changes/{number % 100:00}/{number}/1");
        (await Clone.RunAsync("ls-remote", $"http://bob:wrong@{host}/a/{project}")).Error.ShouldContain("Authentication failed");
    }

    [Fact]
    public async Task A_commit_without_Change_Id_is_refused_with_a_hint()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        await clone.GitAsync("commit", "--quiet", "--allow-empty", "-m", "Forgotten\n\nNo footer here.");
        var head = (await clone.HeadAsync())[..7];

        var pushed = await clone.PushAsync("refs/for/main");

        pushed.Accepted.ShouldBeFalse();
        pushed.Refusal.ShouldBe($"commit {head}: missing Change-Id in message footer");
        pushed.Said.ShouldContain($"ERROR: commit {head}: missing Change-Id in message footer");
        pushed.Said.ShouldContain("Hint: to automatically insert a Change-Id, install the hook:");
        pushed.Said.ShouldContain(l => l.Contains($"curl -o \"$f\" {Peer.Url}/tools/hooks/commit-msg"));
    }

    [Fact]
    public async Task The_hook_of_the_hint_adds_a_Change_Id()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        var hook = Path.Combine(await clone.GitAsync("rev-parse", "--absolute-git-dir"), "hooks", "commit-msg");
        var text = Path.Combine(Peer.Folder, Path.GetRandomFileName());
        await File.WriteAllTextAsync(text, (await Peer.GetAsync(null, "/tools/hooks/commit-msg")).Body, TestContext.Current.CancellationToken);
        // Another process writes what is executed: a program just written here may be "busy" while another test forks.
        await Cli.Wrap("install").WithArguments(["-m", "755", text, hook]).ExecuteAsync(TestContext.Current.CancellationToken);
        await clone.GitAsync("commit", "--quiet", "--allow-empty", "-m", "Remembered\n\nBug: T1");

        var message = await clone.GitAsync("log", "-1", "--format=%B");

        message.ShouldMatch("^Remembered\n\nBug: T1\nChange-Id: I[0-9a-f]{40}$");
        await clone.GitAsync("commit", "--quiet", "--allow-empty", "--amend", "--no-edit");
        (await clone.GitAsync("log", "-1", "--format=%B")).ShouldBe(message);
        (await clone.PushAsync("refs/for/main")).Accepted.ShouldBeTrue();
    }

    [Fact]
    public async Task The_same_commit_again_brings_no_new_changes()
    {
        var (_, clone, _) = await ChangeAsync();

        var pushed = await clone.PushAsync("refs/for/main");

        pushed.Accepted.ShouldBeFalse();
        pushed.Refusal.ShouldBe("no new changes");
    }

    [Fact]
    public async Task A_patch_set_says_how_it_differs_from_the_one_before()
    {
        var (project, clone, number) = await ChangeAsync();
        await clone.AmendAsync(("file.txt", "one\ntwo\nfour\n"));
        (await clone.PushAsync("refs/for/main")).Said.ShouldContain($"  {Peer.Url}/c/{project}/+/{number} Add a file");
        var footer = (await clone.GitAsync("log", "-1", "--format=%B")).Split('\n')[^1];
        await clone.GitAsync("commit", "--quiet", "--amend", "-m", $"Add a better file\n\n{footer}");
        (await clone.PushAsync("refs/for/refs/heads/main")).Said.ShouldContain($"warning: {(await clone.HeadAsync())[..7]}: no files changed, message updated");
        var bot = await Peer.CloneAsync(project, "wmfci");
        await bot.CommitAsync("Another file", ("other.txt", "x\n"));
        (await bot.PushAsync("refs/heads/main")).Accepted.ShouldBeTrue();
        await clone.GitAsync("fetch", "--quiet");
        await clone.GitAsync("rebase", "--quiet", "origin/main");
        (await clone.PushAsync("refs/for/main")).Accepted.ShouldBeTrue();

        var change = await DetailAsync(number, "?o=ALL_REVISIONS");

        change["revisions"]!.AsObject().Select(r => r.Value!).OrderBy(r => (int)r["_number"]!).Select(r => (string)r["kind"]!)
            .ShouldBe(["REWORK", "REWORK", "NO_CODE_CHANGE", "TRIVIAL_REBASE"]);
        change["messages"]!.AsArray().Select(m => (string)m!["message"]!).ShouldBe([
            "Uploaded patch set 1.", "Uploaded patch set 2.", "Uploaded patch set 3: Commit message was updated.", "Uploaded patch set 4: Patch Set 3 was rebased."]);
        change["messages"]!.AsArray().ShouldAllBe(m => (string)m!["tag"]! == "autogenerated:gerrit:newPatchSet");
    }

    [Fact]
    public async Task A_chain_becomes_changes_in_order_with_topic_hashtag_and_reviewer()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        await clone.CommitAsync("First", ("a", "1\n"));
        await clone.CommitAsync("Second", ("b", "2\n"));

        var pushed = await clone.PushAsync("refs/for/main%topic=both,r=bob", "hashtag=h1");

        pushed.Said.ShouldContain("Processing changes: refs: 1, new: 2, done");
        var changes = (await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+topic:both+hashtag:h1+reviewer:bob")).Json.AsArray();
        changes.Select(c => (string)c!["subject"]!).ShouldBe(["First", "Second"], ignoreOrder: true);
        var second = changes.Single(c => (string)c!["subject"]! == "Second")!;
        var first = changes.Single(c => (string)c!["subject"]! == "First")!;
        ((int)second["_number"]!).ShouldBe((int)first["_number"]! + 1);
        var related = (await Peer.GetAsync("wmfci", $"/changes/{(int)first["_number"]!}/revisions/current/related")).Json["changes"]!.AsArray();
        related.Select(r => (int)r!["_change_number"]!).ShouldBe([(int)second["_number"]!, (int)first["_number"]!]);
    }

    [Theory]
    [InlineData("refs/for/nowhere", "branch nowhere not found")]
    [InlineData("refs/for/main%nosuch=1", "\"--nosuch\" is not a valid option")]
    public async Task A_push_that_asks_for_what_is_not_there_says_so(string to, string refusal)
    {
        var clone = await Peer.CloneAsync(await Peer.ProjectAsync(), "alice");
        await clone.CommitAsync("Something");

        (await clone.PushAsync(to)).Refusal.ShouldBe(refusal);
    }

    [Fact]
    public async Task A_commit_by_another_committer_is_refused()
    {
        var clone = await Peer.CloneAsync(await Peer.ProjectAsync(), "mallory");
        await clone.GitAsync("config", "user.email", "alice@example.org");
        await clone.CommitAsync("By somebody else");
        var head = (await clone.HeadAsync())[..7];

        var pushed = await clone.PushAsync("refs/for/main");

        pushed.Refusal.ShouldBe($"commit {head}: invalid committer");
        pushed.Said.ShouldContain($"ERROR: commit {head}: email address alice@example.org is not registered in your account, and you lack 'forge committer' permission.");
    }

    [Fact]
    public async Task Who_may_not_push_to_a_branch_is_sent_to_review()
    {
        var clone = await Peer.CloneAsync(await Peer.ProjectAsync(), "alice");
        await clone.CommitAsync("Straight in");

        var pushed = await clone.PushAsync("refs/heads/main");

        pushed.Refusal.ShouldBe("prohibited by Gerrit: not permitted: update");
        pushed.Said.ShouldContain("error: branch refs/heads/main:");
        pushed.Said.ShouldContain("Push to refs/for/main to create a review, or get 'Push' rights to update the branch.");
        (await clone.PushAsync("refs/heads/new")).Refusal.ShouldBe("prohibited by Gerrit: not permitted: create");
    }

    [Fact]
    public async Task A_closed_change_takes_no_patch_sets()
    {
        var (project, clone, number) = await ChangeAsync();
        (await Peer.PostAsync("alice", $"/changes/{number}/abandon")).Status.ShouldBe(200);
        await clone.AmendAsync(("file.txt", "again\n"));

        (await clone.PushAsync("refs/for/main")).Refusal.ShouldBe($"change {Peer.Url}/c/{project}/+/{number} closed");
    }

    [Fact]
    public async Task Work_in_progress_and_private_show_in_the_answer()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        await clone.CommitAsync("Not yet", ("a", "1\n"));

        var pushed = await clone.PushAsync("refs/for/main%wip,private");

        pushed.Said.ShouldContain($"  {Peer.Url}/c/{project}/+/{await NumberAsync(project)} Not yet [PRIVATE] [WIP] [NEW]");
        var change = (await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+is:wip+is:private")).Json[0]!;
        ((bool)change["work_in_progress"]!).ShouldBeTrue();
        ((bool)change["is_private"]!).ShouldBeTrue();
        ((bool)change["has_review_started"]!).ShouldBeFalse();
    }

    [Fact]
    public async Task Votes_that_came_with_a_push_stand()
    {
        var (project, _, number) = await ChangeAsync("%l=Code-Review+1");

        var events = await Events.UntilAsync(project, "comment-added");

        ((string?)events[^1]["comment"]).ShouldBeNull();
        ((string)(await DetailAsync(number))["messages"]![0]!["message"]!).ShouldBe("Uploaded patch set 1: Code-Review+1.");
    }
}
