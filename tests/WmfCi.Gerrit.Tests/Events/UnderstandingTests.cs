using System.Globalization;
using WmfCi.Core.Changes;
using WmfCi.Gerrit.Events;

namespace WmfCi.Gerrit.Tests.Events;

public sealed class UnderstandingTests
{
    /// <summary>type, lines in the samples, lines that ask to look at a change.</summary>
    private static readonly (string Type, int Lines, int Looks)[] Expected =
    [
        ("change-abandoned", 2, 2),
        ("change-deleted", 1, 1),
        ("change-merged", 8, 8),
        ("change-restored", 2, 2),
        ("comment-added", 28, 28),
        ("hashtags-changed", 2, 2),
        ("patchset-created", 26, 26),
        ("private-state-changed", 2, 2),
        ("project-created", 2, 0),
        ("project-head-updated", 2, 0),
        ("ref-updated", 126, 82),
        ("reviewer-added", 6, 6),
        ("reviewer-deleted", 1, 1),
        ("topic-changed", 8, 8),
        ("vote-deleted", 1, 1),
        ("wip-state-changed", 3, 3),
    ];

    [Fact]
    public void Every_recorded_line_is_understood_or_passed_over_on_purpose()
    {
        var seen = Samples.EventLines().Select(StreamEvents.Understand).GroupBy(line => line.Type)
            .Select(group => (group.Key, group.Count(), group.Count(line => line.Change is not null)))
            .OrderBy(row => row.Key, StringComparer.Ordinal);

        seen.ShouldBe(Expected);
    }

    [Fact]
    public void Every_story_about_a_change_asks_to_look_at_it()
    {
        foreach (var file in Samples.EventFiles())
        {
            var lines = File.ReadLines(file).ToList();
            var changes = lines.Select(StreamEvents.Understand).Where(line => line.Change is not null).Select(line => line.Change!.Value.Number).ToHashSet();
            var mentioned = lines.SelectMany(line => System.Text.RegularExpressions.Regex.Matches(line, @"refs/changes/[0-9]{2}/(?<number>[0-9]+)/", System.Text.RegularExpressions.RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1)))
                .Select(match => int.Parse(match.Groups["number"].Value, CultureInfo.InvariantCulture)).ToHashSet();

            changes.IsSupersetOf(mentioned).ShouldBeTrue(file);
        }
    }

    [Theory]
    [InlineData("""{"type":"ref-updated","refUpdate":{"refName":"refs/changes/34/1234/meta","project":"operations/puppet"}}""", "operations/puppet", 1234)]
    [InlineData("""{"type":"ref-updated","refUpdate":{"refName":"refs/changes/01/1/meta","project":"a b"}}""", "a b", 1)]
    [InlineData("""{"type":"comment-added","change":{"project":"p","number":"77"}}""", "p", 77)]
    [InlineData("""{"type":"future-event","change":{"project":"p","number":77},"refUpdate":5}""", "p", 77)]
    [InlineData("""{"type":"batch-ref-updated","project":"p","refUpdates":[{"refName":"refs/changes/05/5/1","project":"p"},{"refName":"refs/changes/05/5/meta","project":"p"}]}""", "p", 5)]
    public void A_line_says_which_change_to_look_at(string line, string project, int number) =>
        StreamEvents.Understand(line).Change.ShouldBe(new ChangeId(project, number));

    [Theory]
    [InlineData("refs/changes/34/1234/2")]
    [InlineData("refs/changes/34/1234/meta/x")]
    [InlineData("refs/changes/35/1234/meta")]
    [InlineData("refs/changes/34/0001234/meta")]
    [InlineData("refs/changes/99/99999999999/meta")]
    [InlineData("refs/changes/34/1234/robot-comments")]
    [InlineData("refs/changes/34/1234/meta\n")]
    [InlineData("refs/heads/main")]
    [InlineData("refs/users/02/1000002/edit-9/2")]
    [InlineData("")]
    public void Other_refs_ask_for_nothing(string name)
    {
        var line = $$$"""{"type":"ref-updated","refUpdate":{"refName":{{{System.Text.Json.JsonSerializer.Serialize(name)}}},"project":"p"}}""";

        StreamEvents.Understand(line).ShouldBe(new("ref-updated", null));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("\"type\"")]
    [InlineData("{}")]
    [InlineData("{\"type\":5}")]
    [InlineData("{\"type\":\"\"}")]
    [InlineData("{\"type\":\"a\\nb\"}")]
    [InlineData("{\"type\":\"comment-added\"")]
    [InlineData("{\"type\":\"comment-added\"} trailing")]
    [InlineData("{\"type\":\"\\ud800\"}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":null}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":[]}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"p\",\"number\":0}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"p\",\"number\":-4}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"p\",\"number\":1.5}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"p\",\"number\":1e300}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"p\",\"number\":99999999999}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"p\",\"number\":\"12 \"}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"..\",\"number\":1}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"a/../b\",\"number\":1}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":\"a\\u0000b\",\"number\":1}}")]
    [InlineData("{\"type\":\"comment-added\",\"change\":{\"project\":7,\"number\":1}}")]
    [InlineData("{\"type\":\"ref-updated\",\"refUpdate\":[]}")]
    [InlineData("{\"type\":\"ref-updated\",\"refUpdate\":{\"refName\":5,\"project\":\"p\"}}")]
    [InlineData("{\"type\":\"ref-updated\",\"refUpdate\":{\"refName\":\"refs/changes/01/1/meta\"}}")]
    [InlineData("{\"type\":\"batch-ref-updated\",\"refUpdates\":{}}")]
    public void What_is_no_event_is_malformed(string line) => StreamEvents.Understand(line).ShouldBe(new("malformed", null));

    [Fact]
    public void Deep_nesting_is_malformed()
    {
        var line = "{\"type\":\"x\",\"y\":" + new string('[', 100_000) + new string(']', 100_000) + "}";

        StreamEvents.Understand(line).ShouldBe(new("malformed", null));
    }

    [Fact]
    public void The_marker_of_a_line_that_was_too_long_says_so() =>
        StreamEvents.Understand(StreamEvents.TooLongLine).ShouldBe(new("too-long", null));

    [Fact]
    public void An_event_of_a_private_change_gives_only_which_change()
    {
        var line = File.ReadLines(Samples.EventFiles().Single(file => file.EndsWith("033-private-set.jsonl", StringComparison.Ordinal))).Last();

        StreamEvents.Understand(line).ShouldBe(new("private-state-changed", new ChangeId("demo", 1)));
    }
}
