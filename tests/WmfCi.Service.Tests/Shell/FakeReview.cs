using System.Runtime.CompilerServices;
using System.Threading.Channels;
using WmfCi.Core;
using WmfCi.Core.Changes;
using WmfCi.Ports;

namespace WmfCi.Service.Tests.Shell;

/// <summary>A code review that answers as a test tells it.</summary>
internal sealed class FakeReview : ICodeReview
{
    public Channel<string> Lines { get; private set; } = Channel.CreateUnbounded<string>();

    public TaskCompletionSource Listening { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public int Connections { get; private set; }

    public Change? Change { get; set; }

    public List<UpdatedChange> Updated { get; } = [];

    public List<DateTimeOffset> Asked { get; } = [];

    public List<Review> Posted { get; } = [];

    public Dictionary<string, Func<ValueArray<string>>> Groups { get; } = new(StringComparer.Ordinal);

    public Task<Account> ReadSelfAsync(CancellationToken cancellationToken) => Task.FromResult(new Account("1", "wmfci", "WmfCi", ""));

    public Task<ChangeReading?> ReadAsync(ChangeId id, DateTimeOffset commentsSince, CancellationToken cancellationToken) =>
        Task.FromResult(Change is null ? null : new ChangeReading(Change, []));

    public Task<ValueArray<string>> ReadGroupMembersAsync(string group, CancellationToken cancellationToken) => Task.FromResult(Groups[group]());

    public Task<MergeSettings> ReadMergeSettingsAsync(string project, CancellationToken cancellationToken) => Task.FromResult(new MergeSettings("MERGE_IF_NECESSARY", true));

    // As Gerrit: inclusive, in whole seconds.
    public Task<ValueArray<UpdatedChange>> ReadUpdatedSinceAsync(DateTimeOffset since, int max, CancellationToken cancellationToken)
    {
        Asked.Add(since);
        var from = since.AddTicks(-(since.UtcTicks % TimeSpan.TicksPerSecond));
        return Task.FromResult(Updated.Where(one => one.Updated >= from).OrderBy(one => one.Updated).Take(max).ToValueArray());
    }

    public Task<PostOutcome> PostAsync(Review review, bool mayBePosted, CancellationToken cancellationToken)
    {
        Posted.Add(review);
        return Task.FromResult(PostOutcome.Posted);
    }

    public async IAsyncEnumerable<string> ListenAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Connections++;
        Listening.TrySetResult();
        await foreach (var line in Lines.Reader.ReadAllAsync(cancellationToken)) yield return line;
        Lines = Channel.CreateUnbounded<string>();
    }

    // A line is the number of a change, or nothing of use.
    public StreamLine Understand(string line) =>
        int.TryParse(line, out var number) ? new StreamLine("comment-added", new ChangeId("tools/beaver", number)) : new StreamLine("malformed", null);
}
