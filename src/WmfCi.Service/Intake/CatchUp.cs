using WmfCi.Core.Rules;
using WmfCi.Ports;
using WmfCi.Storage;

namespace WmfCi.Service.Intake;

/// <summary>
/// Asks the code review which changes were updated since the last time, and has each looked at again. With this alone everything would work, only later: the stream
/// makes it fast, this makes it certain.
/// </summary>
/// <param name="review">The code review.</param>
/// <param name="inbox">Where pokes go.</param>
/// <param name="facts">Where the cursor is.</param>
/// <param name="options">How far back.</param>
/// <param name="time">The clock.</param>
public sealed class CatchUp(ICodeReview review, Inbox inbox, Facts facts, IntakeOptions options, TimeProvider time)
{
    /// <summary>How many changes are asked for at once.</summary>
    public const int PageSize = 200;

    /// <summary>How many are asked for at most, where more than a page were updated in one second, the finest that the code review tells.</summary>
    public const int MaxPageSize = 6400;

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly Dictionary<string, Look> _seen = new(StringComparer.Ordinal);

    /// <summary>Catches up.</summary>
    /// <returns>How many changes are to be looked at again.</returns>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var installed = await facts.ReadOrSetAsync(Facts.Installed, time.GetUtcNow(), cancellationToken);
        var cursor = await facts.ReadOrSetAsync(Facts.CaughtUpUntil, installed, cancellationToken);
        var since = cursor - options.Overlap;
        var poked = 0;
        var round = new HashSet<string>(StringComparer.Ordinal);
        for (var size = PageSize; ;)
        {
            var page = await review.ReadUpdatedSinceAsync(since, size, cancellationToken);
            // The overlap brings the same changes again and again; only those that moved since are worth a look. Times are whole seconds: what happened in the very
            // second of a look shows no later time, so that each time gets a second look, in the next round.
            var fresh = page.Where(change => options.Serves(change.Id.Project) && round.Add(change.Id.Lane) && LookAt(change)).ToList();
            await inbox.AddAsync([.. fresh.Select(change => new LaneEvent(change.Id.Lane, new Event.ChangePoked("catch-up")))], cancellationToken);
            poked += fresh.Count;
            if (page.IsEmpty) break;
            // The code review's own times are the cursor, not our clock: what it says is later is later.
            var newest = page.Max(change => change.Updated);
            await facts.AdvanceAsync(Facts.CaughtUpUntil, newest, cancellationToken);
            if (page.Count < size) break;
            if (newest > since) (since, size) = (newest, PageSize);
            else if (size < MaxPageSize) size *= 2;
            // More than that in one second: the rest of it is left to the stream and to the next update, rather than all that came after it.
            else (since, size) = (newest + Second, PageSize);
        }
        Forget(since - options.Overlap);
        return poked;
    }

    private bool LookAt(UpdatedChange change)
    {
        var lane = change.Id.Lane;
        var known = _seen.TryGetValue(lane, out var look) && look.Updated == change.Updated ? look.Times : 0;
        _seen[lane] = new Look(change.Updated, known + 1);
        return known < 2;
    }

    private sealed record Look(DateTimeOffset Updated, int Times);

    private void Forget(DateTimeOffset before)
    {
        foreach (var lane in _seen.Where(one => one.Value.Updated < before).Select(one => one.Key).ToList()) _seen.Remove(lane);
    }
}
