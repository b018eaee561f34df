using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Gerrit.Rest;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Reading;

/// <summary>
/// The changes that were updated since a time, oldest first. Gerrit lists the newest first and cannot be asked otherwise, so
/// the whole window is read and its end kept; where the window is too long to be read, it is halved until it is not.
/// </summary>
internal sealed class UpdatedChanges(GerritRest rest, TimeProvider time)
{
    // What Gerrit gives an ordinary account at once.
    private const int PageSize = 500;
    private const int MaxPages = 20;

    // Gerrit's clock may be ahead of ours.
    private static readonly TimeSpan ClockDifference = TimeSpan.FromHours(1);

    // Gerrit stores whole seconds.
    private static readonly TimeSpan Resolution = TimeSpan.FromSeconds(1);

    /// <summary>Reads them.</summary>
    /// <param name="since">From when on; the fraction of a second is cut off, because Gerrit cut off the changes'.</param>
    /// <param name="max">At most so many.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CodeReviewException">They could not be read.</exception>
    public async Task<ValueArray<UpdatedChange>> ReadAsync(DateTimeOffset since, int max, CancellationToken cancellationToken)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(max);
        DateTimeOffset? before = null;
        while (true)
        {
            var (found, complete) = await ReadWindowAsync(since, before, cancellationToken);
            var length = (before ?? (time.GetUtcNow() + ClockDifference)) - since;
            if (complete || length <= 2 * Resolution)
            {
                // The order of the same second is Gerrit's reversed, so that equal answers give equal results.
                return found.Reverse().DistinctBy(change => change.Id).OrderBy(change => change.Updated).Take(max).ToValueArray();
            }
            before = since + (length / 2);
        }
    }

    private async Task<(IEnumerable<UpdatedChange> Found, bool Complete)> ReadWindowAsync(DateTimeOffset since, DateTimeOffset? before, CancellationToken cancellationToken)
    {
        var query = $"since:\"{GerritTimeConverter.Format(since)}\"" + (before is { } end ? $" before:\"{GerritTimeConverter.Format(end)}\"" : "");
        var found = new List<UpdatedChange>();
        for (var page = 0; page < MaxPages; page++)
        {
            var skip = found.Count;
            var changes = await rest.CallAsync("Listing updated changes", (api, token) => api.QueryAsync(query, PageSize, skip, token), cancellationToken);
            found.AddRange(changes.Select(change => new UpdatedChange(new ChangeId(change.Project, change.Number), change.Updated)));
            if (changes is not [.., { MoreChanges: true }]) return (found, true);
        }
        return (found, false);
    }
}
