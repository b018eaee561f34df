using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace WmfCi.Kubernetes;

/// <summary>
/// A namespace of a Kubernetes cluster: the library's client, set up so that a dead connection is noticed within seconds, and the requests that the library has
/// not. Whoever calls <see cref="Client"/> reads failures with <see cref="ClusterFault.Of(Exception)"/> and repeats what may be repeated with <see cref="Retries"/>.
/// </summary>
public sealed class Cluster : IDisposable
{
    /// <summary>The longest error that is read, in characters; more says nothing more.</summary>
    private const int MaxErrorCharacters = 64 * 1024;

    private readonly TimeSpan _requestTimeout;

    private Cluster(k8s.Kubernetes client, ClusterOptions options, TimeProvider time)
    {
        Client = client;
        Namespace = options.Namespace;
        Time = time;
        Retries = new Retries(time);
        _requestTimeout = options.RequestTimeout;
    }

    /// <summary>The library's client.</summary>
    public k8s.Kubernetes Client { get; }

    /// <summary>The namespace that everything happens in.</summary>
    public string Namespace { get; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; }

    /// <summary>Repeats calls that may be repeated.</summary>
    public Retries Retries { get; }

    /// <summary>Reads how the cluster is reached. Nothing is sent yet.</summary>
    /// <exception cref="ArgumentException">There is no usable configuration; the message says what to mend.</exception>
    public static Cluster Open(ClusterOptions options, TimeProvider time)
    {
        var configuration = Configuration(options);
        SocketsHttpHandler? transport = null;
        configuration.FirstMessageHandlerSetup = handler => transport = SetUp(handler, options.KeepAlive);
        try
        {
            var client = new k8s.Kubernetes(configuration);
            VerifyTls(transport!, configuration);
            return new Cluster(client, options, time);
        }
        catch (k8s.Exceptions.KubeConfigException e)
        {
            throw new ArgumentException($"The configuration of the cluster is not usable: {e.Message}", nameof(options), e);
        }
    }

    /// <summary>Which version the server has.</summary>
    /// <exception cref="HttpOperationException">It did not say.</exception>
    public async Task<ClusterVersion> VersionAsync(CancellationToken cancellationToken)
    {
        var version = await Retries.RunAsync(Client.Version.GetCodeAsync, cancellationToken);
        return new ClusterVersion(Digits(version.Major), Digits(version.Minor), version.GitVersion);
    }

    /// <summary>Server-side apply: makes the object have what is given, whether it is there or not, and leaves alone what others set.</summary>
    /// <param name="wanted">The object, with its name, and nothing that is not to be owned.</param>
    /// <param name="owner">Who applies; what the same owner applied before and now leaves out, goes.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>The object as it is now.</returns>
    public async Task<T> ApplyAsync<T>(T wanted, string owner, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var kind = KindOf<T>.Value;
        (wanted.ApiVersion, wanted.Kind) = (kind.ApiVersion, kind.Name);
        var path = $"{kind.Path(Namespace)}/{Uri.EscapeDataString(wanted.Metadata.Name)}?fieldManager={Uri.EscapeDataString(owner)}&force=true";
        return await Retries.RunAsync(token => SendAsync<T>(HttpMethod.Patch, path, Json(wanted, "application/apply-patch+yaml"), token), cancellationToken);
    }

    /// <summary>Lists all objects of a kind that bear labels, however many pages that takes, as they are at one moment.</summary>
    /// <exception cref="HttpOperationException">The server refused, or failed for longer than <see cref="Retries"/> tries.</exception>
    public async Task<IReadOnlyList<T>> ListAsync<T>(string labels, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta> =>
        (await Retries.RunAsync(new ObjectStream<T>(this, new ReflectorOptions { Labels = labels }, trim: null, heard: () => { }).ListAsync, cancellationToken)).Items;

    /// <summary>
    /// What the server would make of a new object, all its admission included, without making it. Old servers drop fields that they do not know without a word, so
    /// what comes back says what they can do.
    /// </summary>
    /// <exception cref="HttpOperationException">The server would refuse it.</exception>
    public async Task<T> TryCreateAsync<T>(T wanted, CancellationToken cancellationToken)
        where T : class, IKubernetesObject<V1ObjectMeta>
    {
        var kind = KindOf<T>.Value;
        (wanted.ApiVersion, wanted.Kind) = (kind.ApiVersion, kind.Name);
        var path = $"{kind.Path(Namespace)}?dryRun=All";
        return await Retries.RunAsync(token => SendAsync<T>(HttpMethod.Post, path, Json(wanted, "application/json"), token), cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose() => Client.Dispose();

    /// <summary>Reads an answer as a whole.</summary>
    internal async Task<T> GetAsync<T>(string path, CancellationToken cancellationToken) => await SendAsync<T>(HttpMethod.Get, path, null, cancellationToken);

    /// <summary>Opens an answer that goes on.</summary>
    /// <exception cref="TimeoutException">It did not begin in time.</exception>
    /// <exception cref="HttpOperationException">The server refused.</exception>
    internal async Task<HttpResponseMessage> OpenAsync(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_requestTimeout, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        using var request = new HttpRequestMessage(method, new Uri(Client.BaseUri, path)) { Version = HttpVersion.Version20, Content = content };
        try
        {
            if (Client.Credentials is { } credentials) await credentials.ProcessHttpRequestAsync(request, either.Token);
            var response = await Client.HttpClient.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, either.Token);
            if (response.IsSuccessStatusCode) return response;
            using (response) throw await ErrorAsync(request, response, either.Token);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The API server did not answer within {_requestTimeout.TotalSeconds} seconds.", e);
        }
    }

    private static KubernetesClientConfiguration Configuration(ClusterOptions options)
    {
        try
        {
            var configuration = options.Kubeconfig is { } file
                ? KubernetesClientConfiguration.BuildConfigFromConfigFile(new FileInfo(file), options.Context)
                : KubernetesClientConfiguration.IsInCluster()
                    ? KubernetesClientConfiguration.InClusterConfig()
                    : KubernetesClientConfiguration.BuildConfigFromConfigFile((string?)null, options.Context);
            // The token that starts whatever people ask for would go to whoever answers.
            if (configuration.SkipTlsVerify)
            {
                throw new ArgumentException(
                    "The kubeconfig turns the check of the server's certificate off; name its authority in certificate-authority instead.",
                    nameof(options));
            }

            configuration.HttpClientTimeout = options.RequestTimeout;
            configuration.UserAgent = $"wmfci/{typeof(Cluster).Assembly.GetName().Version?.ToString(3)}";
            return configuration;
        }
        catch (Exception e) when (e is k8s.Exceptions.KubeConfigException or IOException or UnauthorizedAccessException or YamlDotNet.Core.YamlException)
        {
            throw new ArgumentException($"The kubeconfig {options.Kubeconfig} is not usable: {e.Message}", nameof(options), e);
        }
    }

    private static SocketsHttpHandler SetUp(SocketsHttpHandler handler, TimeSpan keepAlive)
    {
        // The library waits three minutes and a half for a peer that is gone.
        handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
        handler.KeepAlivePingDelay = keepAlive;
        handler.KeepAlivePingTimeout = keepAlive;
        handler.ConnectTimeout = 2 * keepAlive;
        // A server allows some hundred streams in a connection, and each log that is followed is one.
        handler.EnableMultipleHttp2Connections = true;
        handler.ConnectCallback = async (context, cancellationToken) =>
        {
            // HTTP/2's pings do not work through peers that only speak 1.1.
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, Seconds(keepAlive));
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, Seconds(keepAlive / 4));
                socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, 4);
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        };
        return handler;
    }

    /// <summary>The library's own check accepts a certificate of a private authority for any name; the platform's accepts it for the server's only.</summary>
    private static void VerifyTls(SocketsHttpHandler transport, KubernetesClientConfiguration configuration)
    {
        transport.SslOptions.RemoteCertificateValidationCallback = null;
        if (configuration.SslCaCerts is not { Count: > 0 } authorities) return;
        var policy = new X509ChainPolicy
        {
            TrustMode = X509ChainTrustMode.CustomRootTrust,
            RevocationMode = X509RevocationMode.NoCheck,
            DisableCertificateDownloads = true,
        };
        policy.CustomTrustStore.AddRange(authorities);
        transport.SslOptions.CertificateChainPolicy = policy;
    }

    private static int Seconds(TimeSpan time) => Math.Max(1, (int)time.TotalSeconds);

    // Some providers say "20+".
    private static int Digits(string number) => int.TryParse(number.TrimEnd('+'), CultureInfo.InvariantCulture, out var value) ? value : 0;

    private static StringContent Json<T>(T value, string type) => new(KubernetesJson.Serialize(value), new MediaTypeHeaderValue(type));

    private static async Task<HttpOperationException> ErrorAsync(HttpRequestMessage request, HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var buffer = new char[MaxErrorCharacters];
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        var length = await reader.ReadBlockAsync(buffer, cancellationToken);
        return new HttpOperationException($"The API server answered {(int)response.StatusCode} to {request.Method} {request.RequestUri?.AbsolutePath}.")
        {
            Request = new HttpRequestMessageWrapper(request, null),
            Response = new HttpResponseMessageWrapper(response, new string(buffer, 0, length)),
        };
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(_requestTimeout, Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            using var response = await OpenAsync(method, path, content, either.Token);
            await using var stream = await response.Content.ReadAsStreamAsync(either.Token);
            // The library reads synchronously; the answer is taken whole first, so that no thread waits for the network.
            var whole = new MemoryStream();
            await stream.CopyToAsync(whole, either.Token);
            whole.Position = 0;
            return KubernetesJson.Deserialize<T>(whole);
        }
        catch (OperationCanceledException e) when (limit.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"The API server's answer did not end within {_requestTimeout.TotalSeconds} seconds.", e);
        }
    }
}
