namespace WmfCi.Kubernetes;

/// <summary>
/// Repeats calls whose repetition is harmless, when the fault is transient: with growing pauses, or after as long as the server asks. A creation by a fixed name is
/// harmless too, for whoever takes <see cref="FaultKind.AlreadyExists"/> for an answer: the first try may have got through.
/// </summary>
public sealed class Retries
{
    /// <summary>How often a call is made at most.</summary>
    public const int MaxAttempts = 6;

    /// <summary>The longest that the server may ask to wait; beyond, the call fails and the caller decides.</summary>
    public static readonly TimeSpan MaxRetryAfter = TimeSpan.FromSeconds(30);

    private readonly TimeProvider _time;

    internal Retries(TimeProvider time) => _time = time;

    /// <summary>Makes the call.</summary>
    /// <exception cref="Exception">What the last try failed with.</exception>
    public async Task<T> RunAsync<T>(Func<CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        var backoff = new Backoff(TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(5));
        for (var attempt = 1; ; attempt++)
        {
            ClusterFault fault;
            try
            {
                return await call(cancellationToken);
            }
            catch (Exception e) when (attempt < MaxAttempts && !cancellationToken.IsCancellationRequested
                && (fault = ClusterFault.Of(e)).IsTransient && !(fault.RetryAfter > MaxRetryAfter))
            {
                await Task.Delay(backoff.Next(fault.RetryAfter), _time, cancellationToken);
            }
        }
    }

    /// <inheritdoc cref="RunAsync{T}"/>
    public Task RunAsync(Func<CancellationToken, Task> call, CancellationToken cancellationToken) =>
        RunAsync(
            async token =>
            {
                await call(token);
                return true;
            },
            cancellationToken);
}

/// <summary>Pauses that grow twofold up to a bound, each shortened at random by up to half, so that replicas do not knock in step.</summary>
internal sealed class Backoff(TimeSpan first, TimeSpan most)
{
    private readonly TimeSpan _first = first;
    private TimeSpan _next = first;

    /// <summary>The next pause.</summary>
    /// <param name="atLeast">What the server asks for.</param>
    public TimeSpan Next(TimeSpan? atLeast = null)
    {
        var pause = _next * (0.5 + (Random.Shared.NextDouble() / 2));
        _next = _next * 2 < most ? _next * 2 : most;
        return atLeast > pause ? atLeast.Value : pause;
    }

    /// <summary>Begins anew, after a success.</summary>
    public void Reset() => _next = _first;
}
