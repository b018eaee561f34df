namespace WmfCi.Core.Runs;

/// <summary>How an attempt at a stage ended. The first failing ones are the author's; <see cref="InfrastructureFailed"/> is ours and gets a new attempt.</summary>
public enum OutcomeKind
{
    /// <summary>Every step exited with 0.</summary>
    Succeeded,

    /// <summary>A step exited with another status.</summary>
    Failed,

    /// <summary>It took longer than the stage may, and was stopped with all its children.</summary>
    TimedOut,

    /// <summary>It needed more memory than the stage may have.</summary>
    OutOfMemory,

    /// <summary>It wrote more than the stage may keep on disk.</summary>
    DiskFull,

    /// <summary>Its configuration cannot work, such as an image that does not exist.</summary>
    Misconfigured,

    /// <summary>It was stopped because its result is no longer wanted.</summary>
    Stopped,

    /// <summary>The worker, the cluster or a store failed; the change is not to blame.</summary>
    InfrastructureFailed,
}

/// <summary>A failed test case, as the stage's JUnit report names it.</summary>
/// <param name="Name">Class and test.</param>
/// <param name="Message">The first lines of what it says, cut to a bound.</param>
public sealed record FailedTest(string Name, string Message);

/// <summary>The test cases of all reports of an attempt.</summary>
/// <param name="Total">All cases.</param>
/// <param name="Failed">Cases that failed or broke.</param>
/// <param name="Skipped">Cases that did not run.</param>
/// <param name="FirstFailed">The first failed cases, at most <see cref="MaxFailedShown"/>.</param>
public sealed record TestSummary(int Total, int Failed, int Skipped, ValueArray<FailedTest> FirstFailed)
{
    /// <summary>How many failed cases are kept with the outcome; the reports themselves have all.</summary>
    public const int MaxFailedShown = 20;
}

/// <summary>What an attempt at a stage came to.</summary>
public sealed record StageOutcome
{
    /// <summary>How it ended.</summary>
    public required OutcomeKind Kind { get; init; }

    /// <summary>One sentence for people: why it ended so. Empty on success.</summary>
    public string Explanation { get; init; } = "";

    /// <summary>The step that failed, or null.</summary>
    public string? FailedStep { get; init; }

    /// <summary>Its exit status, or null.</summary>
    public int? ExitCode { get; init; }

    /// <summary>The last lines that the failed step printed, cut to a bound.</summary>
    public ValueArray<string> Excerpt { get; init; } = [];

    /// <summary>The test results, or null where the stage has no reports.</summary>
    public TestSummary? Tests { get; init; }

    /// <summary>How many files it left in the store (their names and digests are stored with the attempt).</summary>
    public int ArtifactCount { get; init; }

    /// <summary>Whether the outcome counts as success.</summary>
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsSuccess => Kind == OutcomeKind.Succeeded;
}
