namespace WmfCi.Service.Loop;

/// <summary>
/// Called where the process could die with a difference: between what was stored and what was done. Does nothing in service; the crash test kills the process there.
/// </summary>
/// <param name="Reached">Called with the name of the place.</param>
public sealed record Boundary(Action<string> Reached)
{
    /// <summary>Nobody looks.</summary>
    public static Boundary None { get; } = new(_ => { });
}
