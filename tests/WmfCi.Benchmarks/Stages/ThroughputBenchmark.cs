namespace WmfCi.Benchmarks.Stages;

/// <summary>Many short stages at once, thirty of them at a time: how many a minute.</summary>
internal static class ThroughputBenchmark
{
    private const int DefaultCount = 60, Slots = 30;
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(200);

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        var count = choices.Count ?? DefaultCount;
        await using var crowd = await Crowd.OpenAsync(choices, Slots, cancellationToken);
        await crowd.BeginAsync(count, "true", cancellationToken);
        var began = DateTimeOffset.UtcNow;
        while (await crowd.FinishedAsync(cancellationToken) < count) await Task.Delay(LookEvery, cancellationToken);
        var ended = DateTimeOffset.UtcNow;
        var (jobs, steps) = (crowd.Diary.All("job"), crowd.Diary.All("step-1 running"));
        Figures.Print(
            $"{count} stages of one short step, {Slots} at once",
            new Figures("Jobs created, until the slots are full", [PerMinute(jobs.Take(Slots).ToList())], "/min"),
            new Figures("steps begun, first to last", [PerMinute(steps)], "/min"),
            new Figures("stages from push to result", [count / (ended - began).TotalMinutes], "/min"));
    }

    private static double PerMinute(IReadOnlyList<DateTimeOffset> times) => (times.Count - 1) / (times[^1] - times[0]).TotalMinutes;
}
