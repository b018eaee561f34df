using k8s.Models;
using WmfCi.Core;
using WmfCi.Core.Runs;
using WmfCi.Workspaces;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>
/// What the state of an attempt's pod means. Causes in the cluster get a new attempt and are nobody's fault; causes in the stage are told to its author with what to set instead. Pure: the
/// view and the time in, the meaning out.
/// </summary>
internal static class PodRules
{
    /// <summary>How much of what the cluster says is repeated to people.</summary>
    public const int MaxMessage = 400;

    /// <summary>From when on waiting is worth telling.</summary>
    public static readonly TimeSpan TellAfter = TimeSpan.FromSeconds(10);

    /// <summary>How long the next container may take to begin when the kernel killed something in a step for want of memory.</summary>
    private static readonly TimeSpan NextWithin = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(30);

    /// <summary>What is in the way of an image for good, as registries and runtimes say it.</summary>
    private static readonly string[] WrongImage =
        ["not found", "manifest unknown", "name unknown", "does not exist", "denied", "unauthorized", "invalid reference", "insufficient_scope", "no match for platform", "invalidimagename", "errimageneverpull", "couldn't parse image"];

    /// <summary>Looks at an attempt.</summary>
    public static Reading Read(AttemptView view, StageLimits stage)
    {
        if (view.Job is not { } job) return Ours("Its Job is gone: somebody or something removed it from the cluster.");
        if (job.GetAnnotation(Marks.Ended) is { } ended) return Endings.Read(ended) ?? Ours("It was ended by the service.");
        if (view.Pod is not { } pod) return WithoutPod(view, job, stage);
        if (Collected(view, stage) is { } collected) return collected;
        return Broken(view, pod, stage) ?? Failed(view, stage) ?? Finished(view, pod, stage) ?? Abandoned(view, pod, stage) ?? Unstarted(view, pod, stage) ?? Overdue(view, pod, stage);
    }

    /// <summary>Whether the first step began.</summary>
    public static bool HasBegun(AttemptView view) => IsOrWasRunning(view.Container(JobPlan.StepName(1)));

    /// <summary>
    /// How far the pod is: another value means that its node did something. Waiting for different reasons in turn, as for an image that does not come, is no progress.
    /// </summary>
    public static int Progress(AttemptView view) => view.Pod is not { } pod ? 0
        : 1 + (IsScheduled(pod) ? 1 : 0) + Statuses(pod).Sum(status => status.State?.Terminated is not null ? 2 : status.State?.Running is not null ? 1 : 0);

    /// <summary>Whether what a registry or a runtime said about an image means that trying again is no use.</summary>
    /// <param name="said">What it said.</param>
    /// <param name="image">The image, whose name says nothing of the kind whatever words are in it.</param>
    public static bool IsWrongImage(string said, string image)
    {
        var words = image.Length == 0 ? said : said.Replace(image, "", StringComparison.Ordinal);
        return Array.Exists(WrongImage, word => words.Contains(word, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Its result was no longer wanted.</summary>
    public static Reading.Over Stopped { get; } = new(OutcomeKind.Stopped, "Its result was no longer wanted.");

    private static Reading.Over Ours(string explanation) => new(OutcomeKind.InfrastructureFailed, explanation);

    private static Reading WithoutPod(AttemptView view, V1Job job, StageLimits stage)
    {
        if (job.GetAnnotation(Marks.Pod) is not null) return Ours($"Its pod is gone: removed by hand, or with its node.{Said(view.Warning)}");
        if (Condition(job, "Failed") is { } failed) return Ours($"Its Job failed without a pod: {Clean(failed.Message ?? failed.Reason ?? "")}.");
        var since = Past(job.CreationTimestamp(), view) ?? DateTimeOffset.UnixEpoch;
        if (view.Now - since >= stage.Allowances.Pod) return Ours($"The cluster made no pod within {Amounts.Duration(stage.Allowances.Pod)}.{Said(view.Warning)}");
        return view.Now - since < TellAfter ? new Reading.Going(since + TellAfter)
            : new Reading.Waiting($"Waits for the cluster to make a pod.{Said(view.Warning)}", Earlier(view.Now + LookAgain, since + stage.Allowances.Pod));
    }

    // The list is the last thing that the collector hands in. Its container's end, which nodes tell up to a second later, would say nothing more.
    private static Reading.Over? Collected(AttemptView view, StageLimits stage)
    {
        if (view.Job!.GetAnnotation(Marks.Manifest) is null || !StepsAreOver(view, stage)) return null;
        var over = StepEnds.Judge(view, stage) ?? new Reading.Over(OutcomeKind.Succeeded, "");
        return over with { IsCollected = true };
    }

    // The pod as a whole came to grief.
    private static Reading.Over? Broken(AttemptView view, V1Pod pod, StageLimits stage)
    {
        var (reason, message) = (pod.Status?.Reason ?? "", Clean(pod.Status?.Message ?? ""));
        if (reason == "Evicted")
        {
            return IsOwnDisk(message)
                ? new Reading.Over(OutcomeKind.DiskFull, $"It wrote more than the {Amounts.Size(stage.Worker.DiskBytes)} of disk that the worker class {stage.Worker.Name} allows, and was evicted: {message}. Delete what is no longer needed as it goes on, or choose another `worker:`.") { Step = Current(view, stage) }
                : Ours($"Its pod was evicted: {message}.");
        }
        if (reason == "DeadlineExceeded") return Late(view, stage);
        if (pod.Status?.Conditions?.FirstOrDefault(condition => condition is { Type: "DisruptionTarget", Status: "True" }) is { } disruption)
            return Ours($"Its pod was taken away ({Clean(disruption.Reason ?? "")}): {Clean(disruption.Message ?? "")}.");
        if (pod.DeletionTimestamp() is not null) return Ours($"Its pod was removed, by hand or with its node.{Said(reason)}");
        if (reason is "NodeLost" or "NodeShutdown" or "Shutdown" or "Terminated" or "Preempting" or "UnexpectedAdmissionError" || reason.StartsWith("Outof", StringComparison.OrdinalIgnoreCase) || reason.StartsWith("NodeAffinity", StringComparison.Ordinal))
            return Ours($"Its node gave it up ({Clean(reason)}): {message}.");
        return pod.Status?.Phase == "Unknown" ? Ours("Its node is lost.") : null;
    }

    // The kubelet's own limit on the pod: which part of it took the time?
    private static Reading.Over Late(AttemptView view, StageLimits stage) =>
        !HasBegun(view) ? Ours("Its pod did not come to its first step in time.")
        // The limit kills the step that runs; a supervisor that came to its end left status 0.
        : view.Container(JobPlan.StepName(stage.Steps))?.State?.Terminated is { ExitCode: 0 } ? StepEnds.Judge(view, stage) ?? Ours("What it left was not stored in time.")
        : StepEnds.TimedOut(stage) with { Step = Current(view, stage) };

    /// <summary>Whether a pod was evicted for what it wrote itself, as all kubelets since 1.20 say it; a node that ran full says otherwise.</summary>
    public static bool IsOwnDisk(string message) =>
        message.Contains("exceeds the total limit", StringComparison.OrdinalIgnoreCase) || message.Contains("exceeds the limit", StringComparison.OrdinalIgnoreCase) || message.Contains("exceeded its local ephemeral storage limit", StringComparison.OrdinalIgnoreCase);

    // A container came to grief, and with it the pod.
    private static Reading.Over? Failed(AttemptView view, StageLimits stage)
    {
        if (view.Container("fetch")?.State?.Terminated is { ExitCode: not 0 } fetch)
        {
            var failure = StepEnds.ReadFailure(fetch);
            var said = failure?.Message is { Length: > 0 } message ? Clean(message) : $"status {fetch.ExitCode}, {Clean(fetch.Reason ?? "no reason")}";
            return failure?.IsRefused == true ? new Reading.Over(OutcomeKind.Misconfigured, said) : Ours($"The workspace could not be laid out: {said}");
        }
        // A step that was killed with its supervisor ends the pod: the collector never runs.
        for (var number = 1; number <= stage.Steps; number++)
            if (view.Container(JobPlan.StepName(number))?.State?.Terminated is { ExitCode: not 0 } ended) return StepEnds.Judge(view, stage) ?? StepEnds.Killed(ended) with { Step = number };
        if (view.Container("collect")?.State?.Terminated is not { } collect) return null;
        if (collect.ExitCode == 0) return Ours("The collector ended, and no list of files came.");
        var why = StepEnds.ReadFailure(collect)?.Message is { } words ? Clean(words) : $"status {collect.ExitCode}, {Clean(collect.Reason ?? "no reason")}";
        // The stage's own failure is the news.
        return StepEnds.Judge(view, stage) is { } over ? over with { Explanation = $"{over.Explanation} Its files could not be kept: {why}" } : Ours($"What it left could not be stored: {why}");
    }

    // The pod will do nothing more, and no container says why.
    private static Reading.Over? Finished(AttemptView view, V1Pod pod, StageLimits stage) => pod.Status?.Phase is not ("Failed" or "Succeeded") ? null
        : OutOfMemory(view, stage) ?? Ours($"Its pod ended before its time ({Clean(pod.Status.Reason is { Length: > 0 } reason ? reason : pod.Status.Phase)}). {Clean(pod.Status.Message ?? "")}".TrimEnd());

    // Newer kubelets take a step in which the kernel killed something for want of memory for failed, although its supervisor lived on and exited with 0: they start nothing more, and end the
    // pod late or never (kubernetes/kubernetes#116676). Older ones go on with the next container.
    private static Reading.Over? OutOfMemory(AttemptView view, StageLimits stage) =>
        Enumerable.Range(1, stage.Steps).Any(number => view.Container(JobPlan.StepName(number))?.State?.Terminated?.Reason == "OOMKilled") ? StepEnds.Judge(view, stage) : null;

    private static Reading? Abandoned(AttemptView view, V1Pod pod, StageLimits stage)
    {
        var last = Enumerable.Range(1, stage.Steps).Select(number => view.Container(JobPlan.StepName(number))?.State?.Terminated).LastOrDefault(ended => ended is not null);
        if (last is not { Reason: "OOMKilled", ExitCode: 0 } || view.Container("collect")?.State is { Terminated: not null } || Statuses(pod).Any(status => status.State?.Running is not null)) return null;
        var until = Since(view, pod) + NextWithin;
        return view.Now < until ? new Reading.Going(until) : StepEnds.Judge(view, stage);
    }

    // It waits for a node, an image or a container.
    private static Reading? Unstarted(AttemptView view, V1Pod pod, StageLimits stage)
    {
        if (!IsScheduled(pod) && !Statuses(pod).Any(IsOrWasRunning)) return Unscheduled(view, pod, stage);
        var from = Since(view, pod);
        foreach (var container in Statuses(pod))
        {
            if (container.State?.Waiting is not { Reason: { } reason } waiting || (reason is "PodInitializing" or "ContainerCreating" && IsBusy(pod))) continue;
            var isOurs = JobPlan.StepNumber(container.Name) is null;
            var image = isOurs ? stage.OwnImage : stage.Image;
            var said = Clean(waiting.Message ?? "");
            switch (reason)
            {
                case "InvalidImageName" or "ErrImageNeverPull":
                    return Wrong(isOurs, $"“{image}” cannot be an image: {said}");
                case "ErrImagePull" or "ImagePullBackOff" or "RegistryUnavailable":
                    return Pull(view, new Refused(isOurs, image, said, from), stage);
                case "CreateContainerConfigError" or "CreateContainerError" or "RunContainerError":
                    return Creation(view, (isOurs, said), from, stage);
                case "ContainerCreating" or "PodInitializing":
                    if (LacksSecret(view, from)) return Ours($"Its Secret was removed from the cluster before its pod could use it.{Said(view.Warning)}");
                    // The image of the steps is fetched before the first of them, and that of the trusted containers before anything.
                    var allowed = stage.Allowances.Creation + (HasBegun(view) ? TimeSpan.Zero : stage.Allowances.Pull);
                    return Made(view, from, allowed, $"Waits for its node to make the container {container.Name}.{Said(view.Warning)}", $"Its node did not make the container {container.Name}");
            }
        }
        return null;
    }

    // As kubelets say it of the volume of a Secret; one that was merely not read yet is told otherwise.
    private static bool LacksSecret(AttemptView view, DateTimeOffset from) => view.Now - from >= TellAfter
        && view.Warning.StartsWith("MountVolume.SetUp failed", StringComparison.Ordinal) && view.Warning.Contains("secret", StringComparison.Ordinal) && view.Warning.Contains("not found", StringComparison.Ordinal);

    private static Reading Unscheduled(AttemptView view, V1Pod pod, StageLimits stage)
    {
        var created = Past(pod.CreationTimestamp(), view) ?? DateTimeOffset.UnixEpoch;
        var said = Clean(pod.Status?.Conditions?.FirstOrDefault(condition => condition.Type == "PodScheduled")?.Message ?? "");
        if (view.Now - created >= stage.Worker.Waits) return Ours($"No worker of the class {stage.Worker.Name} became free within {Amounts.Duration(stage.Worker.Waits)}: {said}");
        var look = Earlier(view.Now - created < TellAfter ? created + TellAfter : view.Now + LookAgain, created + stage.Worker.Waits);
        return view.Now - created < TellAfter || said.Length == 0 ? new Reading.Going(look) : new Reading.Waiting($"Waits for a worker of the class {stage.Worker.Name}: {said}", look);
    }

    private static Reading Pull(AttemptView view, Refused image, StageLimits stage)
    {
        // A kubelet that waits before it tries again says only that; why stands in an event then.
        var told = view.Warning.Contains("pull", StringComparison.OrdinalIgnoreCase) ? view.Warning : "";
        var isWrong = IsWrongImage(image.Said, image.Name) || IsWrongImage(told, image.Name);
        var said = Clean(image.Said.StartsWith("Back-off", StringComparison.OrdinalIgnoreCase) && told.Length > 0 ? told : image.Said);
        if (isWrong && !image.IsOurs) return Wrong(isOurs: false, $"There is no image {image.Name} that the workers may fetch: check its name and tag, and that its registry is public. The registry says: {said}");
        if (view.Now - image.Since < stage.Allowances.RefusedPull)
            return new Reading.Waiting($"Waits for the image {image.Name}, which could not be fetched: {said}", Earlier(view.Now + LookAgain, image.Since + stage.Allowances.RefusedPull));
        return Ours($"The image {image.Name} could not be fetched within {Amounts.Duration(stage.Allowances.RefusedPull)}: {said}");
    }

    private static Reading Creation(AttemptView view, (bool IsOurs, string Said) container, DateTimeOffset since, StageLimits stage)
    {
        if (!container.IsOurs && container.Said.Contains("root", StringComparison.OrdinalIgnoreCase)) return Wrong(isOurs: false, $"Its image may not run as it wants to: {container.Said}");
        return Made(view, since, stage.Allowances.RefusedPull, $"Waits for its node: {container.Said}", $"Its node could not make a container ({container.Said})");
    }

    private static Reading Made(AttemptView view, DateTimeOffset since, TimeSpan allowed, string waiting, string late)
    {
        if (view.Now - since >= allowed) return Ours($"{late} within {Amounts.Duration(allowed)}.{Said(view.Warning)}");
        return view.Now - since < TellAfter ? new Reading.Going(since + TellAfter) : new Reading.Waiting(waiting, Earlier(view.Now + LookAgain, since + allowed));
    }

    // Something runs, or should.
    private static Reading Overdue(AttemptView view, V1Pod pod, StageLimits stage)
    {
        var since = Since(view, pod);
        if (Statuses(pod).FirstOrDefault(status => status.State?.Running is not null) is { } running)
        {
            if (JobPlan.StepNumber(running.Name) is { } step)
            {
                // By our own clock: a node's may be wrong. Supervisors keep the time themselves; one that does not is likely on a node that is lost, which the cluster needs a while to say.
                var limit = (view.BeganAt ?? since) + stage.Timeout + stage.StopGrace + stage.Allowances.Overtime + stage.Allowances.Silence;
                return view.Now < limit ? new Reading.Going(limit) : StepEnds.TimedOut(stage) with { Step = step };
            }
            var allowed = JobPlan.IsFetch(running.Name) ? stage.Allowances.Fetch : stage.Allowances.Collect;
            return view.Now < since + allowed ? new Reading.Going(since + allowed) : Ours($"The container {running.Name} did not end within {Amounts.Duration(allowed)}.");
        }
        // Known of old kubelets: a container ended, and nothing follows.
        var quiet = since + stage.Allowances.Silence + (HasBegun(view) ? TimeSpan.Zero : stage.Allowances.Pull);
        return view.Now < quiet ? new Reading.Going(quiet) : OutOfMemory(view, stage) ?? Ours($"Its node started nothing more.{Said(view.Warning)}");
    }

    // Since when nothing moved: as we saw it ourselves, else as the cluster and the node say it.
    private static DateTimeOffset Since(AttemptView view, V1Pod pod) => view.MovedAt is { } moved ? Earlier(moved, view.Now)
        : Statuses(pod).SelectMany(status => new[] { status.State?.Running?.StartedAt, status.State?.Terminated?.FinishedAt })
            .Append(pod.Status?.Conditions?.FirstOrDefault(condition => condition is { Type: "PodScheduled", Status: "True" })?.LastTransitionTime)
            .Append(pod.CreationTimestamp()).Select(time => Past(time, view)).Max() ?? DateTimeOffset.UnixEpoch;

    private static bool StepsAreOver(AttemptView view, StageLimits stage) => view.Container(JobPlan.StepName(stage.Steps))?.State?.Terminated is not null;

    private static int? Current(AttemptView view, StageLimits stage)
    {
        int? current = null;
        for (var number = 1; number <= stage.Steps; number++)
            if (IsOrWasRunning(view.Container(JobPlan.StepName(number)))) current = number;
        return current;
    }

    private static Reading.Over Wrong(bool isOurs, string explanation) => isOurs ? Ours(explanation) : new Reading.Over(OutcomeKind.Misconfigured, explanation);

    private static IEnumerable<V1ContainerStatus> Statuses(V1Pod pod) => (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []);

    private static bool IsBusy(V1Pod pod) => Statuses(pod).Any(status => status.State?.Running is not null);

    private static bool IsScheduled(V1Pod pod) => pod.Status?.Conditions?.Any(condition => condition is { Type: "PodScheduled", Status: "True" }) == true;

    // Of a container that was lost, or that never was, kubelets tell an end without a beginning.
    private static bool IsOrWasRunning(V1ContainerStatus? status) => status?.State?.Running is not null || status?.State?.Terminated?.StartedAt is not null;

    private static V1JobCondition? Condition(V1Job job, string type) => job.Status?.Conditions?.FirstOrDefault(condition => condition.Type == type && condition.Status == "True");

    // A clock that is ahead of ours says that something happens just now.
    private static DateTimeOffset? Past(DateTime? time, AttemptView view) => time is { } at ? at >= view.Now.UtcDateTime ? view.Now : new DateTimeOffset(DateTime.SpecifyKind(at, DateTimeKind.Utc)) : null;

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static string Clean(string text) => PlainText.Line(text, MaxMessage).TrimEnd('.', ' ');

    private static string Said(string warning) => warning.Length == 0 ? "" : $" The cluster says: {Clean(warning)}.";

    private sealed record Refused(bool IsOurs, string Name, string Said, DateTimeOffset Since);
}
