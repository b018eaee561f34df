using WmfCi.Core.Rules;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Effects;

/// <summary>Reads and writes in the code review.</summary>
/// <param name="review">The code review.</param>
/// <param name="time">The clock.</param>
public sealed class ReviewEffects(ICodeReview review, TimeProvider time)
{
    /// <summary>Carries out an effect of the pool <see cref="Pools.Review"/>.</summary>
    public Task<EffectResult> HandleAsync(EffectClaim claim, Task stop, CancellationToken cancellationToken) => claim.Effect switch
    {
        Effect.ReadChange read => ReadAsync(read, cancellationToken),
        Effect.PostReview post => PostAsync(post, claim.Attempts > 1, cancellationToken),
        _ => throw new InvalidOperationException($"{claim.Effect.Key} is no effect of this pool."),
    };

    private async Task<EffectResult> ReadAsync(Effect.ReadChange read, CancellationToken cancellationToken)
    {
        var reading = await review.ReadAsync(read.Change, read.CommentsSince, cancellationToken);
        return EffectResult.Of(reading is null ? new Event.ChangeGone() : new Event.ChangeSeen(reading.Change, reading.Comments));
    }

    private async Task<EffectResult> PostAsync(Effect.PostReview post, bool mayBePosted, CancellationToken cancellationToken)
    {
        var message = post.Message;
        // It was decided when the change was public. Nothing is written once it is not, and nothing is missed: who shows it again gets a new run.
        if (await review.ReadAsync(post.Change, time.GetUtcNow(), cancellationToken) is not { Change.IsPrivate: false }) return EffectResult.Nothing;
        await review.PostAsync(
            new Review
            {
                Change = post.Change,
                PatchSet = post.PatchSet,
                Revision = post.Revision,
                Key = post.Name,
                Kind = Kind(message.Kind),
                Message = message.Text,
                Label = message.Label,
                Value = message.Value,
                Inline = message.Inline,
                CallAttention = message.CallAttention,
                ReleaseAttention = message.ReleaseAttention,
                // That a run has begun is worth a line on the page, and nobody's mail.
                Notify = message.Kind is not MessageKind.Start,
                OnlyIfCurrent = message.Kind is not MessageKind.Reply,
            },
            mayBePosted, cancellationToken);
        return EffectResult.Nothing;
    }

    // Start, progress and result of a patch set's runs replace one another in Gerrit's view; an answer to a person stays.
    private static string Kind(MessageKind kind) => kind is MessageKind.Reply ? "reply" : "check";
}
