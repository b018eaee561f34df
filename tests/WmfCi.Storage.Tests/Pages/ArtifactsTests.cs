using WmfCi.Core.Runs;

namespace WmfCi.Storage.Tests.Pages;

public sealed class ArtifactsTests : DatabaseTest
{
    private static readonly AttemptId Attempt = new(new RunId(3), "commit", 1);
    private static readonly StoredSnapshot First = new("first", 1, [new Submodule("vendor/teeth", new string('e', 40), "https://example.org/teeth")]);

    [Fact]
    public async Task What_an_attempt_left_is_stored_with_its_end_and_listed_by_path()
    {
        StoredArtifact[] files = [new("out/b.txt", "bb", 2, false), new("out/a.xml", "aa", 1L << 40, true)];
        await WishAsync("a", Samples.RunStage(Attempt));
        var claim = (await Outbox.ClaimAsync(Pools.Runner, 1, "me", Cancel)).Single();
        (await Outbox.CompleteAsync(claim, [], [.. Artifacts.Add(Attempt, files), .. Artifacts.Add(Attempt, [])], Cancel)).ShouldBeTrue();

        (await new Artifacts(Source).OfAttemptAsync(Attempt, Cancel)).ShouldBe([files[1], files[0]]);
        (await new Artifacts(Source).OfAttemptAsync(Attempt with { Number = 2 }, Cancel)).ShouldBeEmpty();
    }

    [Fact]
    public async Task The_first_to_publish_a_tree_names_its_source()
    {
        var artifacts = new Artifacts(Source);
        (await artifacts.FindSnapshotAsync("p", "tree", false, Cancel)).ShouldBeNull();
        await artifacts.AddSnapshotAsync("p", "tree", false, First, Cancel);
        await artifacts.AddSnapshotAsync("p", "tree", false, new StoredSnapshot("second", 2, []), Cancel);
        await artifacts.AddSnapshotAsync("p", "tree", true, new StoredSnapshot("with history", 3, []), Cancel);

        (await artifacts.FindSnapshotAsync("p", "tree", false, Cancel)).ShouldBe(First);
        (await artifacts.FindSnapshotAsync("p", "tree", true, Cancel)).ShouldBe(new StoredSnapshot("with history", 3, []));
        (await artifacts.FindSnapshotAsync("q", "tree", false, Cancel)).ShouldBeNull();
    }
}
