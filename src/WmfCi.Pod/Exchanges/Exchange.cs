using System.Net;
using System.Net.Http.Headers;
using System.Net.Security;
using System.Reflection;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Polly;
using Polly.Retry;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Exchanges;

/// <summary>An attempt at the exchange, as its pod sees it. What fails in passing is asked again; what is refused is not.</summary>
internal sealed class Exchange : IDisposable
{
    /// <summary>How long one answer may take, and how long a transfer may stand still.</summary>
    public static readonly TimeSpan AnswerBound = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection may take; a network policy that is being put in place swallows the first packets.</summary>
    public static readonly TimeSpan ConnectBound = TimeSpan.FromSeconds(5);

    // A transfer that is slower is taken for broken.
    private const long MinBytesPerSecond = 64 * 1024;
    private const int MaxAnswerBytes = 16 << 20;
    private static readonly ResiliencePropertyKey<long> FirstFailure = new("first failure");
    private readonly ExchangeAccess _access;
    private readonly HttpClient _client;
    private readonly TimeProvider _time;
    private readonly ResiliencePipeline<HttpResponseMessage> _retrying;

    public Exchange(ExchangeAccess access, TimeProvider time)
    {
        _access = access;
        _time = time;
        _client = new HttpClient(MakeHandler(access)) { BaseAddress = access.Address, Timeout = Timeout.InfiniteTimeSpan, MaxResponseContentBufferSize = MaxAnswerBytes };
        _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", access.Token);
        _client.DefaultRequestHeaders.Add(PodPaths.PodHeader, access.Pod);
        _client.DefaultRequestHeaders.UserAgent.Add(new ProductInfoHeaderValue("wmfci-pod", Assembly.GetExecutingAssembly().GetName().Version?.ToString(3)));
        _retrying = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }.AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = int.MaxValue,
            BackoffType = DelayBackoffType.Exponential,
            UseJitter = true,
            Delay = TimeSpan.FromMilliseconds(250),
            MaxDelay = TimeSpan.FromSeconds(10),
            ShouldHandle = arguments => ValueTask.FromResult(IsPassing(arguments.Outcome) && HasPatience(arguments.Context)),
            OnRetry = arguments =>
            {
                arguments.Outcome.Result?.Dispose();
                return default;
            },
        }).Build();
    }

    /// <summary>For how long the exchange may fail without a break, from the first failure on. Two minutes, in which a service restarts.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The UID of this pod.</summary>
    public string Pod => _access.Pod;

    public void Dispose() => _client.Dispose();

    /// <summary>Asks for the attempt, before or after the steps.</summary>
    /// <param name="path"><c>claim</c> or <c>collect</c>.</param>
    /// <param name="type">What the answer is.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The order; null where another pod has the attempt.</returns>
    /// <exception cref="ContainerFailedException">The exchange refuses, or does not answer.</exception>
    public async Task<T?> ClaimAsync<T>(string path, JsonTypeInfo<T> type, CancellationToken cancellationToken)
        where T : class
    {
        using var answer = await SendAsync(() => Post(path, new PodClaim(_access.Pod), WireJson.Default.PodClaim), HttpCompletionOption.ResponseContentRead, AnswerBound, cancellationToken);
        if (answer.StatusCode == HttpStatusCode.Conflict) return null;
        Check(answer, path);
        try
        {
            return JsonSerializer.Deserialize(await answer.Content.ReadAsByteArrayAsync(cancellationToken), type) ?? throw new ContainerFailedException($"The exchange answered nothing to {path}.");
        }
        catch (JsonException error)
        {
            throw new ContainerFailedException($"The exchange's answer to {path} cannot be read; is it of the same version as this image? {error.Message}", error);
        }
    }

    /// <summary>Tells the exchange that something is done.</summary>
    /// <exception cref="ContainerFailedException">The exchange refuses, or does not answer.</exception>
    public async Task TellAsync<T>(string path, T message, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var answer = await SendAsync(() => Post(path, message, type), HttpCompletionOption.ResponseContentRead, AnswerBound, cancellationToken);
        Check(answer, path);
    }

    /// <summary>Opens a blob from a place on.</summary>
    /// <returns>The answer, whose body is to be read; null where the store does not have it.</returns>
    /// <exception cref="ContainerFailedException">The exchange refuses, or does not answer.</exception>
    public async Task<HttpResponseMessage?> GetBlobAsync(string digest, long from, CancellationToken cancellationToken)
    {
        var path = "blobs/" + digest;
        var answer = await SendAsync(Request, HttpCompletionOption.ResponseHeadersRead, AnswerBound, cancellationToken);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            answer.Dispose();
            return null;
        }

        Check(answer, path);
        return answer;

        HttpRequestMessage Request()
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path);
            if (from > 0) request.Headers.Range = new RangeHeaderValue(from, to: null);
            return request;
        }
    }

    /// <summary>Stores a blob.</summary>
    /// <param name="digest">Its SHA-256.</param>
    /// <param name="content">Read from its beginning to its end, again for each try.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="ContainerFailedException">The exchange refuses, or does not answer.</exception>
    public async Task PutBlobAsync(string digest, Stream content, CancellationToken cancellationToken)
    {
        var path = "blobs/" + digest;
        var bound = AnswerBound + TimeSpan.FromSeconds(content.Length / MinBytesPerSecond);
        using var answer = await SendAsync(() => new HttpRequestMessage(HttpMethod.Put, path) { Content = new RewoundContent(content) }, HttpCompletionOption.ResponseContentRead, bound, cancellationToken);
        Check(answer, path);
    }

    private static SocketsHttpHandler MakeHandler(ExchangeAccess access)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = ConnectBound,
            // Another replica may be better off.
            PooledConnectionLifetime = TimeSpan.FromMinutes(1),
        };
        if (access.Authority is not { } authority) return handler;
        var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck, DisableCertificateDownloads = true };
        policy.CustomTrustStore.AddRange(authority);
        handler.SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = policy };
        return handler;
    }

    private static HttpRequestMessage Post<T>(string path, T message, JsonTypeInfo<T> type)
    {
        var content = new ByteArrayContent(JsonSerializer.SerializeToUtf8Bytes(message, type));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        return new HttpRequestMessage(HttpMethod.Post, path) { Content = content };
    }

    private async Task<HttpResponseMessage> SendAsync(Func<HttpRequestMessage> make, HttpCompletionOption completion, TimeSpan bound, CancellationToken cancellationToken)
    {
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        try
        {
            return await _retrying.ExecuteAsync(async (_, token) => await SendOnceAsync(make, completion, bound, token.CancellationToken), context, context);
        }
        catch (Exception error) when (error is HttpRequestException or IOException or TimeoutException)
        {
            throw new ContainerFailedException($"The exchange at {_access.Address.Authority} cannot be reached: {error.InnerException?.Message ?? error.Message}", error);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private async Task<HttpResponseMessage> SendOnceAsync(Func<HttpRequestMessage> make, HttpCompletionOption completion, TimeSpan bound, CancellationToken cancellationToken)
    {
        using var late = new CancellationTokenSource(bound, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellationToken);
        using var request = make();
        try
        {
            return await _client.SendAsync(request, completion, either.Token);
        }
        catch (OperationCanceledException slow) when (!cancellationToken.IsCancellationRequested)
        {
            // A connection that could not be made in time is told in the same way as one that was given up.
            throw new TimeoutException($"there was no answer within {bound.TotalSeconds:0} s", slow);
        }
    }

    private static bool IsPassing(Outcome<HttpResponseMessage> outcome) => outcome switch
    {
        { Result: { } answer } => (int)answer.StatusCode >= 500 || answer.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.RequestTimeout,
        // A certificate that is not believed now is not believed later.
        { Exception: HttpRequestException { InnerException: AuthenticationException } } => false,
        { Exception: HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded } } => false,
        { Exception: HttpRequestException or IOException or TimeoutException } => true,
        _ => false,
    };

    private bool HasPatience(ResilienceContext context)
    {
        if (context.Properties.TryGetValue(FirstFailure, out var first)) return _time.GetElapsedTime(first) < Patience;
        context.Properties.Set(FirstFailure, _time.GetTimestamp());
        return true;
    }

    private static void Check(HttpResponseMessage answer, string path)
    {
        if (answer.IsSuccessStatusCode) return;
        var why = answer.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => ": the pod's token is not valid for this, or not any more",
            HttpStatusCode.NotFound or HttpStatusCode.Gone => ": the attempt is not known, or not any more",
            HttpStatusCode.Conflict => ": another pod has the attempt",
            HttpStatusCode.RequestEntityTooLarge => ": it is more than the exchange takes",
            HttpStatusCode.InsufficientStorage => ": the service's store of artifacts fails, its log says why",
            _ => "",
        };
        var failure = new ContainerFailedException($"The exchange answered {(int)answer.StatusCode} to {path}{why}.");
        answer.Dispose();
        throw failure;
    }
}
