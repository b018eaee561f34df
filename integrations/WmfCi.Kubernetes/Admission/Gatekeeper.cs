namespace WmfCi.Kubernetes.Admission;

/// <summary>
/// Lets attempts in, in the order in which they came, as far as the namespace's quotas allow. Kubernetes would refuse the pods that do not fit, and the Job's controller would try again at
/// growing intervals: a stage would start minutes after there is room, and nobody could say what it waits for.
/// </summary>
/// <param name="lines">The quotas as they were seen last.</param>
internal sealed class Gatekeeper(Func<IEnumerable<QuotaLine>> lines)
{
    private readonly Lock _lock = new();
    private readonly List<Place> _queue = [];
    private readonly Dictionary<string, Demand> _reserved = new(StringComparer.Ordinal);

    /// <summary>Waits for its turn and for room.</summary>
    /// <param name="name">The attempt.</param>
    /// <param name="demand">What it takes.</param>
    /// <param name="waiting">Told why it waits, whenever that changes.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when it was let in; else why it can never be.</returns>
    public async Task<string?> EnterAsync(string name, Demand demand, Func<string, Task> waiting, CancellationToken cancellationToken)
    {
        var place = new Place(name, demand);
        lock (_lock) _queue.Add(place);
        Look();
        try
        {
            for (string? told = null; ;)
            {
                var moved = place.Moved;
                switch (place.Answer)
                {
                    case { Reason: null }:
                        return null;
                    case { IsForEver: true } never:
                        return never.Reason;
                    case { } wait when wait.Reason != told:
                        told = wait.Reason;
                        await waiting(told!);
                        break;
                }
                await moved.WaitAsync(cancellationToken);
            }
        }
        catch
        {
            // Out of the queue first: else it could be let in between, and nobody would ever give its place back.
            lock (_lock) _queue.Remove(place);
            Leave(name);
            throw;
        }
        finally
        {
            lock (_lock) _queue.Remove(place);
            Look();
        }
    }

    /// <summary>Who was let in and is not in the quotas' figures yet.</summary>
    public IReadOnlySet<string> Holding
    {
        get
        {
            lock (_lock) return _reserved.Keys.ToHashSet(StringComparer.Ordinal);
        }
    }

    /// <summary>Counts an attempt that is in the cluster already, and whose pods are not in the quotas' figures yet.</summary>
    public void Hold(string name, Demand demand)
    {
        lock (_lock) _reserved[name] = demand;
    }

    /// <summary>The attempt's pods are in the quotas' figures now, or never will be.</summary>
    public void Leave(string name)
    {
        lock (_lock) _reserved.Remove(name);
        Look();
    }

    /// <summary>Looks again, because the quotas changed.</summary>
    public void Look()
    {
        lock (_lock)
        {
            var current = lines().ToList();
            var isBlocked = false;
            foreach (var place in _queue.ToList())
            {
                if (place.Answer is { Reason: null }) continue;
                // A large stage is not overtaken for ever by small ones: nobody goes before who came earlier.
                var answer = isBlocked && Quotas.Decide(current, Demand.None, place.Demand) is not { IsForEver: true }
                    ? new Admitted("Waits for room: stages that came earlier wait for it too.")
                    : Quotas.Decide(current, _reserved.Values.Aggregate(Demand.None, (sum, one) => sum + one), place.Demand);
                if (answer.Reason is null) _reserved[place.Name] = place.Demand;
                else isBlocked |= !answer.IsForEver;
                place.Set(answer);
            }
        }
    }

    private sealed class Place(string name, Demand demand)
    {
        private TaskCompletionSource _moved = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public string Name => name;

        public Demand Demand => demand;

        public Admitted? Answer { get; private set; }

        /// <summary>Completes when the answer changes next.</summary>
        public Task Moved => _moved.Task;

        public void Set(Admitted answer)
        {
            if (answer == Answer) return;
            Answer = answer;
            var moved = _moved;
            _moved = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            moved.SetResult();
        }
    }
}
