using System.Globalization;
using System.Net;
using System.Text.Json;
using Microsoft.Extensions.Time.Testing;
using WireMock.RequestBuilders;
using WireMock.ResponseBuilders;
using WmfCi.Core.Changes;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Tests.Rest;

public sealed class ReadingTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_recorded_change_is_read_as_people_saw_it()
    {
        using var gerrit = new GerritMock(prefix: "/r/");
        gerrit.Answer("^/r/a/accounts/self$", ")]}'\n{\"_account_id\":1000001}");
        gerrit.Answer("^/r/a/changes/demo~1/detail$", Samples.Change(GerritMock.OpenChange));
        gerrit.AnswerSample("^/r/a/changes/demo~1/comments$", "comments");

        var (change, comments) = (await gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MinValue, Cancelled)).ShouldNotBeNull();

        change.Url.ShouldBe(gerrit.Server.Url + "/r/c/demo/+/1");
        change.Votes.Select(vote => (vote.Label, vote.Value, vote.By.Username)).ShouldBe([("Code-Review", 2, "bob"), ("Verified", 2, "wmfci")], ignoreOrder: true);
        change.Reviewers.Select(reviewer => reviewer.Username).ShouldBe(["bob"]);
        change.Current.Kind.ShouldBe(PatchSetKind.NoCodeChange);
        comments.Select(comment => comment.Written).ShouldBeInOrder();
        comments.Single(comment => comment.Text.StartsWith("on the patch set", StringComparison.Ordinal)).Text.ShouldBe("on the patch set\n\nsee inline");
        comments.Where(comment => comment.Text == "recheck").ShouldHaveSingleItem().Author.Username.ShouldBe("bob");
        comments.ShouldContain(comment => comment.Text == "on the old patch set" && comment.PatchSet == 2);
        comments.ShouldNotContain(comment => comment.Text.Contains("echo more", StringComparison.Ordinal), "comments at files are no text");
        comments.ShouldNotContain(comment => comment.Text.StartsWith("Patch Set", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Comments_are_read_only_where_a_persons_message_announces_some()
    {
        using var gerrit = new GerritMock().WithChange();
        var afterPeople = new DateTimeOffset(2026, 11, 22, 15, 34, 27, TimeSpan.Zero);

        await gerrit.Review.ReadAsync(GerritMock.Id, afterPeople, Cancelled);
        gerrit.Requests.ShouldBe(["GET /a/accounts/self", "GET /a/changes/demo~1/detail?o=CURRENT_REVISION&o=SKIP_DIFFSTAT"]);

        await gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MinValue, Cancelled);
        gerrit.Requests.Last().ShouldBe("GET /a/changes/demo~1/comments");
    }

    [Fact]
    public async Task A_merged_change_is_read()
    {
        using var gerrit = new GerritMock().WithChange(Samples.Change("change-merged"));

        (await gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MaxValue, Cancelled))!.Change.Status.ShouldBe(ChangeStatus.Merged);
    }

    [Fact]
    public async Task Privacy_and_work_in_progress_are_read()
    {
        using var gerrit = new GerritMock().WithChange(Samples.Change(GerritMock.OpenChange).Replace("\"status\":", "\"is_private\":true,\"work_in_progress\":true,\"status\":", StringComparison.Ordinal));

        var change = (await gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MaxValue, Cancelled))!.Change;

        (change.IsPrivate, change.IsWorkInProgress).ShouldBe((true, true));
    }

    [Fact]
    public async Task A_change_that_is_not_there_is_null()
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("self", "{\"_account_id\":3}");
        gerrit.AnswerSample("detail", "change-not-found");

        (await gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MinValue, Cancelled)).ShouldBeNull();
    }

    [Theory]
    [InlineData("operations/puppet", "operations%2Fpuppet")]
    [InlineData("a b", "a%20b")]
    [InlineData("ünï", "%C3%BCn%C3%AF")]
    [InlineData("50%25", "50%2525")]
    [InlineData("a%2Fb", "a%252Fb")]
    [InlineData("a+b?c#d&e=f", "a%2Bb%3Fc%23d%26e%3Df")]
    [InlineData("x{change}y", "x%7Bchange%7Dy")]
    public async Task Names_are_escaped_once(string project, string escaped)
    {
        // Seen before it is sent: servers show paths with some of the escapes undone.
        using var wire = new Wire();
        using var gerrit = new GerritMock();
        using var review = new GerritCodeReview(gerrit.Options with { Url = new Uri("http://gerrit.example/r/") }, TimeProvider.System, wire);

        await review.ReadAsync(new ChangeId(project, 12), DateTimeOffset.MinValue, Cancelled);
        await Should.ThrowAsync<CodeReviewException>(() => review.ReadMergeSettingsAsync(project, Cancelled));

        wire.Paths.Skip(1).ShouldBe([$"/r/a/changes/{escaped}~12/detail?o=CURRENT_REVISION&o=SKIP_DIFFSTAT", $"/r/a/projects/{escaped}/config"]);
    }

    [Theory]
    [InlineData("..")]
    [InlineData("a/../../accounts")]
    [InlineData("")]
    [InlineData("a\nb")]
    public async Task Names_that_would_lead_elsewhere_are_not_asked_for(string project)
    {
        using var gerrit = new GerritMock();

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadMergeSettingsAsync(project, Cancelled));

        error.Failure.ShouldBe(FailureClass.Permanent);
        gerrit.Requests.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("""{"submit_type":"REBASE_ALWAYS","default_submit_type":{"value":"MERGE_ALWAYS"},"use_content_merge":{"value":true,"configured_value":"INHERIT","inherited_value":false}}""", "REBASE_ALWAYS", true)]
    [InlineData("""{"submit_type":"INHERIT","default_submit_type":{"value":"CHERRY_PICK"},"use_content_merge":{"configured_value":"INHERIT","inherited_value":true}}""", "CHERRY_PICK", true)]
    [InlineData("""{"submit_type":"INHERIT","default_submit_type":{"value":"INHERIT","inherited_value":"FAST_FORWARD_ONLY"},"use_content_merge":{"configured_value":"FALSE","inherited_value":true}}""", "FAST_FORWARD_ONLY", false)]
    [InlineData("""{"use_content_merge":{"configured_value":"INHERIT"}}""", "MERGE_IF_NECESSARY", false)]
    [InlineData("{}", "MERGE_IF_NECESSARY", false)]
    public async Task Merge_settings_are_the_effective_ones(string config, string type, bool contentMerge)
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("config", ")]}'\n" + config);

        (await gerrit.Review.ReadMergeSettingsAsync("p", Cancelled)).ShouldBe(new MergeSettings(type, contentMerge));
    }

    [Fact]
    public async Task Merge_settings_are_remembered_for_a_while()
    {
        var time = new FakeTimeProvider();
        using var gerrit = new GerritMock(time: time);
        gerrit.AnswerSample("config", "project-config");

        await gerrit.Review.ReadMergeSettingsAsync("p", Cancelled);
        time.Advance(TimeSpan.FromSeconds(29));
        (await gerrit.Review.ReadMergeSettingsAsync("p", Cancelled)).ShouldBe(new MergeSettings("MERGE_IF_NECESSARY", true));
        gerrit.Requests.Count().ShouldBe(1);

        time.Advance(TimeSpan.FromSeconds(2));
        await gerrit.Review.ReadMergeSettingsAsync("p", Cancelled);
        gerrit.Requests.Count().ShouldBe(2);
    }

    [Fact]
    public async Task All_pages_of_updated_changes_are_read_and_the_oldest_kept()
    {
        using var gerrit = new GerritMock();
        AnswerPage(gerrit, skip: 0, more: true, (5, "2026-11-22 12:00:05"), (4, "2026-11-22 12:00:04"));
        AnswerPage(gerrit, skip: 2, more: false, (4, "2026-11-22 12:00:04"), (3, "2026-11-22 12:00:03"), (2, "2026-11-22 12:00:03"));

        var found = await gerrit.Review.ReadUpdatedSinceAsync(new DateTimeOffset(2026, 11, 22, 12, 0, 3, 999, TimeSpan.Zero), 3, Cancelled);

        found.Select(change => change.Id.Number).ShouldBe([2, 3, 4]);
        gerrit.Requests.First().ShouldBe("GET /a/changes/?o=SKIP_DIFFSTAT&q=since%3A%222026-11-22%2012%3A00%3A03%22&n=500&S=0");
    }

    [Fact]
    public async Task A_window_without_end_is_halved_until_it_can_be_read()
    {
        using var gerrit = new GerritMock(time: new FakeTimeProvider(new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero)));
        gerrit.Server.Given(Request.Create().WithParam("q", true, new WireMock.Matchers.RegexMatcher("before:\"2026-11-22 11:"))).AtPriority(-1)
            .RespondWith(Response.Create().WithBody(Page(more: false, (1, "2026-11-22 11:00:01"))));
        gerrit.Server.Given(Request.Create()).RespondWith(Response.Create().WithBody(Page(more: true, (9, "2026-11-22 11:59:59"))));

        var found = await gerrit.Review.ReadUpdatedSinceAsync(new DateTimeOffset(2026, 11, 22, 11, 0, 0, TimeSpan.Zero), 10, Cancelled);

        found.Select(change => change.Id.Number).ShouldBe([1]);
        gerrit.Requests.Count().ShouldBeLessThan(100);
    }

    private sealed class Wire : HttpMessageHandler
    {
        public List<string> Paths { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Paths.Add(request.RequestUri!.PathAndQuery);
            return Task.FromResult(Paths.Count == 1
                ? new HttpResponseMessage { Content = new StringContent("{\"_account_id\":3}") }
                : new HttpResponseMessage(HttpStatusCode.NotFound) { Content = new StringContent("Not found: it") });
        }
    }

    private static void AnswerPage(GerritMock gerrit, int skip, bool more, params (int Number, string Updated)[] changes) =>
        gerrit.Server.Given(Request.Create().WithParam("S", skip.ToString(CultureInfo.InvariantCulture))).RespondWith(Response.Create().WithBody(Page(more, changes)));

    private static string Page(bool more, params (int Number, string Updated)[] changes) => ")]}'\n" + JsonSerializer.Serialize(changes.Select((change, index) =>
        new { project = "demo", _number = change.Number, updated = change.Updated + ".000000000", _more_changes = more && index == changes.Length - 1 }));
}
