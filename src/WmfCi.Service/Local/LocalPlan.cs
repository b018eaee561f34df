using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Ports;

namespace WmfCi.Service.Local;

/// <summary>What is to be run on this machine. All that it names is in the store.</summary>
internal sealed record LocalPlan
{
    /// <summary>The stages, those that they need among them.</summary>
    public required Pipeline Pipeline { get; init; }

    /// <summary>What they are run on.</summary>
    public required Source Source { get; init; }

    /// <summary>What the steps are told about the change.</summary>
    public required RunFacts About { get; init; }

    /// <summary>The run that the steps are told of.</summary>
    public RunId Told { get; init; }

    /// <summary>The stages that count as done, by id, with what they left.</summary>
    public IReadOnlyDictionary<string, ValueArray<CollectedFile>> Given { get; init; } = new Dictionary<string, ValueArray<CollectedFile>>(StringComparer.Ordinal);

    /// <summary>The attempts that the steps are told of, by stage; 1 where there is none.</summary>
    public IReadOnlyDictionary<string, int> Attempts { get; init; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>The stages that will really run.</summary>
    public IEnumerable<Stage> ToRun => Pipeline.Stages.Where(stage => stage.Unavailable is null && !Given.ContainsKey(stage.Id));
}
