using WmfCi.Gerrit.StandIn.Model;
using WmfCi.Gerrit.StandIn.Rest;
using WmfCi.Gerrit.StandIn.Ssh;

namespace WmfCi.Gerrit.StandIn;

/// <summary>
/// A small Gerrit on loopback that speaks the real wire: git over HTTP and SSH, REST, <c>gerrit stream-events</c>, a page per change. It is
/// what the sandbox talks to, and a test's peer that starts in a moment.
/// </summary>
public sealed class StandInGerrit : IAsyncDisposable
{
    /// <summary>The version of the real server whose behaviour is followed.</summary>
    public const string GerritVersion = "3.10.2";

    private const long MaxPush = 1L << 30;
    private readonly Site site;
    private readonly WebApplication webServer;
    private readonly SshServer sshServer;
    private readonly HttpFront httpFront;

    private StandInGerrit(Site site, (WebApplication Server, HttpFront Front) web, SshServer sshServer, Faults faults) =>
        (this.site, webServer, httpFront, this.sshServer, Faults) = (site, web.Server, web.Front, sshServer, faults);

    /// <summary>The address of HTTP without a slash at the end, such as <c>http://127.0.0.1:8080</c>.</summary>
    public string Url => site.Url;

    /// <summary>The host of SSH.</summary>
    public string SshHost => "127.0.0.1";

    /// <summary>The port of SSH.</summary>
    public int SshPort => sshServer.Port;

    /// <summary>A <c>known_hosts</c> file with this server's key.</summary>
    public string KnownHostsFile => Path.Combine(site.Folder, "known_hosts");

    /// <summary>The folder with a private key file per user name.</summary>
    public string KeysFolder => Path.Combine(site.Folder, "keys");

    /// <summary>Where everything is kept.</summary>
    public string Folder => site.Folder;

    /// <summary>Trouble that a test orders for requests over HTTP.</summary>
    public Faults Faults { get; }

    /// <summary>Whether new event streams are turned away; those that are open stay open.</summary>
    public bool RefuseStreams
    {
        get => site.Events.Refuse;
        set => site.Events.Refuse = value;
    }

    /// <summary>How many event streams are open now.</summary>
    public int OpenStreams => site.Events.Count;

    /// <summary>Is done when at least so many event streams are open: what happens from then on is told to them.</summary>
    public Task StreamsOpenAsync(int count, CancellationToken ct) => site.Events.WaitForAsync(count, ct);

    /// <summary>The lines that <c>testbed/gerrit env</c> prints for a real server: how to reach this one, as <c>NAME=value</c>.</summary>
    public IReadOnlyDictionary<string, string> Environment => new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["GERRIT_URL"] = Url,
        ["GERRIT_SSH_HOST"] = SshHost,
        ["GERRIT_SSH_PORT"] = SshPort.ToString(),
        ["GERRIT_KEYS"] = KeysFolder,
        ["GERRIT_KNOWN_HOSTS"] = KnownHostsFile,
    };

    /// <summary>Starts a server; when the task is done, it answers.</summary>
    /// <exception cref="ArgumentException">A user's or a project's name cannot be one.</exception>
    /// <exception cref="IOException">A port is taken or the state cannot be written.</exception>
    public static async Task<StandInGerrit> StartAsync(StandInOptions options, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(options);
        var folder = options.StateFolder is null ? Directory.CreateTempSubdirectory("wmfci-gerrit-").FullName : Path.GetFullPath(options.StateFolder);
        Directory.CreateDirectory(folder);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var facts = new Site(options, folder);
        var ssh = new SshServer(facts, options.SshPort, Path.Combine(folder, "keys"));
        var faults = new Faults();
        foreach (var name in options.Projects.Where(p => facts.Project(p) is null))
        {
            if (!ProjectResource.IsProjectName(name)) throw new ArgumentException($"'{name}' cannot be the name of a project.");
            await facts.ExclusivelyAsync(async () =>
            {
                await ProjectResource.CreateAsync(facts, null, new Project { Name = name }, ("main", true), ct);
                return 0;
            }, ct);
        }
        ssh.Start();
        facts.SshPort = ssh.Port;
        await File.WriteAllTextAsync(Path.Combine(folder, "known_hosts"), ssh.KnownHostsLine, ct);
        var http = Build(options.HttpPort);
        var front = new HttpFront(facts, faults);
        http.Run(front.HandleAsync);
        await http.StartAsync(ct);
        facts.Url = http.Urls.First().TrimEnd('/');
        var gerrit = new StandInGerrit(facts, (http, front), ssh, faults);
        await File.WriteAllLinesAsync(Path.Combine(folder, "gerrit.env"), gerrit.Environment.Select(e => $"{e.Key}={e.Value}"), ct);
        return gerrit;
    }

    /// <summary>The private key file of a user, for <c>ssh -i</c>.</summary>
    /// <exception cref="ArgumentException">There is no such user.</exception>
    public string KeyFile(string user) => Path.Combine(KeysFolder, Known(user).UserName);

    /// <summary>The HTTP password of a user.</summary>
    /// <exception cref="ArgumentException">There is no such user.</exception>
    public string Password(string user) => Known(user).Password;

    /// <summary>Where a user clones a project from and pushes to, with the password in it.</summary>
    /// <exception cref="ArgumentException">There is no such user.</exception>
    public string CloneUrl(string project, string user) =>
        new UriBuilder(Url) { UserName = Uri.EscapeDataString(user), Password = Uri.EscapeDataString(Password(user)), Path = "/a/" + project }.Uri.AbsoluteUri;

    /// <summary>Ends every event stream as a failing network does: the connections are cut without a word.</summary>
    public void CutStreams()
    {
        // In this order: a stream that ends by itself would say goodbye.
        sshServer.CutConnections();
        site.Events.CutAll();
    }

    /// <inheritdoc />
    public async ValueTask DisposeAsync()
    {
        site.Events.CutAll();
        await sshServer.DisposeAsync();
        await webServer.DisposeAsync();
        await httpFront.CloseAsync();
        site.Dispose();
        if (site.Options.StateFolder is null) Directory.Delete(site.Folder, recursive: true);
    }

    private static WebApplication Build(int port)
    {
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions
        {
            ContentRootPath = AppContext.BaseDirectory,
            // There is no file to watch, and the system gives an account few watches.
            Args = ["--hostBuilder:reloadConfigOnChange=false"],
        });
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls($"http://127.0.0.1:{port}").ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxPush;
        });
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(1));
        return builder.Build();
    }

    private Account Known(string user) => site.Accounts.Named(user) ?? throw new ArgumentException($"There is no user '{user}'.");
}
