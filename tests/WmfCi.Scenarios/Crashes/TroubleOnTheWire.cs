using WmfCi.Gerrit.StandIn;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Crashes;

/// <summary>Gerrit carries out what it was asked and its answer is lost, or it refuses for a while.</summary>
public sealed class TroubleOnTheWire
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact, Proves("HA", "FEEDBACK")]
    public async Task Answers_that_are_lost_make_no_second_message()
    {
        await using var gerrit = await StandInPeer.StartAsync(Stop);
        // The start message's and the result's.
        gerrit.Gerrit.Faults.LoseAnswer(IsOurReview, times: 2);
        await SaysEachThingOnceAsync(gerrit);
    }

    [Theory, Proves("HA", "FEEDBACK")]
    [InlineData(500)]
    [InlineData(503)]
    [InlineData(429)]
    public async Task Refusals_for_a_while_lose_no_message_and_double_none(int status)
    {
        await using var gerrit = await StandInPeer.StartAsync(Stop);
        gerrit.Gerrit.Faults.Refuse(IsOurReview, status, times: 3, retryAfter: status == 500 ? null : TimeSpan.FromSeconds(1));
        await SaysEachThingOnceAsync(gerrit);
    }

    private static bool IsOurReview(StandInRequest request) =>
        request.Method == "POST" && request.User == "wmfci" && request.Path.EndsWith("/review", StringComparison.Ordinal);

    private static async Task SaysEachThingOnceAsync(GerritPeer gerrit)
    {
        await using var town = await Town.OpenAsync(new LentPeer(gerrit), Stop);
        var alice = await town.CloneAsync("alice", Stop);
        var change = await alice.Write(Pipelines.Path, Pipelines.OnTheHost.BuildAndTest).Write("build", "echo 'echo hello' > program").PushAsync("Add a program", Stop);
        await change.UntilVerifiedAsync(+1, Stop);

        await using var records = Records.Of(town);
        (await records.UntilSettledAsync(change, null, Stop)).ShouldBeEmpty();
        (await records.JudgeAsync(change, Stop)).ShouldBeEmpty();
    }
}
