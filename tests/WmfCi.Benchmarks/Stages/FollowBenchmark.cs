using System.Globalization;
using System.Net.ServerSentEvents;
using System.Text;
using System.Text.RegularExpressions;
using WmfCi.Core.Runs;
using WmfCi.Storage;

namespace WmfCi.Benchmarks.Stages;

/// <summary>Stages that all print steadily, ever faster: how far the database and a browser's event stream are behind the time in each line, and when they no longer keep up.</summary>
internal static partial class FollowBenchmark
{
    private const int DefaultCount = 50;

    // Of every so many logs the database's copy is read too; all are followed as browsers do.
    private const int StoreSample = 10;
    private static readonly int[] Rates = [1, 10, 20, 50, 100, 200];
    private static readonly TimeSpan Phase = TimeSpan.FromSeconds(15), PerStage = TimeSpan.FromSeconds(2.5), Margin = TimeSpan.FromSeconds(30), Grace = TimeSpan.FromSeconds(20), LookEvery = TimeSpan.FromSeconds(1);

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        var count = choices.Count ?? DefaultCount;
        await using var crowd = await Crowd.OpenAsync(choices, count, cancellationToken);
        var start = DateTimeOffset.UtcNow + Margin + count * PerStage;
        await crowd.BeginAsync(count, Script(start), cancellationToken);
        while (crowd.Diary.Running("step-1") < count && DateTimeOffset.UtcNow < start) await Task.Delay(LookEvery, cancellationToken);
        var running = crowd.Diary.Running("step-1");
        var end = start + Phase * Rates.Length + Grace;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        over.CancelAfter(end - DateTimeOffset.UtcNow);
        var (browser, store) = (new Lags(), new Lags());
        var attempts = (await crowd.AttemptsAsync(cancellationToken)).Take(count).ToList();
        var sample = attempts.Where((_, i) => i % StoreSample == 0).ToDictionary(attempt => attempt.ToString(), attempt => new StoreReader(new Logs(crowd.Served.Source), attempt, store), StringComparer.Ordinal);
        var ear = LogEar.Open(crowd.Served.Source, (attempt, at) =>
        {
            if (sample.TryGetValue(attempt, out var reader)) _ = reader.ReadAsync(at);
        });
        // A browser has its own connection to each page.
        using var client = new HttpClient { BaseAddress = crowd.Served.Http.BaseAddress, Timeout = Timeout.InfiniteTimeSpan };
        var following = attempts.Select(attempt => WatchAsync(client, attempt, browser, over.Token)).ToList();
        var used = new List<double>();
        await Task.WhenAll([UseAsync(crowd.Served.Id, start, used, over.Token), .. following]).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await ear.DisposeAsync();
        foreach (var reader in sample.Values) reader.Dispose();
        cancellationToken.ThrowIfCancellationRequested();
        Console.WriteLine($"\n{running} of {count} stages ran when they began to print.");
        if (choices.Verbose)
            foreach (var ended in await crowd.Served.QueryAsync<string>("select body->>'outcome' || ' ' || count(*) from events where body->>'is' = 'stage-finished' group by body->>'outcome'", cancellationToken)) await Console.Error.WriteLineAsync(ended);
        foreach (var (rate, i) in Rates.Select((rate, i) => (rate, i)))
        {
            var wanted = (double)rate * running;
            Figures.Print(
                string.Create(CultureInfo.InvariantCulture, $"{rate} lines/s from each stage, {wanted:0}/s in all, for {Phase.TotalSeconds:0} s"),
                new Figures($"line printed → in the database (of each {StoreSample}th stage)", store.Of(rate), Goal: "< 1000 ms"),
                new Figures("line printed → in a browser's event stream", browser.Of(rate), Goal: "< 1000 ms"),
                new Figures("lines that came to the browsers", [browser.Of(rate).Count / Phase.TotalSeconds], "/s"),
                new Figures("wmfci serve, processor", used.Count > i ? [used[i]] : [], "% of a core"));
        }
    }

    // Each line has the time at which it was printed and the rate of its phase.
    private static string Script(DateTimeOffset start) => string.Create(CultureInfo.InvariantCulture, $$"""
        perl -MTime::HiRes=time,sleep -e 'sub pause { my $left = $at - time; sleep($left) if $left > 0 } $| = 1; $at = {{start.ToUnixTimeMilliseconds() / 1000.0:0.000}}; pause(); for my $r ({{string.Join(',', Rates)}}) { my $burst = $r > 20 ? $r / 20 : 1; my $end = $at + {{Phase.TotalSeconds}}; for (; $at < $end; $at += $burst / $r) { pause(); printf("%.6f %d some words that a compiler might say about a file\n", time, $r) for 1..$burst } }'
        """).ReplaceLineEndings(" ");

    private static async Task WatchAsync(HttpClient client, AttemptId attempt, Lags lags, CancellationToken cancellationToken)
    {
        var address = new Uri($"runs/{attempt.Run}/{Uri.EscapeDataString(attempt.Stage)}/{attempt.Number}/log/events", UriKind.Relative);
        using var answer = await client.GetAsync(address, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        answer.EnsureSuccessStatusCode();
        await using var body = await answer.Content.ReadAsStreamAsync(cancellationToken);
        await foreach (var item in SseParser.Create(body).EnumerateAsync(cancellationToken))
            if (item.EventType == "rows") lags.Take(item.Data, DateTimeOffset.UtcNow);
    }

    // The service's processor time, phase by phase.
    private static async Task UseAsync(int process, DateTimeOffset start, List<double> used, CancellationToken cancellationToken)
    {
        var wait = start - DateTimeOffset.UtcNow;
        if (wait > TimeSpan.Zero) await Task.Delay(wait, cancellationToken);
        for (var phase = 1; phase <= Rates.Length; phase++)
        {
            var before = ProcessTree.CpuSeconds(process);
            await Task.Delay(start + phase * Phase - DateTimeOffset.UtcNow, cancellationToken);
            used.Add(100 * (ProcessTree.CpuSeconds(process) - before) / Phase.TotalSeconds);
        }
    }

    [GeneratedRegex(@"(?<at>[0-9]{10}\.[0-9]{6}) (?<rate>[0-9]+) some words", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Line();

    /// <summary>How late lines came, by the rate at which they were printed.</summary>
    private sealed class Lags
    {
        private readonly Dictionary<int, List<double>> _byRate = [];

        public void Take(string text, DateTimeOffset at)
        {
            var now = at.ToUnixTimeMilliseconds();
            foreach (Match match in Line().Matches(text))
            {
                var lag = now - double.Parse(match.Groups["at"].ValueSpan, CultureInfo.InvariantCulture) * 1000;
                lock (_byRate)
                {
                    var rate = int.Parse(match.Groups["rate"].ValueSpan, CultureInfo.InvariantCulture);
                    if (!_byRate.TryGetValue(rate, out var lags)) _byRate[rate] = lags = [];
                    lags.Add(lag);
                }
            }
        }

        public IReadOnlyList<double> Of(int rate)
        {
            lock (_byRate) return _byRate.TryGetValue(rate, out var lags) ? [.. lags] : [];
        }
    }

    /// <summary>Reads what a log gained in the database, one notification after another.</summary>
    private sealed class StoreReader(Logs logs, AttemptId attempt, Lags lags) : IDisposable
    {
        private readonly SemaphoreSlim _turn = new(1, 1);
        private long _next;

        public void Dispose() => _turn.Dispose();

        public async Task ReadAsync(DateTimeOffset at)
        {
            await _turn.WaitAsync();
            try
            {
                var chunks = (await logs.ReadAsync(attempt, _next, 100, CancellationToken.None)).Where(chunk => chunk.Start >= _next).ToList();
                foreach (var chunk in chunks) _next = chunk.Start + chunk.Bytes.Length;
                lags.Take(Encoding.UTF8.GetString([.. chunks.SelectMany(chunk => chunk.Bytes)]), at);
            }
            finally
            {
                _turn.Release();
            }
        }
    }
}
