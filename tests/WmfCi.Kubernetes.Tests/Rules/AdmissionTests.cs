using WmfCi.Kubernetes.Admission;

namespace WmfCi.Kubernetes.Tests.Rules;

/// <summary>What fits beside what runs, and who is let in when.</summary>
public sealed class AdmissionTests
{
    // Who is never let in would wait for ever.
    private static readonly TimeSpan Bound = TimeSpan.FromMinutes(3);
    private static readonly Demand One = new() { Pods = 1, CpuMillis = 500, MemoryBytes = 1L << 30, DiskBytes = 1L << 30 };

    [Fact]
    public void A_stage_that_fits_is_let_in_and_one_that_does_not_is_told_what_it_waits_for()
    {
        Quotas.Decide([], Demand.None, One).Reason.ShouldBeNull();
        Quotas.Decide([new("q", "requests.memory", 2L << 30, 1L << 30)], Demand.None, One).Reason.ShouldBeNull();
        var waits = Quotas.Decide([new("q", "requests.memory", 2L << 30, 3L << 29)], Demand.None, One);
        waits.ShouldBe(new Admitted("Waits for room: it needs 1 GiB memory, and 512 MiB memory of the 2 GiB memory of the quota q are free."));
        Quotas.Decide([new("q", "requests.cpu", 0.9m, 0.25m), new("q", "pods", 10, 9)], One, One).Reason!.ShouldContain("0.5 CPU, and 0.15 CPU", customMessage: "what was let in and is not counted yet is taken off");
    }

    [Fact]
    public void A_stage_that_never_fits_is_told_so_even_when_it_is_not_the_first_reason()
    {
        var never = Quotas.Decide([new("a", "pods", 10, 10), new("b", "limits.memory", 1L << 29, 0)], Demand.None, One);
        never.IsForEver.ShouldBeTrue();
        never.Reason!.ShouldContain("the quota b allows 512 MiB memory");
        never.Reason!.ShouldContain("`worker:`");
    }

    [Fact]
    public void What_no_stage_takes_is_nobodys_bound()
    {
        QuotaLine[] others = [new("q", "services", 0, 0), new("q", "requests.storage", 0, 0), new("q", "count/deployments.apps", 0, 0), new("q", "limits.cpu", 0, 0)];
        Quotas.Decide(others, Demand.None, One).Reason.ShouldBeNull("it names no limit for its processor");
    }

    [Fact]
    public void Secrets_are_counted_already_when_a_stage_asks()
    {
        // Each waiting stage has its Secret: to wait for room for it would be to wait for itself.
        Quotas.Decide([new("q", "secrets", 1, 1), new("q", "count/secrets", 1, 1)], Demand.None, One).Reason.ShouldBeNull();
    }

    [Fact]
    public void Figures_are_written_the_same_wherever_the_service_runs()
    {
        var before = Thread.CurrentThread.CurrentCulture;
        try
        {
            Thread.CurrentThread.CurrentCulture = new System.Globalization.CultureInfo("de-DE", useUserOverride: false);
            Quotas.Decide([new("q", "cpu", 0.75m, 0.5m)], Demand.None, One).Reason!.ShouldContain("0.5 CPU, and 0.25 CPU of the 0.75 CPU");
        }
        catch (System.Globalization.CultureNotFoundException)
        {
            // Built without cultures: there is only one way to write figures.
        }
        finally
        {
            Thread.CurrentThread.CurrentCulture = before;
        }
    }

    [Fact]
    public async Task Stages_are_let_in_in_the_order_in_which_they_came()
    {
        var cluster = new Cluster(pods: 1);
        var first = cluster.Enter("first");
        var (second, third) = (cluster.Enter("second"), cluster.Enter("third"));
        (await first).ShouldBeNull();
        (second.IsCompleted, third.IsCompleted).ShouldBe((false, false));
        cluster.Said("second").ShouldContain("1 pods");
        cluster.Said("third").ShouldContain("earlier");

        cluster.Leave("first");
        (await second).ShouldBeNull();
        third.IsCompleted.ShouldBeFalse();
        cluster.Leave("second");
        (await third).ShouldBeNull();
    }

    [Fact]
    public async Task A_large_stage_is_not_overtaken_by_small_ones()
    {
        var cluster = new Cluster(pods: 4);
        (await cluster.Enter("running", pods: 2)).ShouldBeNull();
        var large = cluster.Enter("large", pods: 4);
        var small = cluster.Enter("small", pods: 1);
        (large.IsCompleted, small.IsCompleted).ShouldBe((false, false));
        cluster.Leave("running");
        (await large).ShouldBeNull();
        small.IsCompleted.ShouldBeFalse();
        cluster.Leave("large");
        (await small).ShouldBeNull();
    }

    [Fact]
    public async Task A_stage_that_never_fits_is_answered_at_once_wherever_it_stands()
    {
        var cluster = new Cluster(pods: 2);
        (await cluster.Enter("running", pods: 2)).ShouldBeNull();
        var waiting = cluster.Enter("waiting", pods: 1);
        (await cluster.Enter("huge", pods: 3)).ShouldNotBeNull().ShouldContain("in all");
        waiting.IsCompleted.ShouldBeFalse();
    }

    [Fact]
    public async Task A_quota_that_grows_lets_in_and_one_that_shrinks_answers()
    {
        var cluster = new Cluster(pods: 1);
        (await cluster.Enter("running")).ShouldBeNull();
        var waiting = cluster.Enter("waiting", pods: 1);
        cluster.Resize(2);
        (await waiting).ShouldBeNull();

        var large = cluster.Enter("large", pods: 2);
        large.IsCompleted.ShouldBeFalse();
        cluster.Resize(1);
        (await large).ShouldNotBeNull().ShouldContain("allows 1 pods in all");
    }

    [Fact]
    public async Task Who_gives_up_keeps_no_place()
    {
        var cluster = new Cluster(pods: 1);
        (await cluster.Enter("running")).ShouldBeNull();
        using var cancel = new CancellationTokenSource();
        var leaves = cluster.Enter("leaves", cancel: cancel);
        var next = cluster.Enter("next");
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(leaves);
        cluster.Leave("running");
        (await next).ShouldBeNull();
    }

    [Fact]
    public async Task Who_gives_up_in_the_moment_in_which_there_is_room_keeps_no_place()
    {
        // Nobody rang when the quota grew; the one that gives up is the one who looks.
        var cluster = new Cluster(pods: 1);
        (await cluster.Enter("running")).ShouldBeNull();
        using var cancel = new CancellationTokenSource();
        var leaves = cluster.Enter("leaves", cancel: cancel);
        cluster.Resize(2, isHeard: false);
        await cancel.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(leaves);
        (await cluster.Enter("next")).ShouldBeNull("the place of the one that gave up is free");
    }

    [Fact]
    public async Task Who_cannot_be_told_why_it_waits_keeps_no_place()
    {
        var cluster = new Cluster(pods: 1);
        (await cluster.Enter("running")).ShouldBeNull();
        await Should.ThrowAsync<IOException>(cluster.Gate.EnterAsync("deaf", new Demand { Pods = 1 }, _ => throw new IOException("gone"), TestContext.Current.CancellationToken));
        var next = cluster.Enter("next");
        cluster.Leave("running");
        (await next).ShouldBeNull();
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    public async Task Whatever_comes_and_goes_no_quota_is_exceeded_nobody_overtakes_and_everybody_gets_in(int seed)
    {
        var random = new Random(seed);
        var cluster = new Cluster(pods: 10);
        var waiting = new List<(string Name, int Pods, Task<string?> Task, CancellationTokenSource Cancel)>();
        var running = new List<string>();
        for (var turn = 0; turn < 3000; turn++)
        {
            switch (random.Next(6))
            {
                case 0 or 1:
                    var cancel = new CancellationTokenSource();
                    var (name, pods) = ($"s{turn}", random.Next(1, 8));
                    waiting.Add((name, pods, cluster.Enter(name, pods, cancel), cancel));
                    break;
                case 2 when running.Count > 0:
                    cluster.Count(running[random.Next(running.Count)]);
                    break;
                case 3 or 4 when running.Count > 0:
                    var gone = random.Next(running.Count);
                    cluster.Leave(running[gone]);
                    running.RemoveAt(gone);
                    break;
                case 5 when waiting.Count > 0 && random.Next(4) == 0:
                    var quits = random.Next(waiting.Count);
                    await waiting[quits].Cancel.CancelAsync();
                    await Should.ThrowAsync<OperationCanceledException>(waiting[quits].Task);
                    waiting.RemoveAt(quits);
                    break;
            }
            await cluster.SettleAsync(waiting.Select(one => (one.Name, one.Task)));
            var isBlocked = false;
            foreach (var one in waiting.ToList())
            {
                if (one.Task.IsCompleted)
                {
                    isBlocked.ShouldBeFalse("somebody overtook");
                    running.Add(one.Name);
                    waiting.Remove(one);
                }
                else
                {
                    isBlocked = true;
                }
            }
            cluster.Taken.ShouldBeLessThanOrEqualTo(10);
            if (waiting.Count > 0) (cluster.Taken + waiting[0].Pods).ShouldBeGreaterThan(10, "the first would fit and is not let in");
        }
        while (running.Count + waiting.Count > 0)
        {
            foreach (var name in running) cluster.Leave(name);
            running.Clear();
            await cluster.SettleAsync(waiting.Select(one => (one.Name, one.Task)));
            running.AddRange(waiting.Where(one => one.Task.IsCompleted).Select(one => one.Name));
            if (waiting.Count > 0) running.ShouldNotBeEmpty("somebody waits for ever");
            waiting.RemoveAll(one => one.Task.IsCompleted);
        }
        foreach (var (_, _, _, cancel) in waiting) cancel.Dispose();
    }

    /// <summary>A cluster with a quota of pods, that counts a pod some time after it was let in.</summary>
    private sealed class Cluster
    {
        private readonly System.Collections.Concurrent.ConcurrentDictionary<string, int> _in = new(StringComparer.Ordinal);
        private readonly Dictionary<string, int> _counted = new(StringComparer.Ordinal);
        private readonly System.Collections.Concurrent.ConcurrentDictionary<string, string> _said = new(StringComparer.Ordinal);
        private int _hard;

        public Cluster(int pods)
        {
            _hard = pods;
            Gate = new Gatekeeper(() => [new QuotaLine("stages", "pods", _hard, _counted.Values.Sum())]);
        }

        public Gatekeeper Gate { get; }

        /// <summary>What everybody who was let in takes, counted or not.</summary>
        public int Taken => _in.Values.Sum();

        public string Said(string name) => _said.GetValueOrDefault(name, "");

        public async Task<string?> Enter(string name, int pods = 1, CancellationTokenSource? cancel = null)
        {
            var never = await Gate.EnterAsync(name, new Demand { Pods = pods }, reason =>
            {
                _said[name] = reason;
                return Task.CompletedTask;
            }, cancel?.Token ?? TestContext.Current.CancellationToken).WaitAsync(Bound, TestContext.Current.CancellationToken);
            if (never is null) _in[name] = pods;
            return never;
        }

        /// <summary>The quota's figures have its pods now.</summary>
        public void Count(string name)
        {
            _counted[name] = _in[name];
            Gate.Leave(name);
        }

        /// <summary>Its pods are gone.</summary>
        public void Leave(string name)
        {
            _in.Remove(name, out _);
            _counted.Remove(name);
            Gate.Leave(name);
        }

        public void Resize(int pods, bool isHeard = true)
        {
            _hard = pods;
            if (isHeard) Gate.Look();
        }

        /// <summary>Waits until everybody who was let in took note of it.</summary>
        public async Task SettleAsync(IEnumerable<(string Name, Task<string?> Task)> waiting)
        {
            var holding = Gate.Holding;
            foreach (var (_, task) in waiting.Where(one => holding.Contains(one.Name))) await task;
        }
    }
}
