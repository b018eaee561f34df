using WmfCi.Core.Pipelines;

namespace WmfCi.Core.Tests.Bench;

/// <summary>Pipelines of the stories.</summary>
internal static class Plans
{
    /// <summary>commit → acceptance.</summary>
    public static Pipeline Usual { get; } = new([Stage("commit"), Stage("acceptance", "commit")]);

    /// <summary>commit → acceptance, with lint beside them.</summary>
    public static Pipeline WithLint { get; } = new([Stage("commit"), Stage("lint"), Stage("acceptance", "commit")]);

    /// <summary>A stage of a name.</summary>
    public static Stage Stage(string name, params string[] needs) => new()
    {
        Name = name,
        Image = "host",
        Needs = [.. needs],
        Steps = [new Step("make", "make " + name)],
        Timeout = TimeSpan.FromMinutes(5),
    };

    /// <summary>A stage whose failure fails nothing.</summary>
    public static Stage NonVoting(string name, params string[] needs) => Stage(name, needs) with { IsVoting = false };

    /// <summary>A stage that this service cannot run yet.</summary>
    public static Stage Unavailable(string name, params string[] needs) => Stage(name, needs) with { Unavailable = "not available yet" };
}
