using System.Collections.Concurrent;
using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Gerrit.Events;
using WmfCi.Gerrit.Reading;
using WmfCi.Gerrit.Rest;
using WmfCi.Gerrit.Reviews;
using WmfCi.Ports;

namespace WmfCi.Gerrit;

/// <summary>Gerrit, by its REST API and its event stream. Safe for use by several callers at once.</summary>
public sealed class GerritCodeReview : ICodeReview, IDisposable
{
    private const int MaxRememberedProjects = 10_000;
    private const string DefaultSubmitType = "MERGE_IF_NECESSARY";

    private readonly GerritOptions _options;
    private readonly TimeProvider _time;
    private readonly GerritRest _rest;
    private readonly ReviewWriter _reviews;
    private readonly UpdatedChanges _updated;
    private readonly EventStream _stream;
    private readonly ConcurrentDictionary<string, (MergeSettings Settings, DateTimeOffset Until)> _mergeSettings = new(StringComparer.Ordinal);
    private volatile Account? _self;

    /// <summary>Makes the connection; nothing is sent before the first call.</summary>
    /// <param name="options">Where and as whom.</param>
    /// <param name="time">The clock of timeouts and of what is remembered.</param>
    /// <param name="transport">What carries HTTP, or null for connections of its own.</param>
    public GerritCodeReview(GerritOptions options, TimeProvider time, HttpMessageHandler? transport = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(time);
        _options = options;
        _time = time;
        _rest = new GerritRest(options, time, transport);
        _reviews = new ReviewWriter(_rest);
        _updated = new UpdatedChanges(_rest, time);
        _stream = new EventStream(options);
    }

    /// <inheritdoc/>
    public async Task<Account> ReadSelfAsync(CancellationToken cancellationToken)
    {
        var self = ChangeMapping.Account(await _rest.CallAsync("Reading our own account", (api, token) => api.ReadSelfAsync(token), cancellationToken));
        if (self.Id.Length == 0) throw new CodeReviewException("Reading our own account failed: Gerrit's answer has no account number.", FailureClass.Transient);
        return _self = self;
    }

    /// <inheritdoc/>
    public async Task<ChangeReading?> ReadAsync(ChangeId id, DateTimeOffset commentsSince, CancellationToken cancellationToken)
    {
        var path = GerritPath.Of(id);
        var self = await ReadSelfIdAsync(cancellationToken);
        var info = await _rest.FindAsync($"Reading {id}", (api, token) => api.ReadDetailAsync(path, token), cancellationToken);
        if (info is null) return null;

        var change = ChangeMapping.Change(info, _options.Url, self)
            ?? throw new CodeReviewException($"Reading {id} failed: Gerrit's answer has no current patch set.", FailureClass.Transient);
        // Gerrit's times are whole seconds: a message of 12:00:00.7 says 12:00:00.
        var since = commentsSince.AddTicks(-(commentsSince.Ticks % TimeSpan.TicksPerSecond));
        var messages = (info.Messages ?? []).Where(message => message.Date >= since).ToList();
        Dictionary<string, CommentInfo[]>? comments = ChangeMapping.NeedsComments(messages)
            ? await _rest.FindAsync($"Reading the comments of {id}", (api, token) => api.ReadCommentsAsync(path, token), cancellationToken)
            : [];
        return comments is null ? null : new ChangeReading(change, ChangeMapping.Comments(messages, comments));
    }

    /// <inheritdoc/>
    public async Task<ValueArray<string>> ReadGroupMembersAsync(string group, CancellationToken cancellationToken)
    {
        var members = await _rest.CallAsync($"Reading the members of the group {group}", (api, token) => api.ReadGroupMembersAsync(Uri.EscapeDataString(group), token), cancellationToken);
        return members.Select(member => ChangeMapping.Account(member).Id).Where(id => id.Length > 0).ToValueArray();
    }

    /// <inheritdoc/>
    public async Task<MergeSettings> ReadMergeSettingsAsync(string project, CancellationToken cancellationToken)
    {
        var now = _time.GetUtcNow();
        if (_mergeSettings.TryGetValue(project, out var known) && known.Until > now) return known.Settings;
        var path = GerritPath.OfProject(project);
        var config = await _rest.CallAsync($"Reading the settings of {project}", (api, token) => api.ReadProjectConfigAsync(path, token), cancellationToken);
        var settings = MergeSettingsOf(config);
        if (_mergeSettings.Count >= MaxRememberedProjects) _mergeSettings.Clear();
        _mergeSettings[project] = (settings, now + _options.MergeSettingsLifetime);
        return settings;
    }

    /// <inheritdoc/>
    public Task<ValueArray<UpdatedChange>> ReadUpdatedSinceAsync(DateTimeOffset since, int max, CancellationToken cancellationToken) =>
        _updated.ReadAsync(since, max, cancellationToken);

    /// <inheritdoc/>
    public Task<PostOutcome> PostAsync(Review review, bool mayBePosted, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(review);
        return _reviews.PostAsync(review, ReadSelfIdAsync, mayBePosted, cancellationToken);
    }

    /// <inheritdoc/>
    public IAsyncEnumerable<string> ListenAsync(CancellationToken cancellationToken) => _stream.ListenAsync(cancellationToken);

    /// <inheritdoc/>
    public StreamLine Understand(string line)
    {
        ArgumentNullException.ThrowIfNull(line);
        return StreamEvents.Understand(line);
    }

    /// <summary>Closes the HTTP connections. A stream that is listened to ends with its enumeration.</summary>
    public void Dispose() => _rest.Dispose();

    /// <summary>What is missing falls to the stricter side: without content merge more is a conflict, but nothing merges that Gerrit would not merge.</summary>
    private static MergeSettings MergeSettingsOf(ProjectConfig config)
    {
        string?[] types = [config.SubmitType, config.DefaultSubmitType?.Value, config.DefaultSubmitType?.InheritedValue];
        var type = types.FirstOrDefault(candidate => candidate is not (null or "" or "INHERIT")) ?? DefaultSubmitType;
        var contentMerge = config.UseContentMerge switch
        {
            null => false,
            { Value: { } effective } => effective,
            { ConfiguredValue: "TRUE" } => true,
            { ConfiguredValue: "FALSE" } => false,
            var inherited => inherited.InheritedValue ?? false,
        };
        return new MergeSettings(type, contentMerge);
    }

    private async Task<string> ReadSelfIdAsync(CancellationToken cancellationToken) => (_self ?? await ReadSelfAsync(cancellationToken)).Id;
}
