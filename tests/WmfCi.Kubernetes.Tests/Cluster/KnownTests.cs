using k8s;
using k8s.Models;

namespace WmfCi.Kubernetes.Tests;

public sealed class KnownTests
{
    private readonly Known<V1ConfigMap> _known = new();

    [Fact]
    public void A_list_says_what_came_what_changed_and_what_went()
    {
        _known.List("10", [Map("a", "1"), Map("b", "2")]);
        var changes = _known.List("20", [Map("b", "15"), Map("c", "16")]);
        changes!.Select(change => (change.Kind, change.Item.Metadata.Name)).ShouldBe([(ChangeKind.Gone, "a"), (ChangeKind.Set, "b"), (ChangeKind.Set, "c")]);
    }

    [Fact]
    public void What_a_list_repeats_is_no_change()
    {
        _known.List("10", [Map("a", "1")]);
        _known.List("20", [Map("a", "1")]).ShouldBeEmpty();
    }

    [Theory]
    [InlineData("9"), InlineData("10")]
    public void An_event_that_is_not_newer_is_no_news(string version)
    {
        _known.List("10", [Map("a", "8")]);
        _known.Event(WatchEventType.Deleted, Map("a", version)).ShouldBeEmpty();
        _known.Find("a").ShouldNotBeNull();
        _known.WatchFrom.ShouldBe("10");
    }

    [Fact]
    public void Versions_are_compared_as_numbers()
    {
        _known.List("99", []);
        _known.Event(WatchEventType.Added, Map("a", "100")).ShouldHaveSingleItem();
    }

    [Fact]
    public void A_list_that_is_older_is_not_believed_until_it_keeps_being_said()
    {
        _known.List("100", [Map("a", "8")]);
        for (var i = 1; i < Known<V1ConfigMap>.OlderListsBelieved; i++) _known.List("50", []).ShouldBeNull();
        _known.Find("a").ShouldNotBeNull();
        _known.List("50", []).ShouldHaveSingleItem().Kind.ShouldBe(ChangeKind.Gone);
        _known.WatchFrom.ShouldBe("50");
    }

    [Fact]
    public void An_object_that_was_made_anew_under_its_name_is_another_one()
    {
        _known.List("10", [Map("a", "8", "first")]);
        var changes = _known.Event(WatchEventType.Added, Map("a", "12", "second"));
        changes.Select(change => (change.Kind, change.Item.Metadata.Uid)).ShouldBe([(ChangeKind.Gone, "first"), (ChangeKind.Set, "second")]);
    }

    [Fact]
    public void A_bookmark_moves_where_the_watch_begins_and_never_back()
    {
        _known.List("10", []);
        _known.Bookmark("30");
        _known.Bookmark("20");
        _known.WatchFrom.ShouldBe("30");
    }

    [Fact]
    public void From_a_version_that_is_forgotten_no_watch_begins_but_what_is_known_stays()
    {
        _known.List("10", [Map("a", "8")]);
        _known.Forget();
        _known.WatchFrom.ShouldBeNull();
        _known.Find("a").ShouldNotBeNull();
        _known.List("12", [Map("a", "8")]);
        _known.WatchFrom.ShouldBe("12");
    }

    [Fact]
    public async Task A_slow_consumer_sees_the_newest_state_once_and_every_end()
    {
        var queue = new ChangeQueue<V1ConfigMap>(null);
        queue.Add(new Change<V1ConfigMap>(ChangeKind.Set, Map("a", "1", "one")));
        queue.Add(new Change<V1ConfigMap>(ChangeKind.Set, Map("a", "2", "one")));
        queue.Add(new Change<V1ConfigMap>(ChangeKind.Gone, Map("a", "3", "one")));
        queue.Add(new Change<V1ConfigMap>(ChangeKind.Set, Map("a", "4", "two")));
        await using var changes = queue.ReadAsync(TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        await changes.MoveNextAsync();
        (changes.Current.Kind, changes.Current.Item.Metadata.ResourceVersion).ShouldBe((ChangeKind.Gone, "3"));
        await changes.MoveNextAsync();
        (changes.Current.Kind, changes.Current.Item.Metadata.ResourceVersion).ShouldBe((ChangeKind.Set, "4"));
        var next = changes.MoveNextAsync().AsTask();
        queue.Add(new Change<V1ConfigMap>(ChangeKind.Set, Map("b", "5")));
        (await next).ShouldBeTrue();
        changes.Current.Item.Metadata.Name.ShouldBe("b", "nothing of the first object is left");
    }

    private static V1ConfigMap Map(string name, string version, string uid = "") =>
        new() { Metadata = new() { Name = name, ResourceVersion = version, Uid = uid.Length > 0 ? uid : name } };
}
