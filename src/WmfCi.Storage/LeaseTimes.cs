namespace WmfCi.Storage;

/// <summary>
/// How long replicas rely on one another's word. Longer times mean that the work of a killed replica waits longer; shorter ones, that a replica which is only slow is
/// taken for dead. All replicas of a site must have the same.
/// </summary>
public sealed record LeaseTimes
{
    /// <summary>What a site has.</summary>
    public static LeaseTimes Default { get; } = new();

    /// <summary>How long a claim on a lane holds. Deciding takes microseconds; this is for a process that stops in the middle.</summary>
    public TimeSpan Lane { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a claim on an effect holds without renewal.</summary>
    public TimeSpan Effect { get; init; } = TimeSpan.FromSeconds(8);

    /// <summary>How often a claim on an effect is renewed: several renewals may fail before it is lost.</summary>
    public TimeSpan EffectRenewal { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long something that exists once is held without renewal.</summary>
    public TimeSpan Lease { get; init; } = TimeSpan.FromSeconds(6);

    /// <summary>How often its holder renews it, and how often others try.</summary>
    public TimeSpan LeaseRenewal { get; init; } = TimeSpan.FromSeconds(2);
}
