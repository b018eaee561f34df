using WmfCi.Ports;

namespace WmfCi.Kubernetes.Jobs;

/// <summary>What bounds an attempt, for those who judge it.</summary>
/// <param name="Steps">How many steps it has.</param>
/// <param name="Image">The image of its steps.</param>
/// <param name="OwnImage">The image of the trusted containers.</param>
/// <param name="Timeout">How long its steps may take together.</param>
/// <param name="StopGrace">How long they may tidy up.</param>
/// <param name="Worker">Its class of workers.</param>
/// <param name="Allowances">How long everything else may take.</param>
internal sealed record StageLimits(int Steps, string Image, string OwnImage, TimeSpan Timeout, TimeSpan StopGrace, WorkerClass Worker, Allowances Allowances)
{
    public static StageLimits Of(KubernetesRunnerOptions options, AttemptSpec spec, WorkerClass worker) =>
        new(spec.Stage.Steps.Count, spec.Stage.Image, options.Image, spec.Stage.Timeout, options.StopGrace, worker, options.Allowances);
}
