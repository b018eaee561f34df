using System.Globalization;
using Microsoft.AspNetCore.Http;
using WmfCi.Core.Changes;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages.Views;
using WmfCi.Storage;

namespace WmfCi.Service.Pages;

/// <summary>The pages that list and show runs. What is hidden is answered just like what never was.</summary>
/// <param name="runs">All runs.</param>
/// <param name="upkeep">What waits, and what was set aside.</param>
/// <param name="options">The site.</param>
public sealed class RunPages(RunTable runs, Upkeep upkeep, PageOptions options)
{
    /// <summary>How many ended runs one page lists.</summary>
    public const int PageSize = 30;

    /// <summary>How many runs that go on the overview shows.</summary>
    public const int MaxActive = 50;

    /// <summary>How many runs the page of a change lists.</summary>
    public const int MaxOfChange = 100;

    /// <summary>How many of a project's last runs its figures are of.</summary>
    public const int RunsCounted = 50;

    /// <summary>How many things that were set aside are listed.</summary>
    public const int MaxQuarantined = 50;

    /// <summary>The overview, or an older page of its list.</summary>
    /// <param name="before">The run before which to begin; null for the newest.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IResult> OverviewAsync(string? before, CancellationToken cancellationToken)
    {
        if (!TryBefore(before, out var from)) return PageGuard.NotFound();
        var isFirst = before is null;
        // One run more than is shown says whether there is a next page; active ones are shown above.
        var active = isFirst ? await runs.ActiveAsync(MaxActive + 1, cancellationToken) : [];
        var recent = await runs.RecentAsync(from, PageSize + 1, cancellationToken);
        var backlog = isFirst ? await upkeep.BacklogAsync(cancellationToken) : new Backlog(0, 0, 0, TimeSpan.Zero);
        var capacity = isFirst ? await options.Capacity(cancellationToken) : null;
        return Page.Of<OverviewPage>(new OverviewModel(
            [.. active.Take(MaxActive).Select(one => one.Run)], active.Count > MaxActive, [.. recent.Take(PageSize).Select(one => one.Run).Where(run => !run.IsActive)],
            isFirst ? null : from, recent.Count > PageSize ? recent[PageSize - 1].Run.Id : null, backlog, capacity));
    }

    /// <summary>The page of a run.</summary>
    public async Task<IResult> RunAsync(long run, CancellationToken cancellationToken) =>
        await FindAsync(runs, run, cancellationToken) is { } found ? Page.Of<RunPage>(found) : PageGuard.NotFound();

    /// <summary>The page of a change.</summary>
    public async Task<IResult> ChangeAsync(int number, string project, CancellationToken cancellationToken)
    {
        var change = new ChangeId(project, number);
        var found = await runs.OfChangeAsync(change, MaxOfChange, cancellationToken);
        return found.Count == 0 ? PageGuard.NotFound() : Page.Of<ChangePage>(new ChangeModel(change, [.. found.Select(one => one.Run)]));
    }

    /// <summary>The page of a project.</summary>
    public async Task<IResult> ProjectAsync(string project, string? before, CancellationToken cancellationToken)
    {
        if (!TryBefore(before, out var from)) return PageGuard.NotFound();
        var found = await runs.OfProjectAsync(project, from, RunsCounted, cancellationToken);
        if (found.Count == 0) return PageGuard.NotFound();
        var shown = found.Select(one => one.Run).ToList();
        return Page.Of<ProjectPage>(new ProjectModel(
            project, [.. shown.Take(PageSize)], before is null ? null : from, shown.Count > PageSize ? shown[PageSize - 1].Id : null, ProjectFigures.Of(shown)));
    }

    /// <summary>What was set aside. Reasons are shown where everybody may know of the change; the others are counted, and listed on the command line.</summary>
    public async Task<IResult> QuarantineAsync(CancellationToken cancellationToken)
    {
        var found = await upkeep.QuarantineAsync(MaxQuarantined, cancellationToken);
        var known = new Dictionary<string, bool>(StringComparer.Ordinal);
        foreach (var lane in found.Select(one => one.Lane).Distinct(StringComparer.Ordinal))
            known[lane] = ChangeId.TryFromLane(lane, out var change) && (await runs.OfChangeAsync(change, 1, cancellationToken)).Count > 0;
        return Page.Of<QuarantinePage>((IReadOnlyList<Quarantined>)[.. found.Select(one =>
            known[one.Lane] ? one with { Reason = QuarantineReason.ForEverybody(one.Reason) } : one with { Lane = "", Reason = "not shown here: see `wmfci quarantine list`" })]);
    }

    /// <summary>A run that everybody may see; null where there is none.</summary>
    internal static async Task<Run?> FindAsync(RunTable runs, long run, CancellationToken cancellationToken) =>
        run > 0 && await runs.FindAsync(new RunId(run), cancellationToken) is { IsHidden: false } found ? found.Run : null;

    private static bool TryBefore(string? text, out RunId before)
    {
        before = new RunId(long.MaxValue);
        if (text is null) return true;
        if (!long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) || number <= 0) return false;
        before = new RunId(number);
        return true;
    }
}
