using k8s;
using k8s.Autorest;
using k8s.Models;
using WmfCi.Core;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Running;

/// <summary>What the cluster warns of about some objects. Why a pod is not made, not placed or not started stands in events, and in none of its fields.</summary>
internal sealed class Warnings(RunnerParts parts)
{
    /// <summary>How often the cluster is asked.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromSeconds(5);

    private const int Most = 50;
    private DateTimeOffset _askedAt;

    /// <summary>The latest, cut to a bound; empty without one.</summary>
    public string Latest { get; private set; } = "";

    /// <summary>Asks, if that is not too soon after the last time.</summary>
    /// <returns>Whether there is another warning now.</returns>
    public async Task<bool> AskAsync(IEnumerable<string> objects, CancellationToken cancellationToken)
    {
        if (parts.Time.GetUtcNow() - _askedAt < Every) return false;
        _askedAt = parts.Time.GetUtcNow();
        try
        {
            var found = new List<Corev1Event>();
            foreach (var name in objects.Distinct(StringComparer.Ordinal))
            {
                var events = await parts.Cluster.Client.CoreV1.ListNamespacedEventAsync(parts.Cluster.Namespace, fieldSelector: $"involvedObject.name={name},type=Warning", limit: Most, cancellationToken: cancellationToken);
                found.AddRange(events.Items);
            }
            var text = Of(found);
            var isNews = text != Latest;
            Latest = text;
            return isNews;
        }
        catch (Exception error) when (error is HttpOperationException or HttpRequestException or IOException or TimeoutException || (error is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // A hint less; what counts stands in the pod's state. The library tells by a cancellation that the server did not answer in time.
            return false;
        }
    }

    /// <summary>The latest that says something. Kubelets repeat a state's name as a warning (<c>Error: ErrImagePull</c>), and that the cluster has no names, which nobody needs.</summary>
    public static string Of(IEnumerable<Corev1Event> events) =>
        events.OrderBy(happened => happened.LastTimestamp ?? happened.EventTime ?? happened.FirstTimestamp)
            .LastOrDefault(happened => happened.Reason != "MissingClusterDNS" && !string.IsNullOrWhiteSpace(happened.Message) && !happened.Message.StartsWith("Error: ", StringComparison.Ordinal)) is { } latest
            ? PlainText.Line(latest.Message, PodRules.MaxMessage) : "";
}
