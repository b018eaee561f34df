using System.Collections.Concurrent;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using WmfCi.Git;

namespace WmfCi.Service.Effects;

/// <summary>Packs mirrors that were fetched often, one at a time: every fetch and merge leaves small files behind, and git gets slower with them.</summary>
/// <param name="mirrors">The mirrors.</param>
/// <param name="surroundings">Clock and log.</param>
public sealed partial class MirrorKeeper(Mirror mirrors, Surroundings surroundings) : BackgroundService
{
    /// <summary>How often it looks which mirrors need it.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromHours(1);

    /// <summary>After how many fetches a mirror is packed. It is locked meanwhile, so not too often.</summary>
    public const int FetchesBetween = 200;

    private readonly ConcurrentDictionary<string, int> _fetches = new(StringComparer.Ordinal);
    private readonly ILogger<MirrorKeeper> _logger = surroundings.Loggers.CreateLogger<MirrorKeeper>();

    /// <summary>Notes that a project's mirror was fetched.</summary>
    public void Used(string project) => _fetches.AddOrUpdate(project, 1, (_, count) => count + 1);

    /// <summary>Packs the mirrors that need it.</summary>
    /// <returns>How many were packed.</returns>
    public async Task<int> TidyAsync(CancellationToken cancellationToken)
    {
        var packed = 0;
        foreach (var (project, count) in _fetches.Where(one => one.Value >= FetchesBetween).OrderByDescending(one => one.Value).ToList())
        {
            // Failed or not, it is its turn again only after as many fetches more.
            _fetches.TryRemove(project, out _);
            try
            {
                await mirrors.MaintainAsync(project, cancellationToken);
                packed++;
                Packed(project, count);
            }
            catch (Exception error) when (error is GitFetchException or IOException)
            {
                NotPacked(project, error.Message);
            }
        }
        return packed;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Every, surroundings.Time);
        while (await timer.WaitForNextTickAsync(stoppingToken)) await TidyAsync(stoppingToken);
    }

    [LoggerMessage(LogLevel.Information, "The mirror of {Project} is packed after {Fetches} fetches")]
    private partial void Packed(string project, int fetches);

    [LoggerMessage(LogLevel.Warning, "The mirror of {Project} could not be packed: {Reason}")]
    private partial void NotPacked(string project, string reason);
}
