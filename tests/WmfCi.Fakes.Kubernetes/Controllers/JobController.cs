using System.Text.Json.Nodes;
using WmfCi.Fakes.Kubernetes.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Controllers;

/// <summary>Gives Jobs their pods, and says what became of them. Jobs have one pod at a time here.</summary>
internal sealed class JobController(ObjectStore store, Node node)
{
    /// <summary>Looks at every Job.</summary>
    public void Reconcile()
    {
        foreach (var job in store.List(Resource.Jobs, null).Items) Reconcile(job);
    }

    /// <summary>Makes a pod for a Job, whether it needs one or not.</summary>
    public JsonObject MakePod(JsonObject job)
    {
        var template = job.At("spec", "template")!;
        var pod = new JsonObject { ["metadata"] = template["metadata"]?.DeepClone() ?? new JsonObject(), ["spec"] = template["spec"]!.DeepClone() };
        var metadata = pod.Ensure("metadata");
        metadata["generateName"] = job.Name() + "-";
        metadata["ownerReferences"] = new JsonArray(new JsonObject
        {
            ["apiVersion"] = "batch/v1",
            ["kind"] = "Job",
            ["name"] = job.Name(),
            ["uid"] = job.Uid(),
            ["controller"] = true,
            ["blockOwnerDeletion"] = true,
        });
        return store.Locked(() => store.Add(Resource.Pods, Admission.Admit(store, Resource.Pods, job.Space(), pod), isKept: true));
    }

    private static bool IsOver(JsonObject job) => job.Each("status", "conditions").Any(condition => condition.Text("type") is "Complete" or "Failed");

    private void Reconcile(JsonObject job)
    {
        var now = store.Time.GetUtcNow();
        if (job.IsDeleting()) return;
        if (IsOver(job))
        {
            var ended = job.Each("status", "conditions").Max(condition => condition.Text("lastTransitionTime"));
            if (job.Number("spec", "ttlSecondsAfterFinished") is { } ttl && DateTimeOffset.Parse(ended!, System.Globalization.CultureInfo.InvariantCulture).AddSeconds(ttl) <= now)
                Deletion.Delete(store, Resource.Jobs, job, new JsonObject { ["propagationPolicy"] = "Background" });
            return;
        }
        var pods = store.List(Resource.Pods, job.Space()).Items.Where(pod => pod.Each("metadata", "ownerReferences").Any(owner => owner.Text("uid") == job.Uid())).ToArray();
        if (job.At("status", "startTime") is null) Change(job, status => status["startTime"] = now.Seconds());
        var isLate = job.Number("spec", "activeDeadlineSeconds") is { } deadline && job.Text("status", "startTime") is { } started
            && DateTimeOffset.Parse(started, System.Globalization.CultureInfo.InvariantCulture).AddSeconds(deadline) <= now;
        // A pod that is gone without an end has failed, where one was seen.
        var hadOne = job.Number("status", "active") > 0;
        var live = pods.Where(pod => pod.Text("status", "phase") is not ("Succeeded" or "Failed")).ToArray();
        if (isLate) Fail(job, live, 0, "DeadlineExceeded", "Job was active longer than specified deadline");
        else if (pods.Any(pod => pod.Text("status", "phase") == "Succeeded")) Complete(job, live, now);
        else if (pods.Any(pod => pod.Text("status", "phase") == "Failed") || (pods.Length == 0 && hadOne)) Fail(job, live, 1, "BackoffLimitExceeded", "Job has reached the specified backoff limit");
        else if (pods.Length == 0) Start(job);
    }

    private void Start(JsonObject job)
    {
        try
        {
            var pod = MakePod(job);
            Change(job, status => status["active"] = 1);
            node.Event(job, "Normal", "SuccessfulCreate", $"Created pod: {pod.Name()}");
        }
        catch (StatusException e)
        {
            node.Event(job, "Warning", "FailedCreate", $"Error creating: {e.Message}");
        }
    }

    private void Complete(JsonObject job, JsonObject[] live, DateTimeOffset now)
    {
        foreach (var pod in live) Deletion.Delete(store, Resource.Pods, pod, null);
        Change(job, status =>
        {
            (status["active"], status["succeeded"], status["completionTime"]) = (0, 1, now.Seconds());
            Node.Condition(status, "Complete", true, now.Seconds(), "");
        });
    }

    private void Fail(JsonObject job, JsonObject[] live, int failed, string reason, string message)
    {
        foreach (var pod in live) Deletion.Delete(store, Resource.Pods, pod, null);
        var now = store.Time.GetUtcNow().Seconds();
        Change(job, status =>
        {
            (status["active"], status["failed"]) = (0, failed + live.Length);
            Node.Condition(status, "Failed", true, now, reason, message);
            status.Each("conditions").Last()["reason"] = reason;
        });
        node.Event(job, "Warning", reason, message);
    }

    private void Change(JsonObject job, Action<JsonObject> change) => store.TryChange(Resource.Jobs, job, copy =>
    {
        change(copy.Ensure("status"));
        return copy;
    });
}
