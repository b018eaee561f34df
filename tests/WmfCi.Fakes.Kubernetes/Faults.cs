namespace WmfCi.Fakes.Kubernetes;

/// <summary>A failure that requests are answered with.</summary>
/// <param name="Status">The HTTP status, for example 429 or 500; 0 for none, because the connection breaks.</param>
/// <param name="Verb"><c>get</c>, <c>list</c>, <c>watch</c>, <c>log</c>, <c>create</c>, <c>update</c>, <c>patch</c> or <c>delete</c>; null for each of them.</param>
/// <param name="Plural">The kind, for example <c>pods</c>; null for each of them.</param>
/// <param name="Times">How often.</param>
public sealed record RequestFault(int Status, string? Verb = null, string? Plural = null, int Times = 1)
{
    /// <summary>How many seconds the server asks to wait, in the header.</summary>
    public int? RetryAfter { get; init; }

    /// <summary>How many such requests go well before.</summary>
    public int After { get; init; }

    /// <summary>The namespace; null for all of them.</summary>
    public string? Space { get; init; }

    /// <summary>Whether the request is carried out all the same, so that only its answer is lost.</summary>
    public bool IsCarriedOut { get; init; }
}

/// <summary>What goes wrong at the stand-in's API server, on demand.</summary>
public sealed class Faults : IDisposable
{
    private readonly Lock _lock = new();
    private readonly List<(RequestFault Fault, int Left)> _requests = [];
    private readonly Dictionary<string, int> _lost = new(StringComparer.Ordinal), _stale = new(StringComparer.Ordinal);
    private readonly HashSet<(string Verb, string Plural)> _denied = [];
    private CancellationTokenSource _watches = new();

    /// <summary>Whether watches stay open and say nothing.</summary>
    public bool HangWatches { get; set; }

    /// <summary>Whether logs that are followed stay open and say nothing, as they do after a rotation with some kubelets.</summary>
    public bool HangLogs { get; set; }

    /// <summary>After how many bytes the answer to a log ends, properly as far as HTTP is concerned; null never.</summary>
    public int? CutLogsAfter { get; set; }

    /// <summary>Whether a version that is forgotten is told by the HTTP status and not by an event.</summary>
    public bool ExpiresByStatus { get; set; }

    /// <summary>Ends every watch that runs, in the middle.</summary>
    public void DropWatches()
    {
        CancellationTokenSource former;
        lock (_lock) (former, _watches) = (_watches, new CancellationTokenSource());
        former.Cancel();
        former.Dispose();
    }

    /// <summary>Fails requests that come.</summary>
    public void Fail(RequestFault fault)
    {
        lock (_lock) _requests.Add((fault, fault.Times));
    }

    /// <summary>Whether failures are still to come in a namespace.</summary>
    public bool IsPending(string space)
    {
        lock (_lock) return _requests.Exists(entry => entry.Fault.Space == space);
    }

    /// <summary>No failures come any more in a namespace.</summary>
    public void Forget(string space)
    {
        lock (_lock) _requests.RemoveAll(entry => entry.Fault.Space == space);
    }

    /// <summary>Watchers are not told of the next events of a kind.</summary>
    public void LoseEvents(string plural, int times)
    {
        lock (_lock) _lost[plural] = times;
    }

    /// <summary>After each of the next events of a kind watchers are told of the object's former state again.</summary>
    public void RepeatStaleEvents(string plural, int times)
    {
        lock (_lock) _stale[plural] = times;
    }

    /// <summary>Takes a right away from the account.</summary>
    public void Deny(string verb, string plural)
    {
        lock (_lock) _denied.Add((verb, plural));
    }

    /// <summary>Gives a right back.</summary>
    public void Allow(string verb, string plural)
    {
        lock (_lock) _denied.Remove((verb, plural));
    }

    /// <inheritdoc/>
    public void Dispose() => _watches.Dispose();

    internal CancellationToken Watches
    {
        get { lock (_lock) return _watches.Token; }
    }

    internal bool IsDenied(string verb, string plural)
    {
        lock (_lock) return _denied.Contains((verb, plural));
    }

    internal RequestFault? Take(string verb, string plural, string? space)
    {
        lock (_lock)
        {
            var at = _requests.FindIndex(entry => (entry.Fault.Verb ?? verb) == verb && (entry.Fault.Plural ?? plural) == plural && (entry.Fault.Space ?? space) == space);
            if (at < 0) return null;
            var (fault, left) = _requests[at];
            if (fault.After > 0)
            {
                _requests[at] = (fault with { After = fault.After - 1 }, left);
                return null;
            }
            if (left > 1) _requests[at] = (fault, left - 1);
            else _requests.RemoveAt(at);
            return fault;
        }
    }

    internal bool TakeLost(string plural) => Take(_lost, plural);

    internal bool TakeStale(string plural) => Take(_stale, plural);

    private bool Take(Dictionary<string, int> left, string plural)
    {
        lock (_lock)
        {
            if (!left.TryGetValue(plural, out var count) || count == 0) return false;
            left[plural] = count - 1;
            return true;
        }
    }
}
