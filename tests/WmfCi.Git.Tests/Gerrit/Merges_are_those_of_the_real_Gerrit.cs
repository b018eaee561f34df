using System.Collections.Concurrent;
using System.Globalization;
using WmfCi.Fakes;

namespace WmfCi.Git.Tests;

/// <summary>
/// Random histories are merged here and submitted there. WMFCI_MERGE_HISTORIES says how many (default 60), WMFCI_MERGE_SEED where to start (default 1);
/// a difference prints the seed that makes it again.
/// </summary>
public sealed class Merges_are_those_of_the_real_Gerrit(ITestOutputHelper output)
{
    private const string Absent = "GERRIT_URL is not set: start the real Gerrit of the testbed and export what it prints";
    private const int Batch = 200;
    private const int Uploads = 3; // at the same time
    private static readonly int Histories = Number("WMFCI_MERGE_HISTORIES", 60);
    private static readonly int FirstSeed = Number("WMFCI_MERGE_SEED", 1);

    [Fact]
    public async Task With_merge_commits_and_content_merge() => await Compare("MERGE_IF_NECESSARY", SubmitType.MergeIfNecessary, content: true, Histories);

    [Fact]
    public async Task Without_content_merge() => await Compare("MERGE_IF_NECESSARY", SubmitType.MergeIfNecessary, content: false, Histories / 6);

    [Fact]
    public async Task When_changes_are_rebased() => await Compare("REBASE_IF_NECESSARY", SubmitType.RebaseIfNecessary, content: true, Histories / 6);

    [Fact]
    public async Task When_changes_are_picked() => await Compare("CHERRY_PICK", SubmitType.CherryPick, content: true, Histories / 6);

    [Fact]
    public async Task When_changes_are_picked_without_content_merge() => await Compare("CHERRY_PICK", SubmitType.CherryPick, content: false, Histories / 12);

    [Theory]
    [InlineData("MERGE_IF_NECESSARY", SubmitType.MergeIfNecessary)]
    [InlineData("MERGE_ALWAYS", SubmitType.MergeAlways)]
    [InlineData("REBASE_IF_NECESSARY", SubmitType.RebaseIfNecessary)]
    [InlineData("REBASE_ALWAYS", SubmitType.RebaseAlways)]
    [InlineData("CHERRY_PICK", SubmitType.CherryPick)]
    public async Task A_series_of_two_lands_as_predicted(string gerritType, SubmitType type)
    {
        Assert.SkipUnless(GerritForMerges.Address is not null, Absent);
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new TemporaryFolder();
        using var import = new GitFastImport();
        var files = Three.Files(("a", "1\n2\n3\n"), ("b", "1\n"));
        string[] ids = ["I" + new string('1', 40), "I" + new string('2', 40)];
        var root = import.Commit(new GitFastImportCommit("refs/heads/w", "root", 1000, []), files);
        import.Reset("refs/heads/ours", import.Commit(new GitFastImportCommit("refs/heads/w", "ours", 1001, [root]), files.With("a", "x\n2\n3\n")));
        var first = import.Commit(new GitFastImportCommit("refs/heads/w", "first\n\nChange-Id: " + ids[0], 1002, [root]), files.With("b", "2\n"));
        import.Reset("refs/heads/theirs", import.Commit(new GitFastImportCommit("refs/heads/w", "second\n\nChange-Id: " + ids[1], 1003, [first]), files.With("b", "2\n").With("a", "1\n2\ny\n")));
        await import.Run(folder.Path, cancellationToken);
        using var gerrit = await GerritForMerges.Create(folder.Path, (gerritType, true), cancellationToken);
        await gerrit.Push(["refs/heads/ours:refs/heads/t1"], cancellationToken);
        await gerrit.Push(["refs/heads/theirs:refs/for/t1"], cancellationToken);
        await gerrit.Vote(ids[0], "t1", cancellationToken);
        (await gerrit.Land(ids[1], "t1", cancellationToken)).ShouldBeNull();
        await gerrit.Fetch(cancellationToken);
        using var repository = BareRepository.Open(folder.Path);
        using var sharp = new LibGit2Sharp.Repository(folder.Path);
        var here = SpeculativeMerge.Run(repository, sharp.Refs["refs/heads/ours"].TargetIdentifier, sharp.Refs["refs/heads/theirs"].TargetIdentifier, new MergeSettings { SubmitType = type }, cancellationToken);
        here.ShouldBeOfType<MergeResult.Merged>().Tree.ShouldBe(Tree(sharp, "refs/landed/t1"));
    }

    private async Task Compare(string gerritType, SubmitType type, bool content, int count)
    {
        Assert.SkipUnless(GerritForMerges.Address is not null, Absent);
        var settings = new MergeSettings { SubmitType = type, UseContentMerge = content };
        var all = new List<Outcome>();
        for (var from = 0; from < count; from += Batch) all.AddRange(await Run((gerritType, settings), FirstSeed + from, Math.Min(Batch, count - from)));
        foreach (var group in all.GroupBy(one => one.Crossed ? "several merge bases" : "one merge base", StringComparer.Ordinal))
            output.WriteLine($"{group.Key}: {group.Count()}, the same {group.Count(one => one.Same)}, refused there {group.Count(one => one.Landed is null)}");
        foreach (var one in all.Where(one => !one.Same)) output.WriteLine(one.ToString());
        var simple = all.Where(one => !one.Crossed).ToList();
        all.ShouldNotContain(one => !one.Same && one.Tree != null && one.Landed != null, "clean in both, with different trees");
        simple.Count(one => !one.Same).ShouldBeLessThanOrEqualTo(simple.Count / 200, "at least 99.5 % the same");
    }

    private static async Task<List<Outcome>> Run((string Gerrit, MergeSettings Here) settings, int firstSeed, int count)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        using var folder = new TemporaryFolder();
        using var import = new GitFastImport();
        var histories = Enumerable.Range(firstSeed, count).Select(seed => GitRandomHistory.Add(seed, seed.ToString(CultureInfo.InvariantCulture), import)).ToList();
        await import.Run(folder.Path, cancellationToken);
        using var gerrit = await GerritForMerges.Create(folder.Path, (settings.Gerrit, settings.Here.UseContentMerge), cancellationToken);
        await gerrit.Push(histories.Select(one => $"{one.OursRef}:refs/heads/t{one.Seed}"), cancellationToken);
        var refusals = new ConcurrentDictionary<int, string?>();
        await Parallel.ForEachAsync(
            histories, new ParallelOptions { MaxDegreeOfParallelism = Uploads, CancellationToken = cancellationToken },
            async (one, token) => refusals[one.Seed] = await gerrit.Submit(one, $"t{one.Seed}", token));
        await gerrit.Fetch(cancellationToken);
        using var repository = BareRepository.Open(folder.Path);
        using var sharp = new LibGit2Sharp.Repository(folder.Path);
        return [.. histories.Select(one => new Outcome(one, refusals[one.Seed], Predict(repository, sharp, one, settings.Here), sharp.Refs[$"refs/landed/t{one.Seed}"].TargetIdentifier) { LandedTree = Tree(sharp, $"refs/landed/t{one.Seed}") })];
    }

    private static MergeResult Predict(BareRepository repository, LibGit2Sharp.Repository sharp, GitRandomHistory history, MergeSettings settings) =>
        SpeculativeMerge.Run(repository, sharp.Refs[history.OursRef].TargetIdentifier, sharp.Refs[history.TheirsRef].TargetIdentifier, settings);

    private static string Tree(LibGit2Sharp.Repository sharp, string name) => LibGit2Sharp.RepositoryExtensions.Lookup<LibGit2Sharp.Commit>(sharp, sharp.Refs[name].TargetIdentifier).Tree.Sha;

    private static int Number(string variable, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : otherwise;

    private sealed record Outcome(GitRandomHistory History, string? Refusal, MergeResult Here, string LandedCommit)
    {
        public required string LandedTree { get; init; }

        public bool Crossed => History.Crossed;

        public string? Tree => (Here as MergeResult.Merged)?.Tree;

        public string? Landed => Refusal is null ? LandedTree : null;

        public bool Same => Tree == Landed;

        public override string ToString() => $"seed {History.Seed}{(Crossed ? " (crossed)" : string.Empty)}: here {Shown(Here)}; there {Landed ?? Refusal}";

        private static string Shown(MergeResult result) =>
            result is MergeResult.Conflict conflict ? $"conflict {string.Join(' ', conflict.Paths.Select(path => path.Quoted))} {conflict.Reason}" : result.ToString();
    }
}
