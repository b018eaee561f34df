using WmfCi.Ports;

namespace WmfCi.Service.Effects;

/// <summary>What an exception means for an effect. Whatever is not known to be final is tried again: the bound on attempts ends it.</summary>
/// <param name="Class">Whether trying again may help.</param>
/// <param name="Reason">What people read. Exceptions of the integrations carry no secrets; others are named by their type only.</param>
/// <param name="RetryAfter">When the peer said to come back.</param>
public sealed record EffectFailure(FailureClass Class, string Reason, TimeSpan? RetryAfter)
{
    /// <summary>Reads an exception.</summary>
    public static EffectFailure Of(Exception error) => error switch
    {
        CodeReviewException review => new(review.Failure, review.Message, review.RetryAfter),
        SourceException source => new(source.Failure, source.Message, null),
        EffectKilledException killed => new(FailureClass.Permanent, killed.Message, null),
        IOException io => new(FailureClass.Transient, io.Message, null),
        _ => new(FailureClass.Transient, $"An unexpected {error.GetType().Name}; the service's log has it.", null),
    };
}

/// <summary>A source could not be prepared.</summary>
/// <param name="message">What failed, without secrets.</param>
/// <param name="failure">Whether trying again may help.</param>
/// <param name="inner">The cause.</param>
public sealed class SourceException(string message, FailureClass failure, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether trying again may help.</summary>
    public FailureClass Failure { get; } = failure;
}

/// <summary>An effect was taken as often as it may be, and no try lived to tell what became of it.</summary>
public sealed class EffectKilledException() : Exception($"It was tried {EffectWorkers.MaxAttempts} times, and each time the process ended or failed.");
