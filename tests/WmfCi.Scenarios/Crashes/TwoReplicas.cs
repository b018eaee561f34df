using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Crashes;

/// <summary>Two processes serve one site; the one that runs a stage is killed.</summary>
public abstract class TwoReplicas
{
    protected static CancellationToken Stop => TestContext.Current.CancellationToken;

    protected abstract Task<GerritPeer> MeetGerritAsync();

    [Fact, Proves("HA")]
    public async Task When_the_one_that_runs_a_stage_is_killed_the_other_runs_it_again_and_votes_once()
    {
        await using var town = await Town.FoundAsync(await MeetGerritAsync(), Stop);
        await using var records = await Records.PrepareAsync(town, Stop);
        await using var one = Replica.Start(town);
        await using var other = Replica.Start(town);
        await Task.WhenAll(one.ServesOrEnded, other.ServesOrEnded).WaitAsync(Stop);
        var alice = await town.CloneAsync("alice", Stop);
        var change = await alice.Write(Pipelines.Path, "image: host\ncommit:\n  steps: ['test $WMFCI_ATTEMPT != 1 || sleep 1000']\n").PushAsync("Rest until the end", Stop);

        var victim = await UntilRunningAsync(records) == one.ProcessId ? one : other;
        await victim.KillAsync();
        var survivor = victim == one ? other : one;
        survivor.HasEnded.ShouldBeFalse(survivor.Said);

        await change.UntilVerifiedAsync(+1, Stop);
        (await records.UntilSettledAsync(change, survivor, Stop)).ShouldBeEmpty();
        (await records.JudgeAsync(change, Stop)).ShouldBeEmpty();
        (await records.RunsAsync(Stop)).Single().Stages.Single().Attempts.Count.ShouldBe(2);
        (await change.SaidAsync(Stop))[1].Body.ShouldContain("(attempt 2; before: The worker that ran it was lost.)");
    }

    private static async Task<int> UntilRunningAsync(Records records)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        patience.CancelAfter(ChangePage.Patience);
        while (true)
        {
            var begun = (await records.RunsAsync(patience.Token)).Any(run => run.Stages.Any(stage => stage.Latest?.Started is not null));
            if (begun && await records.RunnerAsync(patience.Token) is { } process) return process;
            await Task.Delay(50, patience.Token);
        }
    }
}

/// <summary>On the stand-in.</summary>
public sealed class TwoReplicasOnTheStandIn : TwoReplicas
{
    protected override async Task<GerritPeer> MeetGerritAsync() => await StandInPeer.StartAsync(Stop);
}

/// <summary>On the real Gerrit.</summary>
public sealed class TwoReplicasOnTheRealGerrit : TwoReplicas
{
    protected override Task<GerritPeer> MeetGerritAsync()
    {
        Assert.SkipUnless(RealGerrit.IsThere, RealGerrit.Missing);
        return Task.FromResult<GerritPeer>(new RealGerrit());
    }
}
