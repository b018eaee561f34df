using System.Threading.Channels;
using WmfCi.Fakes.Kubernetes.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Controllers;

/// <summary>Everything that acts on changes: scheduler, kubelet, Jobs, quotas, garbage collection.</summary>
internal sealed class ControllerLoop : IAsyncDisposable
{
    /// <summary>How often is looked for what happens by time alone.</summary>
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(500);

    private readonly ObjectStore _store;
    private readonly Node _node;
    private readonly Channel<StoredEvent> _events;
    private readonly CancellationTokenSource _stopping = new();
    private readonly Task _running;

    public ControllerLoop(ObjectStore store, Node node)
    {
        (_store, _node) = (store, node);
        Jobs = new JobController(store, node);
        (_, _events) = store.Watch(store.Version);
        _running = Task.Run(RunAsync);
    }

    public JobController Jobs { get; }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _running;
        _stopping.Dispose();
    }

    private async Task RunAsync()
    {
        using var timer = new PeriodicTimer(Tick);
        var tick = timer.WaitForNextTickAsync(_stopping.Token).AsTask();
        var coming = _events.Reader.WaitToReadAsync(_stopping.Token).AsTask();
        try
        {
            while (true)
            {
                await await Task.WhenAny(tick, coming);
                var isTime = tick.IsCompleted;
                if (isTime) tick = timer.WaitForNextTickAsync(_stopping.Token).AsTask();
                Act(isTime);
                if (coming.IsCompleted) coming = _events.Reader.WaitToReadAsync(_stopping.Token).AsTask();
            }
        }
        catch (OperationCanceledException)
        {
            // It is over.
        }
    }

    private void Act(bool isTime)
    {
        var (isNews, isStructural) = (isTime, false);
        while (_events.Reader.TryRead(out var happened))
        {
            // What is only told changes nothing; a Job without room tells of every try, and would be tried again for having told it.
            isNews |= happened.Resource != Resource.Events;
            if (happened.Resource == Resource.Pods) _node.See(happened);
            isStructural |= happened.Before is null || happened.After is null || happened.Before.IsDeleting() != happened.After.IsDeleting();
        }
        if (!isNews && !isStructural) return;
        Jobs.Reconcile();
        _node.Schedule();
        foreach (var quota in _store.List(Resource.Quotas, null).Items)
        {
            _store.TryChange(Resource.Quotas, quota, copy =>
            {
                copy["status"] = Quotas.Status(_store, copy);
                return copy;
            });
        }
        if (isStructural) Deletion.Collect(_store);
    }
}
