namespace WmfCi.Kubernetes.SelfTest;

/// <summary>How a check ended.</summary>
public enum CheckState
{
    /// <summary>As it should be.</summary>
    Passed,

    /// <summary>It works, and could be better or safer.</summary>
    Warned,

    /// <summary>Stages cannot run, or not safely.</summary>
    Failed,

    /// <summary>It could not be looked at.</summary>
    Skipped,
}

/// <summary>One thing that was looked at in a cluster.</summary>
/// <param name="Name">What it is about, a few words; the same in every run.</param>
/// <param name="State">How it ended.</param>
/// <param name="Found">What was found, one line without secrets.</param>
/// <param name="Mend">What to write or to run; empty where there is nothing to mend.</param>
public sealed record Check(string Name, CheckState State, string Found, string Mend = "")
{
    internal static Check Passed(string name, string found) => new(name, CheckState.Passed, found);

    internal static Check Warned(string name, string found, string mend) => new(name, CheckState.Warned, found, mend);

    internal static Check Failed(string name, string found, string mend) => new(name, CheckState.Failed, found, mend);

    internal static Check Skipped(string name, string why) => new(name, CheckState.Skipped, why);
}
