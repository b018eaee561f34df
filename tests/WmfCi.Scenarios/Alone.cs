namespace WmfCi.Scenarios;

/// <summary>Tests that want the machine for themselves: they start many processes, and what they look at is who outlives whom.</summary>
[CollectionDefinition(DisableParallelization = true)]
public sealed class Alone;
