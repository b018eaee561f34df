using WmfCi.Fakes.Kubernetes;
using WmfCi.Kubernetes.Tests.Runner;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>Each single request of an attempt may fail in each of the ways in which requests do: the end is that of the attempt of which none failed.</summary>
public sealed class SweepTests(SharedStandIn shared)
{
    private const int Parallel = 6;

    [Fact]
    public Task Whichever_request_the_server_fails_the_end_is_the_same() => EachAsync(500, isCarriedOut: false);

    [Fact]
    public Task Whichever_request_the_server_puts_off_the_end_is_the_same() => EachAsync(429, isCarriedOut: false);

    [Fact]
    public Task Whichever_answer_is_lost_the_end_is_the_same() => EachAsync(0, isCarriedOut: true);

    private async Task EachAsync(int status, bool isCarriedOut)
    {
        var requests = await RecordAsync();
        var faults = from request in requests
                     where !isCarriedOut || request.Key.Verb is not ("watch" or "log")
                     from number in Enumerable.Range(0, request.Value)
                     select new RequestFault(status, request.Key.Verb, request.Key.Plural) { After = number, RetryAfter = status == 429 ? 1 : null, IsCarriedOut = isCarriedOut };
        var hits = 0;
        await System.Threading.Tasks.Parallel.ForEachAsync(faults, new ParallelOptions { MaxDegreeOfParallelism = Parallel }, async (fault, _) =>
        {
            if (await DisturbAsync(fault)) Interlocked.Increment(ref hits);
        });
        hits.ShouldBeGreaterThan(requests.Count);
    }

    private async Task<IReadOnlyDictionary<(string Verb, string Plural), int>> RecordAsync()
    {
        await using var here = await Ground.OpenAsync(Sites.Of(shared.StandIn));
        await here.IsUndisturbedAsync(await here.BeginAsync());
        return shared.StandIn.RequestsIn(here.Space);
    }

    /// <returns>Whether there was such a request at all.</returns>
    private async Task<bool> DisturbAsync(RequestFault fault)
    {
        await using var here = await Ground.OpenAsync(Sites.Of(shared.StandIn), space => shared.StandIn.Faults.Fail(fault with { Space = space }));
        await here.IsUndisturbedAsync(await here.BeginAsync(), fault.ToString());
        var isHit = !shared.StandIn.Faults.IsPending(here.Space);
        shared.StandIn.Faults.Forget(here.Space);
        await here.LeavesNothingAsync();
        return isHit;
    }
}
