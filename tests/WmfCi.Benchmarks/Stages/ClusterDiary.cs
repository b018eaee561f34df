using System.Collections.Concurrent;
using k8s;
using k8s.Models;
using WmfCi.Kubernetes;

namespace WmfCi.Benchmarks.Stages;

/// <summary>
/// What happened in a namespace, by this machine's clock at the moment a watch told it. The times that Kubernetes itself notes are whole seconds.
/// </summary>
internal sealed class ClusterDiary : IAsyncDisposable
{
    private readonly ConcurrentDictionary<(string Attempt, string What), DateTimeOffset> _first = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Reflector<V1Job> _jobs;
    private readonly Reflector<V1Pod> _pods;
    private readonly Task _reading;

    public ClusterDiary(Cluster cluster)
    {
        _jobs = new Reflector<V1Job>(cluster, new ReflectorOptions());
        _pods = new Reflector<V1Pod>(cluster, new ReflectorOptions());
        _reading = Task.WhenAll(ReadAsync(_jobs, Note), ReadAsync(_pods, Note));
    }

    /// <summary>The attempts that have a Job, by its name, with the attempt as people know it.</summary>
    public IEnumerable<(string Name, string Id)> Attempts => _jobs.Items.Select(job => (job.Name(), job.GetAnnotation("wmfci.org/attempt-id")));

    /// <summary>When something was first seen; null when it was not.</summary>
    public DateTimeOffset? At(string attempt, string what) => _first.TryGetValue((attempt, what), out var at) ? at : null;

    /// <summary>How many attempts something was seen of.</summary>
    public IReadOnlyList<DateTimeOffset> All(string what) => [.. _first.Where(one => one.Key.What == what).Select(one => one.Value).Order()];

    /// <summary>How many pods' containers run now.</summary>
    public int Running(string container) => _pods.Items.Count(pod => pod.Status?.InitContainerStatuses?.Any(status => status.Name == container && status.State?.Running is not null) == true);

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        await _reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await _jobs.DisposeAsync();
        await _pods.DisposeAsync();
        _stopping.Dispose();
    }

    private async Task ReadAsync<T>(Reflector<T> reflector, Action<T> note)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        await foreach (var change in reflector.ChangesAsync(null, _stopping.Token))
            if (change.Kind == ChangeKind.Set) note(change.Item);
    }

    private void Note(V1Job job)
    {
        Note(job.Name(), "job");
        if (job.GetAnnotation("wmfci.org/pod") is not null) Note(job.Name(), "claimed");
        if (job.GetAnnotation("wmfci.org/fetched") is not null) Note(job.Name(), "fetched");
        if (job.GetAnnotation("wmfci.org/manifest") is not null) Note(job.Name(), "collected");
    }

    private void Note(V1Pod pod)
    {
        if (pod.GetLabel("wmfci.org/attempt") is not { } attempt) return;
        Note(attempt, "pod");
        if (pod.Spec.NodeName is { Length: > 0 }) Note(attempt, "bound");
        foreach (var status in (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []))
        {
            if (status.State?.Running is not null || status.State?.Terminated is not null) Note(attempt, $"{status.Name} running");
            if (status.State?.Terminated is not null) Note(attempt, $"{status.Name} ended");
        }
    }

    private void Note(string attempt, string what) => _first.TryAdd((attempt, what), DateTimeOffset.UtcNow);
}
