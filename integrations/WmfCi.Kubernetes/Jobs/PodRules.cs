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

    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(30);

    /// <summary>What is in the way of an image for good, as registries and runtimes say it.</summary>
    private static readonly string[] WrongImage =
        ["not found", "manifest unknown", "name unknown", "does not exist", "denied", "unauthorized", "invalid reference", "insufficient_scope", "no match for platform", "invalidimagename", "errimageneverpull", "couldn't parse image"];

    /// <summary>Looks at an attempt.</summary>
    public static Reading Read(AttemptView view, StageLimits stage)
    {
        if (view.Job is not { } job) return Ours("Its Job is gone: somebody or something removed it from the cluster.");
        if (job.GetAnnotation(Marks.Ended) is { } ended && Enum.TryParse<OutcomeKind>(ended, out var kind)) return Ended(kind, stage);
        if (view.Pod is not { } pod) return WithoutPod(view, job, stage);
        if (Collected(view, stage) is { } collected) return collected;
        return Broken(view, pod, stage) ?? Failed(view, stage) ?? (Reading?)Unstarted(view, pod, stage) ?? Overdue(view, pod, stage);
    }

    /// <summary>When the first step began; null before.</summary>
    public static DateTimeOffset? FirstStepAt(AttemptView view) => StartOf(view.Container(JobPlan.StepName(1)));

    /// <summary>Whether what a registry or a runtime said about an image means that trying again is no use.</summary>
    public static bool IsWrongImage(string said) => Array.Exists(WrongImage, word => said.Contains(word, StringComparison.OrdinalIgnoreCase));

    private static Reading.Over Ours(string explanation) => new(OutcomeKind.InfrastructureFailed, explanation);

    private static Reading.Over Ended(OutcomeKind kind, StageLimits stage) => kind switch
    {
        OutcomeKind.TimedOut => StepEnds.TimedOut(stage),
        OutcomeKind.Stopped => new Reading.Over(OutcomeKind.Stopped, "Its result was no longer wanted."),
        _ => Ours("It was ended by the service."),
    };

    private static Reading WithoutPod(AttemptView view, V1Job job, StageLimits stage)
    {
        if (job.GetAnnotation(Marks.Pod) is not null) return Ours($"Its pod is gone: removed by hand, or with its node.{Said(view.Warning)}");
        if (Condition(job, "Failed") is { } failed) return Ours($"Its Job failed without a pod: {Clean(failed.Message ?? failed.Reason ?? "")}.");
        var since = At(job.CreationTimestamp(), view.Now);
        if (view.Now - since > stage.Allowances.Pod) return Ours($"The cluster made no pod within {Amounts.Duration(stage.Allowances.Pod)}.{Said(view.Warning)}");
        return view.Now - since < TellAfter ? new Reading.Going(since + TellAfter)
            : new Reading.Waiting($"Waits for the cluster to make a pod.{Said(view.Warning)}", Earlier(view.Now + LookAgain, since + stage.Allowances.Pod));
    }

    private static Reading.Over? Collected(AttemptView view, StageLimits stage)
    {
        if (view.Job!.GetAnnotation(Marks.Manifest) is null || view.Container("collect")?.State?.Terminated is not { ExitCode: 0 }) return null;
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
        if (reason == "DeadlineExceeded") return FirstStepAt(view) is null ? Ours("Its pod did not come to its first step in time.") : StepEnds.TimedOut(stage) with { Step = Current(view, stage) };
        if (pod.Status?.Conditions?.FirstOrDefault(condition => condition is { Type: "DisruptionTarget", Status: "True" }) is { } disruption)
            return Ours($"Its pod was taken away ({Clean(disruption.Reason ?? "")}): {Clean(disruption.Message ?? "")}.");
        if (pod.DeletionTimestamp() is not null) return Ours($"Its pod was removed, by hand or with its node.{Said(reason)}");
        if (reason is "NodeLost" or "NodeShutdown" or "Shutdown" or "Terminated" or "Preempting" or "UnexpectedAdmissionError" || reason.StartsWith("Outof", StringComparison.OrdinalIgnoreCase) || reason.StartsWith("NodeAffinity", StringComparison.Ordinal))
            return Ours($"Its node gave it up ({Clean(reason)}): {message}.");
        return pod.Status?.Phase == "Unknown" ? Ours("Its node is lost.") : null;
    }

    private static bool IsOwnDisk(string message) =>
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
            if (view.Container(JobPlan.StepName(number))?.State?.Terminated is { ExitCode: not 0 }) return StepEnds.Judge(view, stage);
        if (view.Container("collect")?.State?.Terminated is not { } collect) return null;
        if (collect.ExitCode == 0) return Ours("The collector ended, and no list of files came.");
        var why = StepEnds.ReadFailure(collect)?.Message is { } words ? Clean(words) : $"status {collect.ExitCode}, {Clean(collect.Reason ?? "no reason")}";
        // The stage's own failure is the news.
        return StepEnds.Judge(view, stage) is { } over ? over with { Explanation = $"{over.Explanation} Its files could not be kept: {why}" } : Ours($"What it left could not be stored: {why}");
    }

    // It waits for a node, an image or a container.
    private static Reading? Unstarted(AttemptView view, V1Pod pod, StageLimits stage)
    {
        var created = At(pod.CreationTimestamp(), view.Now);
        if (pod.Status?.Conditions?.FirstOrDefault(condition => condition.Type == "PodScheduled") is not { Status: "True" } scheduled) return Unscheduled(view, pod, created, stage);
        var since = At(scheduled.LastTransitionTime, created);
        foreach (var container in Statuses(pod))
        {
            if (container.State?.Waiting is not { Reason: { } reason } waiting || reason is "PodInitializing" or "ContainerCreating" && HasStarted(pod)) continue;
            var isOurs = JobPlan.StepNumber(container.Name) is null;
            var image = isOurs ? stage.OwnImage : stage.Image;
            var said = Clean(waiting.Message ?? "");
            var from = LastEnd(pod) ?? since;
            switch (reason)
            {
                case "InvalidImageName" or "ErrImageNeverPull":
                    return Wrong(isOurs, $"“{image}” cannot be an image: {said}");
                case "ErrImagePull" or "ImagePullBackOff" or "RegistryUnavailable":
                    return Pull(view, new Refused(isOurs, image, said, from), stage);
                case "CreateContainerConfigError" or "CreateContainerError" or "RunContainerError":
                    return Creation(view, (isOurs, said), from, stage);
                case "ContainerCreating" or "PodInitializing":
                    return Late(view, from, stage.Allowances.Creation + stage.Allowances.Pull, $"Waits for its node to make the container {container.Name}.{Said(view.Warning)}", $"Its node did not make the container {container.Name}");
            }
        }
        return null;
    }

    private static Reading Unscheduled(AttemptView view, V1Pod pod, DateTimeOffset created, StageLimits stage)
    {
        var said = Clean(pod.Status?.Conditions?.FirstOrDefault(condition => condition.Type == "PodScheduled")?.Message ?? "");
        if (view.Now - created > stage.Worker.Waits) return Ours($"No worker of the class {stage.Worker.Name} became free within {Amounts.Duration(stage.Worker.Waits)}: {said}");
        return view.Now - created < TellAfter || said.Length == 0 ? new Reading.Going(created + (view.Now - created < TellAfter ? TellAfter : LookAgain))
            : new Reading.Waiting($"Waits for a worker of the class {stage.Worker.Name}: {said}", Earlier(view.Now + LookAgain, created + stage.Worker.Waits));
    }

    private static Reading Pull(AttemptView view, Refused image, StageLimits stage)
    {
        var isWrong = IsWrongImage(image.Said) || IsWrongImage(view.Warning);
        var said = image.Said.StartsWith("Back-off", StringComparison.OrdinalIgnoreCase) && view.Warning.Length > 0 ? view.Warning : image.Said;
        if (isWrong && !image.IsOurs) return Wrong(isOurs: false, $"There is no image {image.Name} that the workers may fetch: check its name and tag, and that its registry is public. The registry says: {said}");
        if (view.Now - image.Since <= stage.Allowances.RefusedPull)
            return new Reading.Waiting($"Waits for the image {image.Name}, which could not be fetched: {said}", Earlier(view.Now + LookAgain, image.Since + stage.Allowances.RefusedPull));
        return Ours($"The image {image.Name} could not be fetched within {Amounts.Duration(stage.Allowances.RefusedPull)}: {said}");
    }

    private static Reading Creation(AttemptView view, (bool IsOurs, string Said) container, DateTimeOffset since, StageLimits stage)
    {
        if (!container.IsOurs && container.Said.Contains("root", StringComparison.OrdinalIgnoreCase)) return Wrong(isOurs: false, $"Its image may not run as it wants to: {container.Said}");
        return Late(view, since, stage.Allowances.RefusedPull, $"Waits for its node: {container.Said}", $"Its node could not make a container ({container.Said})");
    }

    private static Reading Late(AttemptView view, DateTimeOffset since, TimeSpan allowed, string waiting, string late)
    {
        if (view.Now - since > allowed) return Ours($"{late} within {Amounts.Duration(allowed)}.{Said(view.Warning)}");
        return view.Now - since < TellAfter ? new Reading.Going(since + TellAfter) : new Reading.Waiting(waiting, Earlier(view.Now + LookAgain, since + allowed));
    }

    // Something runs, or should.
    private static Reading Overdue(AttemptView view, V1Pod pod, StageLimits stage)
    {
        // By our own clock: a node's may be wrong.
        if (view.BeganAt is { } first && view.Container("collect")?.State?.Running is null && !StepsAreOver(view, stage))
        {
            var limit = first + stage.Timeout + stage.StopGrace + stage.Allowances.Overtime;
            if (view.Now > limit) return StepEnds.TimedOut(stage) with { Step = Current(view, stage) };
            if (Statuses(pod).Any(status => status.State?.Running is not null)) return new Reading.Going(limit);
        }
        if (Statuses(pod).FirstOrDefault(status => status.State?.Running is not null) is { } running)
        {
            var allowed = JobPlan.IsFetch(running.Name) ? stage.Allowances.Fetch : stage.Allowances.Collect;
            var until = StartOf(running)!.Value + allowed;
            return view.Now > until ? Ours($"The container {running.Name} did not end within {Amounts.Duration(allowed)}.") : new Reading.Going(until);
        }
        // Known of old kubelets: a container ended, and nothing follows.
        var quiet = (LastEnd(pod) ?? At(pod.CreationTimestamp(), view.Now)) + stage.Allowances.Silence + stage.Allowances.Pull;
        return view.Now > quiet ? Ours($"Its node started nothing more.{Said(view.Warning)}") : new Reading.Going(quiet);
    }

    private static bool StepsAreOver(AttemptView view, StageLimits stage) => view.Container(JobPlan.StepName(stage.Steps))?.State?.Terminated is not null;

    private static int? Current(AttemptView view, StageLimits stage)
    {
        int? current = null;
        for (var number = 1; number <= stage.Steps; number++)
            if (StartOf(view.Container(JobPlan.StepName(number))) is not null) current = number;
        return current;
    }

    private static Reading.Over Wrong(bool isOurs, string explanation) => isOurs ? Ours(explanation) : new Reading.Over(OutcomeKind.Misconfigured, explanation);

    private static IEnumerable<V1ContainerStatus> Statuses(V1Pod pod) => (pod.Status?.InitContainerStatuses ?? []).Concat(pod.Status?.ContainerStatuses ?? []);

    private static bool HasStarted(V1Pod pod) => Statuses(pod).Any(status => status.State?.Running is not null);

    private static DateTimeOffset? StartOf(V1ContainerStatus? status) => (status?.State?.Running?.StartedAt ?? status?.State?.Terminated?.StartedAt) is { } at ? new DateTimeOffset(at) : null;

    private static DateTimeOffset? LastEnd(V1Pod pod) =>
        Statuses(pod).Select(status => status.State?.Terminated?.FinishedAt).Where(at => at is not null).Select(at => (DateTimeOffset?)new DateTimeOffset(at!.Value)).Max();

    private static V1JobCondition? Condition(V1Job job, string type) => job.Status?.Conditions?.FirstOrDefault(condition => condition.Type == type && condition.Status == "True");

    private static DateTimeOffset At(DateTime? time, DateTimeOffset otherwise) => time is { } at ? new DateTimeOffset(at) : otherwise;

    private static DateTimeOffset Earlier(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;

    private static string Clean(string text) => PlainText.Line(text, MaxMessage).TrimEnd('.');

    private static string Said(string warning) => warning.Length == 0 ? "" : $" The cluster says: {Clean(warning)}.";

    private sealed record Refused(bool IsOurs, string Name, string Said, DateTimeOffset Since);
}
