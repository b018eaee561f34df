using WmfCi.Core.Changes;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Tests.Contract;

public abstract partial class CodeReviewContract
{
    [Fact]
    public async Task We_know_who_we_are()
    {
        var self = await Bot.ReadSelfAsync(Cancelled);

        self.Username.ShouldBe("wmfci");
        int.Parse(self.Id, System.Globalization.CultureInfo.InvariantCulture).ShouldBePositive();
    }

    [Fact]
    public async Task A_pushed_change_is_read_whole()
    {
        var before = DateTimeOffset.UtcNow.AddMinutes(-1);

        var (tree, id, commit) = await ChangeAsync();
        var (change, comments) = await ReadAsync(id);

        change.Id.ShouldBe(id);
        change.Branch.ShouldBe("main");
        change.Subject.ShouldBe("A change");
        change.Url.ShouldBe($"{Server.Url}c/{tree.Project}/+/{id.Number}");
        change.Owner.Username.ShouldBe("alice");
        change.Owner.Name.ShouldBe("Alice");
        change.Owner.Email.ShouldBe("alice@example.org");
        change.Status.ShouldBe(ChangeStatus.Open);
        (change.IsPrivate, change.IsWorkInProgress).ShouldBe((false, false));
        change.Current.ShouldBe(new PatchSet(1, commit, $"refs/changes/{id.Number % 100:00}/{id.Number}/1", PatchSetKind.Rework, change.Owner, change.Current.Created));
        var after = DateTimeOffset.UtcNow.AddMinutes(1);
        change.Current.Created.ShouldBeInRange(before, after);
        change.Updated.ShouldBeInRange(before, after);
        change.Votes.ShouldBeEmpty();
        change.Reviewers.ShouldBeEmpty();
        comments.ShouldHaveSingleItem().IsAutomatic.ShouldBeTrue();
    }

    [Fact]
    public async Task A_new_patch_set_is_current_and_says_how_it_differs()
    {
        var (tree, id, _) = await ChangeAsync();
        var second = await ReviewServer.PushAsync(tree, "a file.txt", "one\ntwo\nthree\n", new Push(Amend: true), Cancelled);

        var change = (await ReadAsync(id)).Change;

        (change.Current.Number, change.Current.Revision, change.Current.Kind).ShouldBe((2, second, PatchSetKind.Rework));
    }

    [Theory]
    [InlineData("contract/with space")]
    [InlineData("contract/ünï çödé")]
    [InlineData("contract/plus+and#and(brackets)'s.git-x")]
    [InlineData("contract/a/b/c/d")]
    public async Task Projects_of_all_names_are_found(string name)
    {
        var (tree, id, commit) = await ChangeAsync(start: name);

        (await ReadAsync(id)).Change.Id.Project.ShouldBe(tree.Project);
        (await Bot.ReadMergeSettingsAsync(tree.Project, Cancelled)).ShouldBe(new MergeSettings("MERGE_IF_NECESSARY", UseContentMerge: true));
        (await Bot.PostAsync(Review(id, commit), mayBePosted: true, Cancelled)).ShouldBe(PostOutcome.Posted);
    }

    [Fact]
    public async Task What_is_not_there_is_null()
    {
        var tree = await ProjectAsync();

        (await Bot.ReadAsync(new ChangeId(tree.Project, int.MaxValue), DateTimeOffset.MinValue, Cancelled)).ShouldBeNull();
        (await Bot.ReadAsync(new ChangeId("no/such/project%2F", 1), DateTimeOffset.MinValue, Cancelled)).ShouldBeNull();
    }

    [Fact]
    public async Task Every_way_of_writing_gives_the_text_that_the_person_wrote()
    {
        var (_, id, commit) = await ChangeAsync();
        var level = (string text) => new Dictionary<string, object[]>(StringComparer.Ordinal) { ["/PATCHSET_LEVEL"] = [new { message = text }] };
        var inline = new Dictionary<string, object[]>(StringComparer.Ordinal) { ["a file.txt"] = [new { line = 1, message = "recheck" }] };

        // Another author each time: Gerrit links comments to messages by author and second.
        await Server.ReviewAsync("alice", id, new { message = "recheck, message only" }, Cancelled);
        (await LastCommentAsync(id)).Text.ShouldBe("recheck, message only");

        await Server.ReviewAsync("bob", id, new { comments = level("recheck, patch set level only") }, Cancelled);
        (await LastCommentAsync(id)).Text.ShouldBe("recheck, patch set level only");

        await Server.ReviewAsync("carol", id, new { message = "the message", comments = level("recheck, both"), labels = new Dictionary<string, int>(StringComparer.Ordinal) { ["Code-Review"] = 1 } }, Cancelled);
        var both = await LastCommentAsync(id);
        (both.Text, both.Author.Username, both.Tag, both.PatchSet).ShouldBe(("recheck, both\n\nthe message", "carol", null, 1));
        both.LabelsChanged.ShouldBe(["Code-Review"]);

        await Server.ReviewAsync("mallory", id, new { comments = inline }, Cancelled);
        (await LastCommentAsync(id)).Text.ShouldBe("");

        await Server.SshAsync("admin", ["review", "-m", "'recheck, by ssh'", commit], Cancelled);
        (await LastCommentAsync(id)).Text.ShouldBe("recheck, by ssh");

        var (_, comments) = await ReadAsync(id);
        comments.Select(comment => comment.Id).Distinct().Count().ShouldBe(comments.Count);
        comments.Count(comment => !comment.IsAutomatic).ShouldBe(5);
        comments[0].IsAutomatic.ShouldBeTrue();
    }

    [Fact]
    public async Task Comments_before_a_time_may_be_left_out_and_none_after_it_is()
    {
        var (_, id, _) = await ChangeAsync();
        await Server.ReviewAsync("bob", id, new { message = "recheck" }, Cancelled);
        var written = (await LastCommentAsync(id)).Written;

        (await Bot.ReadAsync(id, written.AddMilliseconds(999), Cancelled))!.Comments[^1].Text.ShouldBe("recheck");
        (await Bot.ReadAsync(id, written.AddHours(1), Cancelled))!.Comments.ShouldBeEmpty();
    }

    [Fact]
    public async Task Votes_are_read_given_changed_and_taken_back()
    {
        var (_, id, _) = await ChangeAsync();

        await Server.ReviewAsync("bob", id, new { labels = new Dictionary<string, int>(StringComparer.Ordinal) { ["Code-Review"] = 2 } }, Cancelled);
        var (change, comments) = await ReadAsync(id);
        change.Votes.Select(vote => (vote.Label, vote.Value, vote.By.Username)).ShouldBe([("Code-Review", 2, "bob")]);
        change.Reviewers.Select(reviewer => reviewer.Username).ShouldBe(["bob"]);
        (comments[^1].Text, comments[^1].LabelsChanged.Count).ShouldBe(("", 1));

        await Server.ReviewAsync("bob", id, new { message = "I was wrong", labels = new Dictionary<string, int>(StringComparer.Ordinal) { ["Code-Review"] = 0 } }, Cancelled);
        (change, comments) = await ReadAsync(id);
        change.Votes.ShouldBeEmpty();
        comments[^1].Text.ShouldBe("I was wrong");
        comments[^1].LabelsChanged.ShouldBe(["Code-Review"]);
    }

    [Fact]
    public async Task The_bot_itself_is_no_reviewer_and_neither_is_the_informed()
    {
        var (_, id, commit) = await ChangeAsync();
        await Bot.PostAsync(Review(id, commit) with { Label = "Verified", Value = 1 }, mayBePosted: false, Cancelled);
        await Server.CallAsync("alice", HttpMethod.Post, ReviewServer.ChangePath(id) + "/reviewers", new { reviewer = "carol", state = "CC" }, Cancelled);
        await Server.CallAsync("alice", HttpMethod.Post, ReviewServer.ChangePath(id) + "/reviewers", new { reviewer = "bob" }, Cancelled);

        (await ReadAsync(id)).Change.Reviewers.Select(reviewer => reviewer.Username).ShouldBe(["bob"]);
    }

    [Fact]
    public async Task Work_in_progress_and_private_are_seen()
    {
        var (_, wip, _) = await ChangeAsync("wip");
        var (_, hidden, _) = await ChangeAsync("private");

        (await ReadAsync(wip)).Change.IsWorkInProgress.ShouldBeTrue();
        (await ReadAsync(hidden)).Change.IsPrivate.ShouldBeTrue();
        using var stranger = new GerritCodeReview(Server.Options("mallory"), TimeProvider.System);
        (await stranger.ReadAsync(hidden, DateTimeOffset.MinValue, Cancelled)).ShouldBeNull();
        await Server.CallAsync("alice", HttpMethod.Post, ReviewServer.ChangePath(wip) + "/ready", new { }, Cancelled);
        (await ReadAsync(wip)).Change.IsWorkInProgress.ShouldBeFalse();
    }

    [Fact]
    public async Task Abandoned_and_restored_are_seen()
    {
        var (_, id, _) = await ChangeAsync();

        await Server.CallAsync("alice", HttpMethod.Post, ReviewServer.ChangePath(id) + "/abandon", new { }, Cancelled);
        (await ReadAsync(id)).Change.Status.ShouldBe(ChangeStatus.Abandoned);

        await Server.CallAsync("alice", HttpMethod.Post, ReviewServer.ChangePath(id) + "/restore", new { }, Cancelled);
        (await ReadAsync(id)).Change.Status.ShouldBe(ChangeStatus.Open);
    }

    [Fact]
    public async Task Updated_changes_come_oldest_first_from_the_very_second_on()
    {
        var (_, first, _) = await ChangeAsync();
        var (_, second, _) = await ChangeAsync("private");
        var updated = (await ReadAsync(first)).Change.Updated;

        // A cursor in the middle of the second in which something happened must not lose it.
        var found = await Bot.ReadUpdatedSinceAsync(updated.AddMilliseconds(900), 1000, Cancelled);

        found.Select(change => change.Id).ShouldBeSubsetOf(found.Select(change => change.Id).Distinct());
        found.Select(change => change.Updated).ShouldBeInOrder();
        found.ShouldContain(change => change.Id == first && change.Updated == updated);
        found.ShouldContain(change => change.Id == second);
        // Of the oldest there may be several, and on a server that others use each may be updated at any time.
        (await Bot.ReadUpdatedSinceAsync(updated, 1, Cancelled)).ShouldHaveSingleItem().Updated.ShouldBe(updated);
        (await Bot.ReadUpdatedSinceAsync(DateTimeOffset.UtcNow.AddHours(1), 1000, Cancelled)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_settings_of_no_project_are_an_error()
    {
        var error = await Should.ThrowAsync<CodeReviewException>(() => Bot.ReadMergeSettingsAsync("no/such/project", Cancelled));

        error.Failure.ShouldBe(FailureClass.Permanent);
        error.Message.ShouldContain("404");
    }
}
