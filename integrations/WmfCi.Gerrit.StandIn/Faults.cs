namespace WmfCi.Gerrit.StandIn;

/// <summary>A request as a fault sees it.</summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path without <c>/a</c>, still percent-encoded.</param>
/// <param name="Query">The query with its <c>?</c>, or empty.</param>
/// <param name="User">The account's user name; null without login.</param>
/// <param name="Body">The body as text; empty for git's own requests.</param>
public sealed record StandInRequest(string Method, string Path, string Query, string? User, string Body);

/// <summary>Trouble on the wire that a test orders: answers that fail before anything happens, and answers that are lost after everything happened.</summary>
public sealed class Faults
{
    private readonly Lock gate = new();
    private readonly List<Order> orders = [];

    /// <summary>The next <paramref name="times"/> requests that match are refused with a status and change nothing.</summary>
    public void Refuse(Func<StandInRequest, bool> matching, int status, int times = 1, TimeSpan? retryAfter = null) =>
        Add(new Order(matching, status, times, retryAfter));

    /// <summary>The next <paramref name="times"/> requests that match are carried out, and their connection is cut instead of an answer.</summary>
    public void LoseAnswer(Func<StandInRequest, bool> matching, int times = 1) => Add(new Order(matching, null, times, null));

    /// <summary>Takes back every order that is still open.</summary>
    public void Clear()
    {
        lock (gate) orders.Clear();
    }

    internal Order? Take(StandInRequest request)
    {
        lock (gate)
        {
            var order = orders.Find(o => o.Matching(request));
            if (order is null) return null;
            if (--order.Left == 0) orders.Remove(order);
            return order;
        }
    }

    private void Add(Order order)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(order.Left, 1);
        lock (gate) orders.Add(order);
    }

    internal sealed class Order(Func<StandInRequest, bool> matching, int? status, int times, TimeSpan? retryAfter)
    {
        public Func<StandInRequest, bool> Matching { get; } = matching;
        public int? Status { get; } = status;
        public TimeSpan? RetryAfter { get; } = retryAfter;
        public int Left { get; set; } = times;
    }
}
