using System.Net;
using System.Net.Sockets;
using System.Text;
using CliWrap;
using CliWrap.Buffered;
using Npgsql;
using WmfCi.Fakes;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Installations;

/// <summary>An operator with kubectl and a folder of secrets, who installs WmfCi into the cluster for tests.</summary>
internal sealed class Installer : IAsyncDisposable
{
    public const string MissingKubectl = "no kubectl: set KUBECTL, or put it into the PATH";

    /// <summary>The user of the service's pods.</summary>
    private const int PodUser = 65532;

    private readonly TempFolder _folder = new();
    private readonly List<TcpRelay> _cables = [];
    private bool _isInstalled;

    /// <summary>This machine, as pods reach it.</summary>
    public static IPAddress Here { get; } = IPAddress.Parse(Environment.GetEnvironmentVariable("WMFCI_TEST_HOST_IP") ?? "127.0.0.1");

    public static string? Kubectl { get; } = Environment.GetEnvironmentVariable("KUBECTL") is { Length: > 0 } named ? named
        : (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => Path.Combine(folder, "kubectl")).FirstOrDefault(File.Exists);

    private static string Kubeconfig => Environment.GetEnvironmentVariable("WMFCI_TEST_KUBECONFIG") ?? "";

    /// <summary>Where images are pushed.</summary>
    public static string Registry => Environment.GetEnvironmentVariable("WMFCI_TEST_POD_IMAGE")!.Split('/')[0];

    private static string Manifests => Path.Combine(RequirementsTests.RepositoryRoot(), "deploy", "kubernetes");

    /// <summary>What a folder of the manifests says.</summary>
    public static Task<string> RenderAsync(string folder, CancellationToken cancellationToken) =>
        RunAsync(Kubectl!, ["kustomize", Path.Combine(Manifests, folder)], cancellationToken);

    public static Task<string> KubectlAsync(IReadOnlyList<string> arguments, CancellationToken cancellationToken) =>
        RunAsync(Kubectl!, ["--kubeconfig", Kubeconfig, .. arguments], cancellationToken);

    /// <summary>Lets the cluster check an installation that is not made.</summary>
    public Task<string> TryAsync(IReadOnlyList<string> options, CancellationToken cancellationToken)
    {
        var none = "sha256:" + new string('0', 64);
        return InstallAsync([
            "--dry-run", "--service-image", $"registry.example.org/wmfci-service@{none}", "--pod-image", $"registry.example.org/wmfci-pod@{none}",
            "--url", "https://ci.example.org", "--gerrit", "https://gerrit.example.org/r", "--gerrit-password", _folder.Write("password", "secret"),
            "--write", _folder["overlay"], .. options,
        ], cancellationToken);
    }

    /// <summary>Installs it on one node, for a project of a Gerrit that pods reach through a cable.</summary>
    /// <returns>The address that its messages link to.</returns>
    public async Task<string> InstallAsync(GerritPeer gerrit, string project, PrivateDatabase database, CancellationToken cancellationToken)
    {
        var (http, ssh) = (Cable(new DnsEndPoint(new Uri(gerrit.Url).Host, new Uri(gerrit.Url).Port)), Cable(new DnsEndPoint(gerrit.SshHost, gerrit.SshPort)));
        var sockets = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        var postgres = Cable(new UnixDomainSocketEndPoint(Path.Combine(sockets.Host!, $".s.PGSQL.{sockets.Port}")));
        var url = $"http://{Guid.NewGuid():N}.example.org";
        var site = _folder.Write("site.yaml", $$"""
            url: {{url}}
            listen: http://0.0.0.0:8080
            state: /var/lib/wmfci
            database-file: /run/secrets/wmfci/database/connection
            projects: [{{project}}]
            gerrit:
              url: http://{{Here}}:{{http}}
              user: wmfci
              password-file: /run/secrets/wmfci/gerrit/password
              ssh:
                host: {{Here}}
                port: {{ssh}}
                key-file: /run/secrets/wmfci/gerrit-ssh/key
                known-hosts-file: /run/secrets/wmfci/gerrit-ssh/known_hosts
            runner:
              kind: kubernetes
              slots: 2
              kubernetes:
                namespace: wmfci-stages
                image: registry.example.org/wmfci-pod:0.1.0
                exchange:
                  url: http://wmfci-exchange.wmfci.svc:8081
                workers:
                  default: {cpu: 50m, memory: 256MiB, disk: 256MiB, processes: 200}
            """);
        var hosts = (await File.ReadAllLinesAsync(gerrit.KnownHostsFile, cancellationToken)).Select(line => $"[{Here}]:{ssh} {line.Split(' ', 2)[1]}");
        foreach (var volume in new[] { "store", "mirrors" })
            await RunAsync("install", ["-d", "-o", $"{PodUser}", "-g", $"{PodUser}", "-m", "750", _folder["node/" + volume]], cancellationToken);
        _isInstalled = true;
        await InstallAsync([
            "--overlay", "single-node", "--folder", _folder["node"], "--registry", Registry, "--base", ClusterGround.Image, "--write", _folder["overlay"], "--site", site,
            "--gerrit-password", _folder.Write("gerrit-password", GerritPeer.Password("wmfci")), "--gerrit-ssh-key", gerrit.KeyFile("wmfci"),
            "--gerrit-known-hosts", _folder.Write("known_hosts", string.Join('\n', hosts) + "\n"),
            "--database", _folder.Write("connection", $"Host={Here};Port={postgres};Database={sockets.Database};Username={sockets.Username};Maximum Pool Size=10"),
        ], cancellationToken);
        return url;
    }

    public async ValueTask DisposeAsync()
    {
        if (_isInstalled) await InstallAsync(["--delete"], CancellationToken.None);
        foreach (var cable in _cables) await cable.DisposeAsync();
        _folder.Dispose();
    }

    private int Cable(EndPoint peer)
    {
        var cable = new TcpRelay(peer, Here);
        _cables.Add(cable);
        return cable.Port;
    }

    private static Task<string> InstallAsync(IReadOnlyList<string> options, CancellationToken cancellationToken) =>
        RunAsync(Path.Combine(Manifests, "install"), ["--kubeconfig", Kubeconfig, .. options], cancellationToken);

    private static async Task<string> RunAsync(string program, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        var result = await CliWrap.Cli.Wrap(program).WithArguments(arguments).WithEnvironmentVariables(set => set.Set("KUBECTL", Kubectl))
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(Encoding.UTF8, cancellationToken);
        return result.ExitCode == 0 ? result.StandardOutput : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)}: {result.StandardOutput}{result.StandardError}");
    }
}
