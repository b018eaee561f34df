using System.Globalization;

namespace WmfCi.Gerrit.Tests.StandIn;

public abstract partial class GerritContract
{
    [Fact]
    public async Task A_list_is_newest_first_and_says_when_there_is_more()
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, "alice");
        foreach (var name in new[] { "a", "b", "c" }) await clone.CommitAsync("Add " + name, (name, "1\n"));
        await clone.PushAsync("refs/for/main");

        var page = (await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+status:open&n=2")).Json.AsArray();
        var rest = (await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+status:open&n=2&S=2")).Json.AsArray();

        page.Count.ShouldBe(2);
        page[0]!["_more_changes"].ShouldBeNull();
        ((bool)page[1]!["_more_changes"]!).ShouldBeTrue();
        rest.Count.ShouldBe(1);
        rest[0]!["_more_changes"].ShouldBeNull();
        page.Concat(rest).Select(c => (int)c!["_number"]!).Distinct().Count().ShouldBe(3);
    }

    [Fact]
    public async Task Changes_are_found_by_the_time_of_their_last_update()
    {
        var (project, _, number) = await ChangeAsync();
        var updated = DateTime.ParseExact(((string)(await DetailAsync(number))["updated"]!)[..19], "yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        async Task<int> Count(string term) =>
            (await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+{Uri.EscapeDataString(term)}")).Json.AsArray().Count;
        static string Time(DateTime time) => time.ToString("yyyy-MM-dd HH:mm:ss.fff", CultureInfo.InvariantCulture);

        (await Count($"since:\"{Time(updated.AddMilliseconds(-1500))}\"")).ShouldBe(1);
        (await Count($"after:\"{Time(updated.AddSeconds(3))}\"")).ShouldBe(0);
        (await Count($"before:\"{Time(updated.AddSeconds(-2))}\"")).ShouldBe(0);
        (await Count($"until:\"{Time(updated.AddSeconds(3))}\"")).ShouldBe(1);
    }

    [Theory]
    [InlineData("status:open", 1)]
    [InlineData("is:open -is:wip owner:alice branch:main", 1)]
    [InlineData("status:merged OR status:abandoned", 0)]
    [InlineData("(status:merged OR status:open) NOT is:private", 1)]
    [InlineData("owner:bob", 0)]
    [InlineData("label:Verified=1", 0)]
    [InlineData("-age:1d", 1)]
    [InlineData("file:file.txt", 1)]
    public async Task The_search_language_is_understood(string query, int found)
    {
        var (project, _, _) = await ChangeAsync();

        (await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}+({Uri.EscapeDataString(query)})")).Json.AsArray().Count.ShouldBe(found);
    }

    [Theory]
    [InlineData("nosuch:x", "Unsupported operator nosuch:x")]
    [InlineData("is:nosuch", "Unrecognized value: nosuch")]
    [InlineData("since:xx", "Invalid date format: xx")]
    public async Task A_search_that_means_nothing_is_refused(string query, string text) =>
        (await Peer.GetAsync("wmfci", "/changes/?q=" + Uri.EscapeDataString(query))).ShouldRefuse(400, text);

    [Fact]
    public async Task A_change_has_three_names()
    {
        var (project, _, number) = await ChangeAsync();
        var change = (await Peer.GetAsync("wmfci", $"/changes/{number}")).Json;
        var triplet = (string)change["triplet_id"]!;

        foreach (var name in new[] { $"{project}~{number}", triplet, (string)change["change_id"]! })
            ((int)(await Peer.GetAsync("wmfci", "/changes/" + name)).Json["_number"]!).ShouldBe(number);
        (await Peer.GetAsync("wmfci", $"/changes/?q=change:{triplet}")).Json.AsArray().Count.ShouldBe(1);
        (await Peer.GetAsync("wmfci", $"/changes/?q={number}")).Json.AsArray().Count.ShouldBe(1);
    }

    [Fact]
    public async Task Plain_and_detailed_answers_have_the_fields_that_a_CI_reads()
    {
        var (_, _, number) = await ChangeAsync();
        await ApproveAsync(number);
        string[] plain =
        [
            "id", "triplet_id", "project", "branch", "attention_set", "removed_from_attention_set", "hashtags", "change_id", "subject", "status", "created", "updated",
            "submit_type", "insertions", "deletions", "total_comment_count", "unresolved_comment_count", "has_review_started", "meta_rev_id", "_number",
            "virtual_id_number", "owner", "current_revision_number", "requirements", "submit_records",
        ];
        string[] detailed = ["labels", "permitted_labels", "removable_labels", "removable_reviewers", "reviewers", "pending_reviewers", "reviewer_updates", "messages"];

        Names((await Peer.GetAsync("wmfci", $"/changes/{number}")).Json).ShouldBe(plain, ignoreOrder: true);
        var detail = await DetailAsync(number);
        Names(detail).ShouldBe(plain.Concat(detailed), ignoreOrder: true);
        Names(detail["labels"]!["Verified"]!).ShouldBe(["approved", "all", "values", "description", "default_value", "optional"], ignoreOrder: true);
        var vote = detail["labels"]!["Verified"]!["all"]!.AsArray().Single(v => (string?)v!["username"] == "wmfci")!;
        Names(vote).ShouldBe(["value", "date", "permitted_voting_range", "_account_id", "name", "email", "username", "tags"], ignoreOrder: true);
        (await Peer.GetAsync("wmfci", $"/changes/{number}?o=NOSUCH")).ShouldRefuse(400, "\"NOSUCH\" is not a valid value for \"-o\"");
    }

    [Fact]
    public async Task Contents_and_commits_can_be_read()
    {
        var (_, clone, number) = await ChangeAsync();

        var content = await Peer.GetAsync("wmfci", $"/changes/{number}/revisions/current/files/file.txt/content");
        var commit = (await Peer.GetAsync("wmfci", $"/changes/{number}/revisions/current/commit")).Json;
        var files = (await Peer.GetAsync("wmfci", $"/changes/{number}/revisions/current/files")).Json;

        System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(content.Body)).ShouldBe("one\ntwo\nthree\n");
        ((string)commit["commit"]!).ShouldBe(await clone.HeadAsync());
        ((string)commit["parents"]![0]!["subject"]!).ShouldBe("Initial empty repository");
        Names(files).ShouldBe(["/COMMIT_MSG", "file.txt"], ignoreOrder: true);
        ((int)files["/COMMIT_MSG"]!["lines_inserted"]!).ShouldBe(9);
        ((int)files["/COMMIT_MSG"]!["size"]!).ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Accounts_know_who_is_a_program()
    {
        var self = (await Peer.GetAsync("wmfci", "/accounts/self/detail")).Json;
        var bob = (await Peer.GetAsync("wmfci", "/accounts/bob/detail")).Json;

        ((string)self["username"]!).ShouldBe("wmfci");
        self["tags"]!.AsArray().Select(t => (string)t!).ShouldBe(["SERVICE_USER"]);
        ((string)bob["email"]!).ShouldBe("bob@example.org");
        bob["tags"].ShouldBeNull();
        (await Peer.GetAsync("wmfci", "/accounts/nobody")).ShouldRefuse(404, "Account 'nobody' not found");
        (await Peer.GetAsync("wmfci", "/accounts/?q=email:alice@example.org&o=DETAILS")).Json[0]!["username"]!.GetValue<string>().ShouldBe("alice");
    }

    [Fact]
    public async Task Projects_can_be_made_by_administrators_and_read_by_all()
    {
        var project = await Peer.ProjectAsync("FAST_FORWARD_ONLY");

        ((string)(await Peer.GetAsync("wmfci", $"/projects/{project}/config")).Json["submit_type"]!).ShouldBe("FAST_FORWARD_ONLY");
        (await Peer.GetAsync("wmfci", $"/projects/{project}/HEAD")).Json.GetValue<string>().ShouldBe("refs/heads/main");
        (await Peer.GetAsync("wmfci", $"/projects/{project}/branches/")).Json.AsArray().Select(b => (string)b!["ref"]!).ShouldContain("refs/heads/main");
        (await Peer.GetAsync("wmfci", $"/projects/?p={project}&b=main")).Json[project]!["branches"]!["main"]!.GetValue<string>().Length.ShouldBe(40);
        (await Peer.GetAsync("wmfci", "/projects/nowhere")).ShouldRefuse(404, "Not found: nowhere");
        (await Peer.AskAsync("admin", HttpMethod.Put, "/projects/" + project, new { })).ShouldRefuse(409, $"Project \"{project}\" already exists");
        (await Peer.AskAsync("alice", HttpMethod.Put, "/projects/" + project + "x", new { })).ShouldRefuse(403, "create project not permitted");
    }

    [Fact]
    public async Task Without_a_good_password_there_is_no_answer()
    {
        using var http = new HttpClient();
        using var nobody = await http.GetAsync(new Uri(Peer.Url + "/a/accounts/self"), TestContext.Current.CancellationToken);

        ((int)nobody.StatusCode).ShouldBe(401);
        nobody.Headers.WwwAuthenticate.ToString().ShouldBe("Basic realm=\"Gerrit Code Review\"");
        (await Peer.GetAsync(null, "/config/server/version")).Json.GetValue<string>().ShouldStartWith("3.");
    }
}
