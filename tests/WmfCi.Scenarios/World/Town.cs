using WmfCi.Config.Sites;
using WmfCi.Fakes;
using WmfCi.Service;

namespace WmfCi.Scenarios.World;

/// <summary>A Gerrit, a project, a database and a service: everything that one conversation needs, and nothing that it shares.</summary>
public sealed class Town : IAsyncDisposable
{
    private readonly TempFolder _folder = new();
    private readonly List<Clone> _clones = [];
    private readonly PrivateDatabase _database;

    private Town(GerritPeer gerrit, PrivateDatabase database, string project)
    {
        (Gerrit, _database, Project) = (gerrit, database, project);
        Cable = new TcpRelay(gerrit.SshHost, gerrit.SshPort);
    }

    public GerritPeer Gerrit { get; }

    public string Project { get; }

    /// <summary>The cable between the service and Gerrit's event stream.</summary>
    public TcpRelay Cable { get; }

    public ServiceHost Service => _service ?? throw new InvalidOperationException("The service does not run.");

    private ServiceHost? _service;

    private ClusterGround? _ground;

    public Site Site { get; private set; } = null!;

    public string StateFolder => _folder["state"];

    public string ConnectionString => _database.ConnectionString;

    /// <summary>Prepares everything; the service does not run yet.</summary>
    public static async Task<Town> FoundAsync(GerritPeer gerrit, CancellationToken cancellationToken, Func<Site, Site>? change = null, ClusterGround? ground = null)
    {
        var database = await PrivatePostgres.CreateDatabaseAsync(cancellationToken);
        var town = new Town(gerrit, database, await gerrit.CreateProjectAsync(cancellationToken));
        town.Site = town.Describe();
        if (change is not null) town.Site = change(town.Site);
        if (ground is not null) (town._ground, town.Site) = (ground, ground.Settle(town.Site));
        return town;
    }

    /// <summary>Prepares everything and starts the service.</summary>
    public static async Task<Town> OpenAsync(GerritPeer gerrit, CancellationToken cancellationToken, Func<Site, Site>? change = null, ClusterGround? ground = null)
    {
        var town = await FoundAsync(gerrit, cancellationToken, change, ground);
        await town.StartServiceAsync(cancellationToken);
        return town;
    }

    public async Task StartServiceAsync(CancellationToken cancellationToken)
    {
        _service = await ServiceHost.StartAsync(new Serving(Site, Roles.All, Serving.NewHolder()), _ => { }, cancellationToken);
    }

    public async Task StopServiceAsync()
    {
        if (_service is not null) await _service.DisposeAsync();
        _service = null;
    }

    /// <summary>A person's clone, with what the branch has.</summary>
    public async Task<Clone> CloneAsync(string user, CancellationToken cancellationToken)
    {
        var clone = await Clone.MakeAsync(Gerrit, Project, user, cancellationToken);
        _clones.Add(clone);
        return clone;
    }

    /// <summary>The configuration as a file, for a service in a process of its own.</summary>
    public string WriteSite()
    {
        var gerrit = Site.Gerrit;
        return _folder.Write("site.yaml", $"""
            url: {Site.Url}
            listen: http://127.0.0.1:0
            state: {Site.State}
            database-file: {_folder.Write("database", ConnectionString)}
            gerrit:
              url: {gerrit.Url}
              user: {gerrit.User}
              password-file: {gerrit.PasswordFile}
              ssh:
                host: {gerrit.Ssh!.Host}
                port: {gerrit.Ssh.Port}
                key-file: {gerrit.Ssh.KeyFile}
                known-hosts-file: {gerrit.Ssh.KnownHostsFile}
            projects: [{Project}]
            polling:
              every: {Site.Polling.Every.TotalSeconds:0}s
              overlap: 60s
            {(_ground is null ? "" : ClusterGround.Describe(Site))}
            """);
    }

    public async ValueTask DisposeAsync()
    {
        await StopServiceAsync();
        if (_ground is not null) await _ground.DisposeAsync();
        await Cable.DisposeAsync();
        foreach (var clone in _clones) clone.Dispose();
        await _database.DisposeAsync();
        _folder.Dispose();
        await Gerrit.DisposeAsync();
    }

    private Site Describe()
    {
        // The cable's end has another port than Gerrit, and so another name among the known hosts.
        var keys = File.ReadAllLines(Gerrit.KnownHostsFile).Select(line => $"[127.0.0.1]:{Cable.Port} {line[(line.IndexOf(' ') + 1)..]}");
        return new Site
        {
            Url = new Uri("http://ci.example.org/"),
            Listen = new Uri("http://127.0.0.1:0"),
            State = StateFolder,
            Database = new DatabaseSettings(_database.ConnectionString, null),
            Gerrit = new GerritSettings
            {
                Url = new Uri(Gerrit.Url + "/"),
                User = "wmfci",
                PasswordFile = _folder.Write("password", GerritPeer.Password("wmfci")),
                Ssh = new GerritSshSettings("127.0.0.1", Cable.Port, Gerrit.KeyFile("wmfci"), _folder.Write("known_hosts", string.Join('\n', keys) + "\n")),
            },
            Projects = new ProjectFilter([Project]),
            Polling = new PollingSettings { Every = TimeSpan.FromSeconds(5), Overlap = TimeSpan.FromSeconds(60) },
        };
    }
}
