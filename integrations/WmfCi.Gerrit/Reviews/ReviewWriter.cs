using System.Globalization;
using System.Net;
using WmfCi.Core.Pipelines;
using WmfCi.Gerrit.Rest;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Reviews;

/// <summary>Writes reviews: looks first, then posts once.</summary>
internal sealed class ReviewWriter(GerritRest rest)
{
    /// <inheritdoc cref="ICodeReview.PostAsync"/>
    public async Task<PostOutcome> PostAsync(Review review, Func<CancellationToken, Task<string>> readSelf, bool mayBePosted, CancellationToken cancellationToken)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(review.Message);
        var tag = ReviewMessage.Tag(review);
        var change = GerritPath.Of(review.Change);
        if (mayBePosted && await IsThereAsync(review, await readSelf(cancellationToken), cancellationToken)) return PostOutcome.AlreadyThere;

        var state = await rest.FindAsync($"Reading the state of {review.Change}", (api, token) => api.ReadStateAsync(change, token), cancellationToken);
        if (state is null || IsObsolete(review, state)) return PostOutcome.Obsolete;

        var files = await ReadFilesAsync(review, cancellationToken);
        if (files is null) return PostOutcome.Obsolete;

        var refusal = Refusal(review, state);
        try
        {
            return await PostAsync(review, Input(review, tag, files, refusal), cancellationToken);
        }
        catch (CodeReviewException error) when (refusal is null && error.InnerException is GerritRefusal { Status: HttpStatusCode.Forbidden or HttpStatusCode.Conflict } && review.Label is not null)
        {
            // Rights or the change's state moved since they were read. Gerrit takes a review whole or not at all, so nothing was written.
            return await PostAsync(review, Input(review, tag, files, NotPermitted(review, state)), cancellationToken);
        }
    }

    private static bool IsObsolete(Review review, ChangeState state) =>
        review.OnlyIfCurrent && (state.Status == "ABANDONED" || !string.Equals(state.CurrentRevision, review.Revision, StringComparison.OrdinalIgnoreCase));

    /// <summary>Why the vote cannot be given: null when it can, empty when there is nothing to tell people.</summary>
    private static string? Refusal(Review review, ChangeState state)
    {
        // Gerrit leaves permitted_labels out for who may vote on nothing at all, and so might other servers for everybody.
        if (review.Label is null || state.PermittedLabels is not { } permitted) return null;
        if (permitted.GetValueOrDefault(review.Label, []).Any(value => int.TryParse(value.Trim(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number == review.Value)) return null;
        return NotPermitted(review, state);
    }

    // A closed change takes no lower votes, whatever one's rights; that is no news to anybody.
    private static string NotPermitted(Review review, ChangeState state) => state.Status != "NEW"
        ? ""
        : string.Create(CultureInfo.InvariantCulture, $"(I may not vote {review.Label}{review.Value:+0;-0;+0} here. An administrator can give my account the permission \"Label {review.Label}\" on refs/heads/{state.Branch}.)");

    private async Task<bool> IsThereAsync(Review review, string self, CancellationToken cancellationToken)
    {
        var messages = await rest.FindAsync($"Reading the messages of {review.Change}", (api, token) => api.ReadMessagesAsync(GerritPath.Of(review.Change), token), cancellationToken);
        return messages?.Any(message => message.Author?.AccountId?.ToString(CultureInfo.InvariantCulture) == self && ReviewMessage.Has(message.Tag, review.Key)) == true;
    }

    /// <summary>The files at which comments can stand. Asked only where there are comments: Gerrit refuses a review with a comment at another file.</summary>
    private async Task<IReadOnlyCollection<string>?> ReadFilesAsync(Review review, CancellationToken cancellationToken)
    {
        if (review.Inline.IsEmpty) return [];
        return (await rest.FindAsync($"Reading the files of {review.Change}", (api, token) => api.ReadFilesAsync(GerritPath.Of(review.Change), review.Revision, token), cancellationToken))?.Keys;
    }

    private static ReviewInput Input(Review review, string tag, IReadOnlyCollection<string> files, string? refusal)
    {
        var inline = review.Inline.Where(mistake => files.Contains(mistake.File)).Take(ReviewMessage.MaxInline).ToList();
        var message = ReviewMessage.Text(review.Message, [.. review.Inline.Except(inline)], refusal is "" ? null : refusal);
        return new ReviewInput
        {
            Message = message,
            Tag = tag,
            Labels = review.Label is not null && refusal is null ? new() { [review.Label] = review.Value } : null,
            Comments = inline.Count == 0 ? null : inline.GroupBy(mistake => mistake.File).ToDictionary(file => file.Key, file => file.Select(Comment).ToArray()),
            Notify = !review.Notify ? "NONE" : review.CallAttention.IsEmpty ? "OWNER" : "OWNER_REVIEWERS",
            OmitDuplicateComments = true,
            AddToAttentionSet = Attention(review.CallAttention, review),
            // Gerrit refuses an account that is in both.
            RemoveFromAttentionSet = Attention(review.ReleaseAttention.Except(review.CallAttention, StringComparer.Ordinal), review),
            IgnoreAutomaticAttentionSetRules = true,
        };
    }

    private static CommentInput Comment(ConfigMistake mistake) => new(mistake.Line > 0 ? mistake.Line : null, ReviewMessage.Text(mistake), Unresolved: true);

    // Only account numbers: a name could mean somebody else. Gerrit passes over accounts that it does not know or that have no part in the change.
    private static AttentionInput[]? Attention(IEnumerable<string> accounts, Review review)
    {
        var inputs = accounts.Where(id => id.Length > 0 && id.All(char.IsAsciiDigit)).Distinct(StringComparer.Ordinal).Select(id => new AttentionInput(id, $"CI posted its {review.Kind}")).ToArray();
        return inputs.Length == 0 ? null : inputs;
    }

    private async Task<PostOutcome> PostAsync(Review review, ReviewInput input, CancellationToken cancellationToken)
    {
        var change = GerritPath.Of(review.Change);
        var result = await rest.FindAsync($"Writing a review on {review.Change}", (api, token) => api.PostReviewAsync(change, review.Revision, input, token), cancellationToken);
        if (result is null) return PostOutcome.Obsolete;
        // A vote out of range or for no known label is left out without a word: only the answer shows it.
        return review.Label is null || result.Labels?.GetValueOrDefault(review.Label, int.MinValue) == review.Value ? PostOutcome.Posted : PostOutcome.PostedWithoutVote;
    }
}
