using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Config.Sites;
using WmfCi.Core;
using WmfCi.Core.Policies;
using WmfCi.Ports;
using WmfCi.Service.Effects;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Service;

/// <summary>Puts the site's policy in force: who we are, since when we serve, and who is in the trusted groups, which it reads again from time to time.</summary>
/// <param name="site">The site's configuration.</param>
/// <param name="review">Knows accounts and groups.</param>
/// <param name="facts">Knows since when we serve.</param>
/// <param name="policy">What it sets.</param>
/// <param name="surroundings">Clock and log.</param>
public sealed partial class PolicyKeeper(Site site, ICodeReview review, Facts facts, CurrentPolicy policy, Surroundings surroundings) : BackgroundService
{
    /// <summary>How often groups are read again.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(2);

    private readonly ILogger<PolicyKeeper> _logger = surroundings.Loggers.CreateLogger<PolicyKeeper>();

    /// <summary>Why the policy is not known; null when it is.</summary>
    public string? Problem { get; private set; } = "The code review has not answered yet.";

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var failures = 0;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                policy.Set(await ReadAsync(stoppingToken));
                (failures, Problem) = (0, null);
                await Task.Delay(Every, surroundings.Time, stoppingToken);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception error) when (error is CodeReviewException or NpgsqlException or TimeoutException or IOException or UnauthorizedAccessException)
            {
                // A policy that was in force stays so: an unreachable peer makes nobody trusted, and nobody a stranger.
                failures++;
                if (!policy.IsKnown) Problem = error.Message;
                NotRead(error.Message, failures);
                await Task.Delay(Backoff.After(Math.Min(failures, 6), Random.Shared.NextDouble()), surroundings.Time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task<Policy> ReadAsync(CancellationToken cancellationToken)
    {
        var members = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var group in site.Trust.Groups) members.UnionWith(await ReadGroupAsync(group, cancellationToken));
        var installed = await facts.ReadOrSetAsync(Facts.Installed, surroundings.Time.GetUtcNow(), cancellationToken);
        return new Policy
        {
            Self = await review.ReadSelfAsync(cancellationToken),
            Label = site.Gerrit.Label,
            Pass = site.Gerrit.Pass,
            Fail = site.Gerrit.Fail,
            // Code reviews tell times in whole seconds: what came in the very second of the installation came after it.
            AutomaticSince = installed.AddTicks(-(installed.UtcTicks % TimeSpan.TicksPerSecond)),
            HoldStrangers = site.Trust.HoldsStrangers,
            Trusted = new TrustList { Usernames = site.Trust.Accounts, Emails = site.Trust.Emails, Ids = members.ToValueArray() },
            Links = new Links(site.Url.ToString().TrimEnd('/')),
        };
    }

    // A group that is not there, or not for us, makes nobody trusted; the rest of the policy does not wait for it.
    private async Task<ValueArray<string>> ReadGroupAsync(string group, CancellationToken cancellationToken)
    {
        try
        {
            return await review.ReadGroupMembersAsync(group, cancellationToken);
        }
        catch (CodeReviewException error) when (error.Failure == FailureClass.Permanent)
        {
            NoGroup(group, error.Message);
            return [];
        }
    }

    [LoggerMessage(LogLevel.Error, "Nobody is trusted for being in the group {Group}: {Reason} Correct trust.groups, or let our account see the group")]
    private partial void NoGroup(string group, string reason);

    [LoggerMessage(LogLevel.Warning, "The policy could not be read ({Reason}), failure {Failures} in a row")]
    private partial void NotRead(string reason, int failures);
}
