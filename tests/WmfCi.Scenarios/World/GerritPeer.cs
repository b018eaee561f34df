using System.Net.Http.Headers;
using System.Text;
using WmfCi.Gerrit.StandIn;

namespace WmfCi.Scenarios.World;

/// <summary>A Gerrit to talk with: the real one of the testbed, or the stand-in. The conversations are the same.</summary>
public abstract class GerritPeer : IAsyncDisposable
{
    public abstract string Url { get; }

    public abstract string SshHost { get; }

    public abstract int SshPort { get; }

    public abstract string KnownHostsFile { get; }

    public abstract string KeyFile(string user);

    public static string Password(string user) => $"testbed-{user}";

    /// <summary>A client that is logged in.</summary>
    public HttpClient ClientOf(string user)
    {
        var client = new HttpClient { BaseAddress = new Uri(Url + "/a/") };
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{Password(user)}")));
        return client;
    }

    public string CloneUrl(string project, string user) => $"http://{user}:{Password(user)}@{new Uri(Url).Authority}/a/{project}";

    public async Task<string> CreateProjectAsync(CancellationToken cancellationToken)
    {
        var name = $"scenario-{Guid.NewGuid():N}"[..20];
        using var client = ClientOf("admin");
        using var body = new StringContent("""{"create_empty_commit":true,"branches":["main"],"submit_type":"MERGE_IF_NECESSARY","use_content_merge":"TRUE"}""", Encoding.UTF8, "application/json");
        using var answer = await client.PutAsync($"projects/{name}", body, cancellationToken);
        answer.EnsureSuccessStatusCode();
        return name;
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        GC.SuppressFinalize(this);
    }

    /// <summary>Ends what was started for the conversation.</summary>
    protected virtual ValueTask EndAsync() => ValueTask.CompletedTask;
}

public sealed class RealGerrit : GerritPeer
{
    public const string Missing = "no real Gerrit: start the testbed's and export what it prints (GERRIT_URL, GERRIT_SSH_HOST, GERRIT_SSH_PORT, GERRIT_KEYS, GERRIT_KNOWN_HOSTS)";

    public static bool IsThere => Environment.GetEnvironmentVariable("GERRIT_URL") is { Length: > 0 };

    public override string Url { get; } = Variable("GERRIT_URL").TrimEnd('/');

    public override string SshHost { get; } = Variable("GERRIT_SSH_HOST");

    public override int SshPort { get; } = int.Parse(Variable("GERRIT_SSH_PORT"));

    public override string KnownHostsFile { get; } = Variable("GERRIT_KNOWN_HOSTS");

    public override string KeyFile(string user) => Path.Combine(Variable("GERRIT_KEYS"), user);

    private static string Variable(string name) => Environment.GetEnvironmentVariable(name) ?? throw new InvalidOperationException(Missing);
}

public sealed class StandInPeer(StandInGerrit gerrit) : GerritPeer
{
    public StandInGerrit Gerrit { get; } = gerrit;

    public override string Url => Gerrit.Url;

    public override string SshHost => Gerrit.SshHost;

    public override int SshPort => Gerrit.SshPort;

    public override string KnownHostsFile => Gerrit.KnownHostsFile;

    public override string KeyFile(string user) => Gerrit.KeyFile(user);

    public static async Task<StandInPeer> StartAsync(CancellationToken cancellationToken) =>
        new(await StandInGerrit.StartAsync(new StandInOptions { Projects = [] }, cancellationToken));

    protected override ValueTask EndAsync() => Gerrit.DisposeAsync();
}
