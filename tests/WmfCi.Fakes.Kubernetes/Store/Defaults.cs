using System.Text.Json.Nodes;

namespace WmfCi.Fakes.Kubernetes.Store;

/// <summary>What the API server fills in.</summary>
internal static class Defaults
{
    public static void Pod(ObjectStore store, JsonObject pod)
    {
        var spec = pod.Ensure("spec");
        Template(spec);
        spec.TryAdd("priority", 0);
        spec.TryAdd("enableServiceLinks", true);
        spec.TryAdd("serviceAccountName", "default");
        foreach (var range in store.List(Resource.LimitRanges, pod.Space()).Items) Limit(range, pod, spec);
        foreach (var container in spec.Each("initContainers").Concat(spec.Each("containers")))
        {
            var resources = container.Ensure("resources");
            if (resources["limits"] is not JsonObject limits) continue;
            foreach (var (name, amount) in limits) resources.Ensure("requests").TryAdd(name, amount!.DeepClone());
        }
        pod["status"] = new JsonObject { ["phase"] = "Pending", ["qosClass"] = "Burstable" };
    }

    public static void Job(JsonObject job)
    {
        var spec = job.Ensure("spec");
        spec.TryAdd("backoffLimit", 6);
        spec.TryAdd("parallelism", 1);
        spec.TryAdd("completions", 1);
        spec.TryAdd("completionMode", "NonIndexed");
        spec.TryAdd("suspend", false);
        Template(spec.Ensure("template", "spec"));
        job["status"] = new JsonObject();
    }

    /// <summary>What a pod of a Job is told by; it is set when the Job has its UID.</summary>
    public static void JobLabels(JsonObject job)
    {
        var labels = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["controller-uid"] = job.Uid(),
            ["batch.kubernetes.io/controller-uid"] = job.Uid(),
            ["job-name"] = job.Name(),
            ["batch.kubernetes.io/job-name"] = job.Name(),
        };
        foreach (var (key, value) in labels) job.Ensure("spec", "template", "metadata", "labels")[key] = value;
        job.Ensure("spec", "selector", "matchLabels")["batch.kubernetes.io/controller-uid"] = job.Uid();
    }

    private static void Template(JsonObject spec)
    {
        spec.TryAdd("restartPolicy", "Always");
        spec.TryAdd("terminationGracePeriodSeconds", 30);
        spec.TryAdd("dnsPolicy", "ClusterFirst");
        spec.TryAdd("schedulerName", "default-scheduler");
        foreach (var container in spec.Each("initContainers").Concat(spec.Each("containers")))
        {
            container.TryAdd("terminationMessagePath", "/dev/termination-log");
            container.TryAdd("terminationMessagePolicy", "File");
            container.TryAdd("imagePullPolicy", "IfNotPresent");
        }
    }

    private static void Limit(JsonObject range, JsonObject pod, JsonObject spec)
    {
        foreach (var rule in range.Each("spec", "limits").Where(rule => rule.Text("type") == "Container"))
        {
            foreach (var container in spec.Each("initContainers").Concat(spec.Each("containers")))
            {
                var resources = container.Ensure("resources");
                foreach (var (name, amount) in rule["default"] as JsonObject ?? []) resources.Ensure("limits").TryAdd(name, amount!.DeepClone());
                foreach (var (name, amount) in rule["defaultRequest"] as JsonObject ?? []) resources.Ensure("requests").TryAdd(name, amount!.DeepClone());
                foreach (var (name, most) in rule["max"] as JsonObject ?? [])
                {
                    if (Quantity.Parse(resources.Text("limits", name)) > Quantity.Parse(most!.ToString()))
                        throw StatusException.Forbidden(Resource.Pods, pod.Name()!, $"maximum {name} usage per Container is {most}, but limit is {resources.Text("limits", name)}");
                }
            }
        }
    }
}
