using WmfCi.Core.Changes;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Tests.Contract;

/// <summary>
/// What WmfCi relies on in a Gerrit. A subclass names the server: the real one, and the stand-in
/// (<c>public sealed class StandInContract : CodeReviewContract { protected override Task&lt;ReviewServer&gt; StartAsync() => …; }</c>).
/// </summary>
public abstract partial class CodeReviewContract : IAsyncLifetime
{
    private ReviewServer? _server;
    private GerritCodeReview? _review;

    /// <summary>Long enough for a slow machine; nothing waits for it to pass.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private ReviewServer Server => _server!;

    /// <summary>The code under test, as the bot.</summary>
    private GerritCodeReview Bot => _review!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _server = await StartAsync();
        _review = new GerritCodeReview(_server.Options("wmfci"), TimeProvider.System);
    }

    public async ValueTask DisposeAsync()
    {
        _review?.Dispose();
        _server?.Dispose();
        await StopAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Starts, or only names, the server; skips where there is none.</summary>
    protected abstract Task<ReviewServer> StartAsync();

    /// <summary>Ends what <see cref="StartAsync"/> started.</summary>
    protected virtual ValueTask StopAsync() => ValueTask.CompletedTask;

    private async Task<WorkTree> ProjectAsync(string start = "contract/p")
    {
        var project = $"{start}-{Guid.NewGuid():N}"[..^20];
        await Server.CreateProjectAsync(project, Cancelled);
        return await Server.CloneAsync("alice", project, Cancelled);
    }

    private async Task<(WorkTree Tree, ChangeId Id, string Commit)> ChangeAsync(string options = "", string start = "contract/p")
    {
        var tree = await ProjectAsync(start);
        var commit = await ReviewServer.PushAsync(tree, "a file.txt", "one\ntwo\n", new Push(Options: options), Cancelled);
        return (tree, await Server.FindAsync(tree.Project, commit, Cancelled), commit);
    }

    private async Task<ChangeReading> ReadAsync(ChangeId id) => (await Bot.ReadAsync(id, DateTimeOffset.MinValue, Cancelled)).ShouldNotBeNull();

    private async Task<Comment> LastCommentAsync(ChangeId id) => (await ReadAsync(id)).Comments[^1];

    private static Review Review(ChangeId id, string commit, string message = "Passed.") => new()
    {
        Change = id,
        PatchSet = 1,
        Revision = commit,
        Key = $"{Guid.NewGuid():N}/commit.test/1",
        Kind = "result",
        Message = message,
        Notify = false,
    };
}
