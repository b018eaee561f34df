using System.Text.Json.Nodes;

namespace WmfCi.Gerrit.Tests.StandIn;

/// <summary>A Gerrit for a class of facts, with the bot's event stream open.</summary>
public abstract class GerritFixture : IAsyncLifetime
{
    private Peer? peer;
    private EventReader? events;

    /// <summary>Why there is no such Gerrit; null when there is one.</summary>
    public string? Missing { get; private set; }

    public Peer Peer => peer!;
    public EventReader Events => events!;

    public async ValueTask InitializeAsync()
    {
        var environment = await FindAsync();
        if (environment is null)
        {
            Missing = "GERRIT_URL, GERRIT_SSH_HOST, GERRIT_SSH_PORT, GERRIT_KEYS and GERRIT_KNOWN_HOSTS do not name a running Gerrit";
            return;
        }
        peer = new Peer(environment);
        events = await EventReader.OpenAsync(peer);
    }

    public async ValueTask DisposeAsync()
    {
        if (events is not null) await events.DisposeAsync();
        if (peer is not null) await peer.DisposeAsync();
        await StopAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>How to reach the server, as NAME=value; null when there is none.</summary>
    protected abstract Task<IReadOnlyDictionary<string, string>?> FindAsync();

    protected virtual ValueTask StopAsync() => ValueTask.CompletedTask;
}

/// <summary>
/// What every Gerrit does on the wire, told once and proved against the stand-in and against the real server: a fact that only one of
/// them keeps is a mistake of the stand-in's.
/// </summary>
public abstract partial class GerritContract
{
    private readonly GerritFixture fixture;

    protected GerritContract(GerritFixture fixture)
    {
        Assert.SkipWhen(fixture.Missing is not null, fixture.Missing ?? "");
        this.fixture = fixture;
    }

    private Peer Peer => fixture.Peer;
    private EventReader Events => fixture.Events;

    /// <summary>One new change of alice's, and the clone that it came from.</summary>
    private async Task<(string Project, Clone Clone, int Number)> ChangeAsync(string options = "", string user = "alice")
    {
        var project = await Peer.ProjectAsync();
        var clone = await Peer.CloneAsync(project, user);
        await clone.CommitAsync("Add a file", ("file.txt", "one\ntwo\nthree\n"));
        (await clone.PushAsync("refs/for/main" + options)).Accepted.ShouldBeTrue();
        var number = await NumberAsync(project);
        await Events.UntilAsync(project, "patchset-created");
        return (project, clone, number);
    }

    private async Task<int> NumberAsync(string project) => (int)(await Peer.GetAsync("wmfci", $"/changes/?q=project:{project}&n=1")).Json[0]!["_number"]!;

    private async Task<JsonNode> DetailAsync(int number, string options = "") => (await Peer.GetAsync("wmfci", $"/changes/{number}/detail{options}")).Json;

    private Task<Answer> ReviewAsync(string user, int number, object body, string revision = "current") =>
        Peer.PostAsync(user, $"/changes/{number}/revisions/{revision}/review", body);

    private async Task ApproveAsync(int number)
    {
        (await ReviewAsync("bob", number, new { labels = new Dictionary<string, int> { ["Code-Review"] = 2 } })).Status.ShouldBe(200);
        (await ReviewAsync("wmfci", number, new { labels = new { Verified = 2 } })).Status.ShouldBe(200);
    }

    private static string[] Types(IEnumerable<JsonNode> events) => [.. events.Select(e => (string)e["type"]!)];

    private static string[] Names(JsonNode node) => [.. node.AsObject().Select(p => p.Key)];

    private static string Meta(int number) => $"refs/changes/{number % 100:00}/{number}/meta";
}
