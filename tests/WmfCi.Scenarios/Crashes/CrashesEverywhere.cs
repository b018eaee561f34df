using System.Collections.Concurrent;
using System.Diagnostics;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Crashes;

/// <summary>The process is killed wherever it could make a difference: at every place of a run, one after another, each time in a world of its own.</summary>
[Collection(typeof(Alone))]
public sealed class CrashesEverywhere(ITestOutputHelper output)
{
    private const int AtOnce = 4;
    private const int MostRounds = 5;

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact, Proves("HA")]
    public async Task Wherever_the_process_is_killed_the_run_ends_with_one_vote_and_each_message_once()
    {
        await using var gerrit = await StandInPeer.StartAsync(Stop);
        var begun = Stopwatch.GetTimestamp();
        var known = new ConcurrentDictionary<string, int>(StringComparer.Ordinal);
        var first = await LiveAsync(gerrit, null);
        first.Trouble.ShouldBeEmpty();
        Learn(known, first.Places);
        known.Keys.ShouldContain("PostReview carried out");
        known.Keys.ShouldContain("PostAsync has answered");
        known["RunAsync has answered"].ShouldBe(2);

        output.WriteLine($"{Stopwatch.GetElapsedTime(begun).TotalSeconds:0.0} s undisturbed; {known.Values.Sum()} places: {string.Join(", ", known.Select(place => $"{place.Key} ×{place.Value}"))}");
        var tried = new HashSet<Death>();
        var lives = new ConcurrentBag<Life>();
        for (var round = 1; round <= MostRounds; round++)
        {
            // A life that ended in the middle may have come by places that the undisturbed one did not: how often the loop turns is chance.
            var next = known.SelectMany(place => Enumerable.Range(1, place.Value).Select(occurrence => new Death(place.Key, occurrence))).Where(tried.Add).ToList();
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
        known.Keys.Where(place => !lives.Any(life => life.Died && life.Death?.Place == place)).ShouldBeEmpty("at each place it was killed at least once");
    }

    private static void Learn(ConcurrentDictionary<string, int> known, IEnumerable<string> places)
    {
        // Catching up goes on for ever; its first two rounds are the same as all others.
        foreach (var place in places.CountBy(place => place, StringComparer.Ordinal))
        {
            var count = place.Key.StartsWith("ReadUpdatedSinceAsync", StringComparison.Ordinal) ? Math.Min(place.Value, 2) : place.Value;
            known.AddOrUpdate(place.Key, count, (_, before) => Math.Max(before, count));
        }
    }

    private static async Task<Life> LiveAsync(GerritPeer gerrit, Death? death)
    {
        var begun = Stopwatch.GetTimestamp();
        await using var town = await Town.FoundAsync(new LentPeer(gerrit), Stop, site => site with { Polling = site.Polling with { Every = TimeSpan.FromSeconds(1) } });
        await using var records = await Records.PrepareAsync(town, Stop);
        await using var mortal = Replica.Start(town, death);
        await mortal.ServesOrEnded.WaitAsync(Stop);
        var alice = await town.CloneAsync("alice", Stop);
        var change = await alice.Write(Pipelines.Path, Pipelines.OnTheHost.BuildAndTest).Write("build", "echo 'echo hello' > program").PushAsync("Add a program", Stop);

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
        return new Life(death, died, trouble, mortal.Places, Stopwatch.GetElapsedTime(begun));
    }

    /// <summary>What became of one world.</summary>
    private sealed record Life(Death? Death, bool Died, string Trouble, IReadOnlyList<string> Places, TimeSpan Took);
}
