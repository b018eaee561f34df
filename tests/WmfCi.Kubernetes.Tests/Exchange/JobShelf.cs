using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using k8s;
using k8s.Models;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Exchange;

/// <summary>The Jobs of a namespace as an API server keeps them: read, and changed only by who read the last version.</summary>
internal sealed class JobShelf : DelegatingHandler
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, V1Job> _jobs = new(StringComparer.Ordinal);
    private int _version;

    /// <summary>How many requests are answered with 500 from now on.</summary>
    public int Failures { get; set; }

    /// <summary>How many changes get through before their answer is lost.</summary>
    public int LostAnswers { get; set; }

    public JobRecords Records() => new(new k8s.Kubernetes(new KubernetesClientConfiguration { Host = "http://jobs.invalid" }, this), "stages", new Retries(TimeProvider.System));

    public V1Job? Find(string name)
    {
        lock (_lock) return _jobs.GetValueOrDefault(name);
    }

    public void Put(V1Job job)
    {
        lock (_lock)
        {
            job.Metadata.ResourceVersion = (++_version).ToString(CultureInfo.InvariantCulture);
            job.Metadata.Uid ??= Guid.NewGuid().ToString();
            _jobs[job.Name()] = job;
        }
    }

    public void Remove(string name)
    {
        lock (_lock) _jobs.Remove(name);
    }

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var answer = Answer(request, request.Method == HttpMethod.Patch ? await request.Content!.ReadAsStringAsync(cancellationToken) : null);
        answer.RequestMessage = request;
        return answer;
    }

    private HttpResponseMessage Answer(HttpRequestMessage request, string? patch)
    {
        lock (_lock)
        {
            if (Failures > 0)
            {
                Failures--;
                return Answer(HttpStatusCode.InternalServerError, "{}");
            }
            if (!_jobs.TryGetValue(request.RequestUri!.Segments[^1], out var job)) return Answer(HttpStatusCode.NotFound, "{}");
            if (patch is null) return Answer(HttpStatusCode.OK, KubernetesJson.Serialize(job));
            var wanted = JsonDocument.Parse(patch).RootElement.GetProperty("metadata");
            if (wanted.GetProperty("resourceVersion").GetString() != job.ResourceVersion() || wanted.GetProperty("uid").GetString() != job.Uid()) return Answer(HttpStatusCode.Conflict, "{}");
            var changed = KubernetesJson.Deserialize<V1Job>(KubernetesJson.Serialize(job));
            changed.Metadata.Annotations ??= new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (var mark in wanted.GetProperty("annotations").EnumerateObject()) changed.Metadata.Annotations[mark.Name] = mark.Value.GetString()!;
            Put(changed);
            if (LostAnswers == 0) return Answer(HttpStatusCode.OK, KubernetesJson.Serialize(changed));
            LostAnswers--;
            throw new HttpRequestException("The connection broke.");
        }
    }

    private static HttpResponseMessage Answer(HttpStatusCode status, string body) => new(status) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
}
