using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;

namespace WmfCi.Ports;

/// <summary>Where changes are reviewed: Gerrit, and others that can do the same.</summary>
public interface ICodeReview
{
    /// <summary>Our own account there.</summary>
    Task<Account> ReadSelfAsync(CancellationToken cancellationToken);

    /// <summary>Reads a change with everything that was written on it.</summary>
    /// <param name="id">Which change.</param>
    /// <param name="commentsSince">Comments written before this time may be left out.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Null when it does not exist, or not for us.</returns>
    /// <exception cref="CodeReviewException">It could not be read.</exception>
    Task<ChangeReading?> ReadAsync(ChangeId id, DateTimeOffset commentsSince, CancellationToken cancellationToken);

    /// <summary>The ids of the accounts in a group, those of groups within it included.</summary>
    /// <exception cref="CodeReviewException">There is no such group for us, or it could not be read.</exception>
    Task<ValueArray<string>> ReadGroupMembersAsync(string group, CancellationToken cancellationToken);

    /// <summary>How a project wants changes merged.</summary>
    /// <exception cref="CodeReviewException">It could not be read.</exception>
    Task<MergeSettings> ReadMergeSettingsAsync(string project, CancellationToken cancellationToken);

    /// <summary>The changes that were updated at or after a time, oldest first, at most <paramref name="max"/> of them.</summary>
    /// <exception cref="CodeReviewException">They could not be read.</exception>
    Task<ValueArray<UpdatedChange>> ReadUpdatedSinceAsync(DateTimeOffset since, int max, CancellationToken cancellationToken);

    /// <summary>Writes a review, once: where <paramref name="mayBePosted"/> it first looks whether it is there already.</summary>
    /// <param name="review">What to write.</param>
    /// <param name="mayBePosted">Whether an earlier call may have been carried out although its answer was lost.</param>
    /// <param name="cancellationToken">Gives up; the review may or may not have been written.</param>
    /// <exception cref="CodeReviewException">It was refused or could not be sent.</exception>
    Task<PostOutcome> PostAsync(Review review, bool mayBePosted, CancellationToken cancellationToken);

    /// <summary>Everything that happens, as it happens, for as long as the connection holds. Each item is one raw line; what it means is read by <see cref="Understand"/>, after it is stored.</summary>
    /// <exception cref="CodeReviewException">The connection was refused or broke.</exception>
    IAsyncEnumerable<string> ListenAsync(CancellationToken cancellationToken);

    /// <summary>What a line of the stream is about.</summary>
    StreamLine Understand(string line);
}

/// <summary>A change and what was written on it.</summary>
/// <param name="Change">The change.</param>
/// <param name="Comments">Oldest first.</param>
public sealed record ChangeReading(Change Change, ValueArray<Comment> Comments);

/// <summary>A change that something happened to.</summary>
/// <param name="Id">Which.</param>
/// <param name="Updated">When.</param>
public sealed record UpdatedChange(ChangeId Id, DateTimeOffset Updated);

/// <summary>How a project wants changes merged.</summary>
/// <param name="SubmitType">Gerrit's name of it, such as <c>MERGE_IF_NECESSARY</c>; never <c>INHERIT</c>.</param>
/// <param name="UseContentMerge">Whether two sides may change the same file.</param>
public sealed record MergeSettings(string SubmitType, bool UseContentMerge);

/// <summary>What a line of the stream is about.</summary>
/// <param name="Type">The event's type, or <c>malformed</c> or <c>too-long</c>.</param>
/// <param name="Change">The change to look at again; null where the line asks for nothing.</param>
public sealed record StreamLine(string Type, ChangeId? Change);

/// <summary>A review to write.</summary>
public sealed record Review
{
    /// <summary>On which change.</summary>
    public required ChangeId Change { get; init; }

    /// <summary>On which patch set.</summary>
    public required int PatchSet { get; init; }

    /// <summary>The commit of that patch set.</summary>
    public required string Revision { get; init; }

    /// <summary>Marks the review for good, so that it can be found again; letters, digits, dashes, dots and slashes.</summary>
    public required string Key { get; init; }

    /// <summary>What the message is about (<c>start</c>, <c>result</c>): messages of one kind replace one another in the code review's view.</summary>
    public required string Kind { get; init; }

    /// <summary>The text.</summary>
    public required string Message { get; init; }

    /// <summary>The label to vote on, or null.</summary>
    public string? Label { get; init; }

    /// <summary>The vote; 0 takes a vote back.</summary>
    public int Value { get; init; }

    /// <summary>Mistakes to show at their lines.</summary>
    public ValueArray<ConfigMistake> Inline { get; init; } = [];

    /// <summary>Ids of the accounts whose turn it becomes.</summary>
    public ValueArray<string> CallAttention { get; init; } = [];

    /// <summary>Ids of the accounts whose turn it is no longer.</summary>
    public ValueArray<string> ReleaseAttention { get; init; } = [];

    /// <summary>Whether people get mail about it.</summary>
    public bool Notify { get; init; } = true;

    /// <summary>Whether it is pointless once a newer patch set is current.</summary>
    public bool OnlyIfCurrent { get; init; } = true;
}

/// <summary>What became of a review.</summary>
public enum PostOutcome
{
    /// <summary>It is there now.</summary>
    Posted,

    /// <summary>It was there already.</summary>
    AlreadyThere,

    /// <summary>A newer patch set is current, or the change is gone: nobody needs it.</summary>
    Obsolete,

    /// <summary>The message is there; the vote is not, because our account may not give it.</summary>
    PostedWithoutVote,
}

/// <summary>What a failed call means for the next step.</summary>
public enum FailureClass
{
    /// <summary>Trying again later may help: unreachable, overloaded, restarting.</summary>
    Transient,

    /// <summary>Trying again cannot help: refused, malformed, not allowed.</summary>
    Permanent,
}

/// <summary>A call to a peer failed.</summary>
/// <param name="message">What failed and what to do; without secrets.</param>
/// <param name="failure">Whether trying again may help.</param>
/// <param name="inner">The cause.</param>
public sealed class CodeReviewException(string message, FailureClass failure, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>Whether trying again may help.</summary>
    public FailureClass Failure { get; } = failure;

    /// <summary>How long the peer asked us to wait, or null.</summary>
    public TimeSpan? RetryAfter { get; init; }
}
