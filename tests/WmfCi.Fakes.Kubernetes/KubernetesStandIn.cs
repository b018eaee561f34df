using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WmfCi.Fakes.Kubernetes.Api;
using WmfCi.Fakes.Kubernetes.Controllers;
using WmfCi.Fakes.Kubernetes.Nodes;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes;

/// <summary>How a stand-in is.</summary>
public sealed record StandInOptions
{
    /// <summary>The version that it says.</summary>
    public string Version { get; init; } = "1.35.0";

    /// <summary>At how many bytes a container's log is rotated.</summary>
    public int RotateLogsAt { get; init; } = 10 * 1024 * 1024;
}

/// <summary>
/// A small Kubernetes in this process, for what goes wrong: it speaks the API server's wire (TLS, HTTP/2, a token), has Jobs, pods that run as processes in
/// sandboxes, quotas and garbage collection; and it fails on demand.
/// </summary>
public sealed class KubernetesStandIn : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("wmfci-kubernetes-").FullName;
    private readonly string _token = Convert.ToHexString(System.Security.Cryptography.RandomNumberGenerator.GetBytes(16));
    private readonly ObjectStore _store = new(TimeProvider.System);
    private readonly ControllerLoop _controllers;
    private readonly ApiServer _server;
    private readonly WebApplication _app;
    private Relay? _relay;

    private KubernetesStandIn(StandInOptions options)
    {
        Node = new Node(_store, Directory.CreateDirectory(Path.Combine(_folder, "pods")).FullName, options.RotateLogsAt);
        _controllers = new ControllerLoop(_store, Node);
        _server = new ApiServer(_store, Faults, new LogEndpoint(_store, Faults, Node.Log), _token, options.Version);
        var (authority, certificate) = Certificates.Make(TimeProvider.System.GetUtcNow());
        using (authority) File.WriteAllText(Path.Combine(_folder, "ca.crt"), authority.ExportCertificatePem());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Its clients are patient where the machine is slow.
            (kestrel.Limits.MinRequestBodyDataRate, kestrel.Limits.MinResponseDataRate) = (null, null);
            kestrel.Limits.Http2.MaxStreamsPerConnection = 250;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(certificate, https => https.HandshakeTimeout = TimeSpan.FromMinutes(1));
            });
        });
        builder.Services.Configure<Microsoft.Extensions.Hosting.HostOptions>(host => host.ShutdownTimeout = TimeSpan.Zero);
        _app = builder.Build();
        _app.Run(_server.HandleAsync);
        foreach (var space in (string[])["default", "kube-system"])
        {
            var item = new JsonObject { ["metadata"] = new JsonObject { ["name"] = space } };
            _store.Add(Resource.Namespaces, Admission.Admit(_store, Resource.Namespaces, null, item), isKept: true);
        }
    }

    /// <summary>The file that clients find it by.</summary>
    public string Kubeconfig => Path.Combine(_folder, "kubeconfig");

    /// <summary>What goes wrong at its API server.</summary>
    public Faults Faults { get; } = new();

    /// <summary>Its node.</summary>
    public Node Node { get; }

    /// <summary>How many requests came, by verb and kind, for example <c>list pods</c>.</summary>
    public IReadOnlyDictionary<string, int> Requests => _server.Requests;

    /// <summary>How many requests came for one namespace's objects.</summary>
    public IReadOnlyDictionary<(string Verb, string Plural), int> RequestsIn(string space) =>
        _server.RequestsIn.Where(entry => entry.Key.Space == space).ToDictionary(entry => (entry.Key.Verb, entry.Key.Plural), entry => entry.Value);

    /// <summary>How many connections are open.</summary>
    public int Connections => _relay!.Connections;

    /// <summary>Starts one.</summary>
    public static async Task<KubernetesStandIn> StartAsync(StandInOptions? options = null)
    {
        var standIn = new KubernetesStandIn(options ?? new StandInOptions());
        await standIn._app.StartAsync();
        var address = standIn._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        standIn._relay = new Relay(new Uri(address).Port);
        standIn._relay.Open();
        var authority = Path.Combine(standIn._folder, "ca.crt");
        var text = $$"""
            apiVersion: v1
            kind: Config
            clusters: [{name: stand-in, cluster: {server: "https://127.0.0.1:{{standIn._relay.Port}}", certificate-authority: "{{authority}}" } }]
            users: [{name: admin, user: {token: "{{standIn._token}}" } }]
            contexts: [{name: stand-in, context: {cluster: stand-in, user: admin} }]
            current-context: stand-in
            """;
        await File.WriteAllTextAsync(standIn.Kubeconfig, text, Encoding.UTF8);
        return standIn;
    }

    /// <summary>The API server goes: all connections are cut, and none is accepted. Pods run on.</summary>
    public Task StopApiAsync() => _relay!.CloseAsync();

    /// <summary>It is back, at the same address, with all objects.</summary>
    public void StartApi() => _relay!.Open();

    /// <summary>Connections that are open now go dead: nothing comes through them, and nobody is told.</summary>
    public void FreezeConnections() => _relay!.Freeze();

    /// <summary>What happened before is forgotten, so that watches and pages from then are answered with 410.</summary>
    public void ForgetHistory()
    {
        _store.Forget();
        _server.ForgetPages();
    }

    /// <summary>The Job's controller makes a second pod, as it may.</summary>
    /// <returns>Its name.</returns>
    public string DuplicatePod(string space, string job) => _controllers.Jobs.MakePod(_store.Get(Resource.Jobs, space, job)).Name()!;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_relay is not null) await _relay.DisposeAsync();
        await _controllers.DisposeAsync();
        await Node.DisposeAsync();
        await _app.DisposeAsync();
        Faults.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
