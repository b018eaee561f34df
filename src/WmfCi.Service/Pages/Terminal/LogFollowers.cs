using System.Threading.Channels;
using Prometheus;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>Who waits for more of a log. Whoever listens to the database's notifications tells them.</summary>
public sealed class LogFollowers
{
    /// <summary>How many may follow at once on this replica.</summary>
    public const int Max = 200;

    private static readonly Gauge s_count = Metrics.CreateGauge("wmfci_log_followers", "Readers that follow a growing log now.");

    private readonly Lock _gate = new();
    private readonly Dictionary<string, HashSet<Follower>> _byAttempt = new(StringComparer.Ordinal);
    private int _count;

    /// <summary>How many follow now.</summary>
    public int Count
    {
        get
        {
            lock (_gate) return _count;
        }
    }

    /// <summary>A log grew or ended. Quick, and never fails; a notification that is lost only costs time, since followers look by themselves too.</summary>
    /// <param name="attempt">The payload of <c>Wakeups.Logs</c>: the attempt, as <c>AttemptId.ToString()</c> writes it.</param>
    public void Heard(string attempt)
    {
        lock (_gate)
        {
            if (!_byAttempt.TryGetValue(attempt, out var followers)) return;
            foreach (var follower in followers) follower.Wake();
        }
    }

    /// <summary>Lets one more follow, until it is disposed.</summary>
    /// <param name="attempt">The attempt, as <c>AttemptId.ToString()</c> writes it.</param>
    /// <returns>Null when there are too many.</returns>
    public Follower? Join(string attempt)
    {
        var follower = new Follower(this, attempt);
        lock (_gate)
        {
            if (_count >= Max) return null;
            _count++;
            if (!_byAttempt.TryGetValue(attempt, out var followers)) _byAttempt[attempt] = followers = [];
            followers.Add(follower);
        }
        s_count.Inc();
        return follower;
    }

    private void Leave(Follower follower)
    {
        lock (_gate)
        {
            if (!_byAttempt.TryGetValue(follower.Attempt, out var followers) || !followers.Remove(follower)) return;
            if (followers.Count == 0) _byAttempt.Remove(follower.Attempt);
            _count--;
        }
        s_count.Dec();
    }

    /// <summary>One who follows.</summary>
    public sealed class Follower : IDisposable
    {
        private readonly LogFollowers _all;
        private readonly Channel<bool> _signal = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

        internal Follower(LogFollowers all, string attempt) => (_all, Attempt) = (all, attempt);

        internal string Attempt { get; }

        internal void Wake() => _signal.Writer.TryWrite(true);

        /// <summary>Waits for a notification, or a while.</summary>
        public async Task WaitAsync(TimeSpan atMost, TimeProvider time, CancellationToken cancellationToken)
        {
            using var wait = new CancellationTokenSource(atMost, time);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(wait.Token, cancellationToken);
            try
            {
                await _signal.Reader.ReadAsync(either.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // The while is over.
            }
        }

        /// <inheritdoc/>
        public void Dispose() => _all.Leave(this);
    }
}
