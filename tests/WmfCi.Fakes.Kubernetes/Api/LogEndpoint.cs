using System.Globalization;
using System.Text;
using WmfCi.Fakes.Kubernetes.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Api;

/// <summary>Containers' logs, as they are and as they grow.</summary>
internal sealed class LogEndpoint(ObjectStore store, Faults faults, Func<string, string, ContainerLog?> find)
{
    public async Task ServeAsync(ApiCall call)
    {
        var log = Find(call);
        var http = call.Http;
        var since = DateTimeOffset.TryParse(call.Query["sinceTime"], CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var from)
            ? new DateTimeOffset(from.Ticks - (from.Ticks % TimeSpan.TicksPerSecond), from.Offset)
            : DateTimeOffset.MinValue;
        var isFollowed = call.Query["follow"].ToString() is "true" or "1";
        http.Response.ContentType = "text/plain";
        await http.Response.StartAsync(http.RequestAborted);
        var place = int.TryParse(call.Query["tailLines"], out var tail) ? Math.Max(0, log.From(0).Next - tail) : 0;
        var left = long.TryParse(call.Query["limitBytes"], out var limit) ? limit : long.MaxValue;
        if (faults.CutLogsAfter is { } cut) left = Math.Min(left, cut);
        var begins = true;
        while (left > 0)
        {
            var (entries, next, isOver, more) = log.From(place);
            place = next;
            foreach (var entry in entries.Where(entry => entry.Time >= since))
            {
                var stamp = begins && call.Query["timestamps"].ToString() is "true" or "1" ? Encoding.ASCII.GetBytes(Stamp(entry.Time)) : [];
                byte[] line = [.. stamp, .. entry.Text, .. entry.IsPartial ? [] : "\n"u8];
                begins = !entry.IsPartial;
                var taken = (int)Math.Min(left, line.Length);
                await http.Response.Body.WriteAsync(line.AsMemory(0, taken), http.RequestAborted);
                if ((left -= taken) == 0) break;
            }
            await http.Response.Body.FlushAsync(http.RequestAborted);
            if (!isFollowed || isOver) break;
            await more.WaitAsync(http.RequestAborted);
            while (faults.HangLogs) await Task.Delay(TimeSpan.FromMilliseconds(100), http.RequestAborted);
        }
    }

    // Go leaves the zeros at the end away.
    private static string Stamp(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ss.FFFFFFF", CultureInfo.InvariantCulture) + "Z ";

    private ContainerLog Find(ApiCall call)
    {
        var pod = store.Get(Resource.Pods, call.Space, call.Name!);
        var names = pod.Each("spec", "initContainers").Concat(pod.Each("spec", "containers")).Select(container => container.Text("name")!).ToArray();
        var asked = call.Query["container"].ToString();
        if (asked.Length == 0 && names.Length > 1) throw StatusException.BadRequest($"a container name must be specified for pod {call.Name}, choose one of: [{string.Join(' ', names)}]");
        var name = asked.Length > 0 ? asked : names[0];
        if (!names.Contains(name)) throw StatusException.BadRequest($"container {name} is not valid for pod {call.Name}");
        if (find(pod.Uid(), name) is { } log) return log;
        var why = pod.Each("status", "initContainerStatuses").Concat(pod.Each("status", "containerStatuses")).FirstOrDefault(status => status.Text("name") == name).Text("state", "waiting", "reason");
        throw StatusException.BadRequest($"container \"{name}\" in pod \"{call.Name}\" is waiting to start: {why ?? "ContainerCreating"}");
    }
}
