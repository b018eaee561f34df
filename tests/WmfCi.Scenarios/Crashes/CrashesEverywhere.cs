using System.Collections.Concurrent;
using System.Diagnostics;
using WmfCi.Core.Runs;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Crashes;

/// <summary>The process is killed wherever it could make a difference: at every place of a run, one after another, each time in a world of its own.</summary>
public abstract class CrashesEverywhere(ITestOutputHelper output)
{
    private const int MostRounds = 5;

    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    /// <summary>How many worlds there are at once.</summary>
    protected virtual int AtOnce => 4;

    /// <summary>The pipelines, for where stages run.</summary>
    protected virtual Pipelines Pipelines => Pipelines.OnTheHost;

    /// <summary>Where stages run; null for this machine.</summary>
    protected virtual Task<ClusterGround?> FindGroundAsync() => Task.FromResult<ClusterGround?>(null);

    /// <summary>Whether dying at a place is tried here.</summary>
    protected virtual bool IsTried(string place) => true;

    /// <summary>What an undisturbed life has to come by, so that what is tried is what is meant.</summary>
    protected abstract void Recognize(IReadOnlyDictionary<string, int> places);

    /// <summary>What is wrong with a stage of a run that ended well, after a death; null for nothing.</summary>
    private protected virtual string? Judge(StageRun stage, Death? death) => null;

    [Fact, Proves("HA")]
    public async Task Wherever_the_process_is_killed_the_run_ends_with_one_vote_and_each_message_once()
    {
        await using var gerrit = await StandInPeer.StartAsync(Stop);
        var begun = Stopwatch.GetTimestamp();
        var known = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var first = await LiveAsync(gerrit, null);
        first.Trouble.ShouldBeEmpty();
        Learn(known, first.Places);
        Recognize(known);

        output.WriteLine($"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s undisturbed; {known.Values.Sum()} places: {string.Join(", ", known.Select(place => $"{place.Key} ×{place.Value}"))}");
        var tried = new HashSet<Death>();
        var lives = new ConcurrentBag<Life>();
        for (var round = 1; round <= MostRounds; round++)
        {
            // A life that ended in the middle may have come by places that the undisturbed one did not: how often the loop turns is chance.
            var next = known.Where(place => IsTried(place.Key)).SelectMany(place => Enumerable.Range(1, OnlyReads(place.Key) ? 1 : place.Value).Select(occurrence => new Death(place.Key, occurrence))).Where(tried.Add).ToList();
            if (next.Count == 0) break;
            await Parallel.ForEachAsync(next, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = Stop }, async (death, _) =>
            {
                var life = await LiveAsync(gerrit, death);
                Learn(known, life.Places);
                lives.Add(life);
                output.WriteLine($"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s: {(life.Died ? "killed at" : "not reached:")} {death}, took {life.Took.TotalSeconds:0.0} s {life.Trouble}");
            });
        }

        var killed = lives.Count(life => life.Died);
        output.WriteLine($"{tried.Count} places, killed at {killed} of them, in {Stopwatch.GetElapsedTime(begun).TotalSeconds:0} s");
        output.WriteLine($"not reached when tried: {string.Join(", ", lives.Where(life => !life.Died).Select(life => life.Death))}");
        foreach (var life in lives.OrderByDescending(life => life.Took).Take(5)) output.WriteLine($"{life.Took.TotalSeconds:0.0} s: {life.Death}");
        string.Join("\n\n", lives.Where(life => life.Trouble.Length > 0).Select(life => $"Killed at {life.Death}: {life.Trouble}")).ShouldBeEmpty();
        known.Keys.Where(place => IsTried(place) && !lives.Any(life => life.Died && life.Death?.Place == place)).ShouldBeEmpty("at each place it was killed at least once");
    }

    // Nothing is other than it was before: whoever dies there again and again dies as at the places around.
    private static bool OnlyReads(string place) => place.Contains("Async ", StringComparison.Ordinal) && (place.StartsWith("Read", StringComparison.Ordinal) || place.StartsWith("Open", StringComparison.Ordinal));

    private static void Learn(ConcurrentDictionary<string, int> known, IEnumerable<string> places)
    {
        foreach (var place in places.CountBy(place => place, StringComparer.Ordinal)) known.AddOrUpdate(place.Key, place.Value, (_, before) => Math.Max(before, place.Value));
    }

    private async Task<Life> LiveAsync(GerritPeer gerrit, Death? death)
    {
        var begun = Stopwatch.GetTimestamp();
        await using var town = await Town.FoundAsync(new LentPeer(gerrit), Stop, site => site with { Polling = site.Polling with { Every = TimeSpan.FromSeconds(1) } }, await FindGroundAsync());
        await using var records = await Records.PrepareAsync(town, Stop);
        await using var mortal = Replica.Start(town, death);
        await mortal.ServesOrEnded.WaitAsync(Stop);
        var alice = await town.CloneAsync("alice", Stop);
        var change = await alice.Write(Pipelines.Path, Pipelines.BuildAndTest).Write("build", "echo 'echo hello' > program").PushAsync("Add a program", Stop);

        var trouble = await records.UntilSettledAsync(change, mortal, Stop);
        var died = mortal.HasEnded;
        if (died && !mortal.WasKilled) trouble = $"It ended by itself:\n{mortal.Said}";
        if (died && trouble.Length == 0)
        {
            await using var heir = Replica.Start(town);
            trouble = await records.UntilSettledAsync(change, heir, Stop);
            if (trouble.Length == 0 && heir.HasEnded) trouble = $"Its heir ended:\n{heir.Said}";
            if (trouble.Length > 0) trouble += $"\nIts heir said:\n{heir.Said}";
        }
        if (trouble.Length == 0) trouble = await records.JudgeAsync(change, Stop);
        if (trouble.Length == 0) trouble = string.Join('\n', (await records.RunsAsync(Stop)).SelectMany(run => run.Stages).Select(stage => Judge(stage, death)).OfType<string>());
        return new Life(death, died, trouble, mortal.Places, Stopwatch.GetElapsedTime(begun));
    }

    /// <summary>What became of one world.</summary>
    private sealed record Life(Death? Death, bool Died, string Trouble, IReadOnlyList<string> Places, TimeSpan Took);
}

/// <summary>With stages on this machine, where they die with the process that runs them.</summary>
[Collection(typeof(Alone))]
public sealed class CrashesEverywhereOnThisMachine(ITestOutputHelper output) : CrashesEverywhere(output)
{
    protected override void Recognize(IReadOnlyDictionary<string, int> places)
    {
        places.Keys.ShouldContain("PostReview carried out");
        places.Keys.ShouldContain("PostAsync has answered");
        places["RunAsync has answered"].ShouldBe(2);
    }
}

/// <summary>With stages on a real cluster, where they go on: what a stage does not come by is the same as on this machine, and tried there.</summary>
[Collection(typeof(Alone))]
public sealed class CrashesEverywhereOnTheRealKubernetes(ITestOutputHelper output) : CrashesEverywhere(output)
{
    protected override Pipelines Pipelines => new(ClusterGround.Image);

    protected override async Task<ClusterGround?> FindGroundAsync()
    {
        Assert.SkipUnless(ClusterGround.IsThere, ClusterGround.Missing);
        return await ClusterGround.FindAsync(Stop);
    }

    // What was stored is the stage's source, its orders, its files and their list: each came over the cluster's network, and nobody has heard that it was stored.
    protected override bool IsTried(string place) => place is "RunStage claimed" or "RunStage carried out" or "PutAsync has answered";

    protected override void Recognize(IReadOnlyDictionary<string, int> places)
    {
        places["RunStage carried out"].ShouldBe(2);
        places.Keys.ShouldContain("PutAsync has answered");
    }

    // What runs in the cluster is taken over as it is. Only who died before there was anything to take over is not told from one whose Job was removed.
    private protected override string? Judge(StageRun stage, Death? death) =>
        stage.Attempts.Count == 1 || death?.Place == "RunStage claimed" && stage.Attempts.Count == 2 && stage.EarlierReasons.SequenceEqual([Nothing]) ? null
            : $"{stage.Stage} had {stage.Attempts.Count} attempts, before: {string.Join(" ", stage.EarlierReasons)}";

    private const string Nothing = "Nothing of it is in the cluster: whoever began it died before its Job was made, or the Job was removed before anybody saw how it ended.";
}
