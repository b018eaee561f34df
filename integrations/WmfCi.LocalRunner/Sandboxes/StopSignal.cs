using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Sandboxes;

/// <summary>Why an attempt is ended before its steps are.</summary>
/// <param name="Kind">What it comes to.</param>
/// <param name="Explanation">One sentence for people.</param>
/// <param name="IsAtOnce">Whether its processes get no time to tidy up.</param>
internal sealed record StopOrder(OutcomeKind Kind, string Explanation, bool IsAtOnce = false);

/// <summary>Carries the first order to stop an attempt, from whoever gives it; later ones change nothing but the haste.</summary>
internal sealed class StopSignal : IDisposable
{
    private readonly CancellationTokenSource _ordered = new();
    private readonly CancellationTokenSource _hastened = new();
    private StopOrder? _order;

    /// <summary>Signalled when an order was given.</summary>
    public CancellationToken Ordered => _ordered.Token;

    /// <summary>Signalled when there is no time for tidying up, or no longer.</summary>
    public CancellationToken Hastened => _hastened.Token;

    /// <summary>The order, or null.</summary>
    public StopOrder? Order => Volatile.Read(ref _order);

    /// <summary>Gives the order; whoever waits for it goes on elsewhere.</summary>
    public void Stop(StopOrder order)
    {
        _ = Interlocked.CompareExchange(ref _order, order, comparand: null);
        if (order.IsAtOnce) _ = _hastened.CancelAsync();
        _ = _ordered.CancelAsync();
    }

    public void Dispose()
    {
        _ordered.Dispose();
        _hastened.Dispose();
    }
}
