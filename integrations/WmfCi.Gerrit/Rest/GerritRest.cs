using System.Globalization;
using System.Net;
using System.Text.Json;
using Refit;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Rest;

/// <summary>Gerrit said no. It is the cause within a <see cref="CodeReviewException"/>, for the callers that know what to do about one or the other.</summary>
internal sealed class GerritRefusal(HttpStatusCode status, string text, TimeSpan? retryAfter) : Exception(text)
{
    public HttpStatusCode Status { get; } = status;

    public TimeSpan? RetryAfter { get; } = retryAfter;

    /// <summary>
    /// Whether Gerrit itself says that the thing is not there (or not for us). Another 404, from a proxy or for a wrong address,
    /// must not look like a deleted change.
    /// </summary>
    public bool IsNotFound => Status == HttpStatusCode.NotFound && Message.StartsWith("Not found:", StringComparison.Ordinal);
}

/// <summary>Calls Gerrit, within bounds of time and size; every failure becomes a <see cref="CodeReviewException"/>. Nothing is tried again here: the outbox does that, where it is counted and seen.</summary>
internal sealed class GerritRest : IDisposable
{
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(5);
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);

    private readonly TimeSpan _timeout;
    private readonly TimeProvider _time;
    private readonly HttpClient _http;
    private readonly IGerritApi _api;

    public GerritRest(GerritOptions options, TimeProvider time, HttpMessageHandler? transport)
    {
        _timeout = options.RequestTimeout;
        _time = time;
        _http = new HttpClient(new GerritHandler(options, transport ?? Transport())) { BaseAddress = options.Url, Timeout = Timeout.InfiniteTimeSpan };
        _api = RestService.ForGenerated<IGerritApi>(_http, new RefitSettings
        {
            ContentSerializer = new SystemTextJsonContentSerializer(GerritJson.Default.Options),
            ExceptionFactory = ReadRefusalAsync,
        });
    }

    /// <summary>Calls Gerrit.</summary>
    /// <param name="what">What for, as the start of "… failed".</param>
    /// <param name="call">The call.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CodeReviewException">It failed; a <see cref="GerritRefusal"/> within where Gerrit answered.</exception>
    public async Task<T> CallAsync<T>(string what, Func<IGerritApi, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(_timeout, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            return await call(_api, either.Token);
        }
        catch (Exception error) when (!cancellationToken.IsCancellationRequested)
        {
            if (Explain(what, error) is { } explained) throw new CodeReviewException(explained.Message, explained.Failure, explained.InnerException) { RetryAfter = explained.RetryAfter };
            throw;
        }
    }

    /// <summary>Calls Gerrit about something that may not be there.</summary>
    /// <returns>Null when it is not there, or not for us.</returns>
    /// <exception cref="CodeReviewException">It failed.</exception>
    public async Task<T?> FindAsync<T>(string what, Func<IGerritApi, CancellationToken, Task<T>> call, CancellationToken cancellationToken)
        where T : class
    {
        try
        {
            return await CallAsync(what, call, cancellationToken);
        }
        catch (CodeReviewException error) when (error.InnerException is GerritRefusal { IsNotFound: true })
        {
            return null;
        }
    }

    public void Dispose() => _http.Dispose();

    private static SocketsHttpHandler Transport() => new()
    {
        PooledConnectionLifetime = ConnectionLifetime,
        ConnectTimeout = ConnectTimeout,
        AutomaticDecompression = DecompressionMethods.GZip,
        // A redirect would carry the password to wherever an answer points.
        AllowAutoRedirect = false,
        UseCookies = false,
    };

    private async ValueTask<Exception?> ReadRefusalAsync(HttpResponseMessage response)
    {
        if (response.IsSuccessStatusCode) return null;
        return new GerritRefusal(response.StatusCode, OneLine.Of(await response.Content.ReadAsStringAsync()), Wait(response));
    }

    private TimeSpan? Wait(HttpResponseMessage response)
    {
        var wait = response.Headers.RetryAfter switch
        {
            { Delta: { } delta } => delta,
            { Date: { } date } => date - _time.GetUtcNow(),
            _ => (TimeSpan?)null,
        };
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    private CodeReviewException? Explain(string what, Exception error)
    {
        for (var cause = error; cause is not null; cause = cause.InnerException)
        {
            switch (cause)
            {
                case CodeReviewException known: return known;
                case GerritRefusal refusal: return Explain(what, refusal);
                case JsonException: return new CodeReviewException($"{what} failed: the answer is not what Gerrit sends (is a proxy in between?).", FailureClass.Transient, error);
                case OperationCanceledException: return new CodeReviewException($"{what} failed: Gerrit did not answer within {_timeout.TotalSeconds.ToString("0.###", CultureInfo.InvariantCulture)} s.", FailureClass.Transient, error);
                case HttpRequestException or IOException: return new CodeReviewException($"{what} failed: {OneLine.Of(cause.Message)}", FailureClass.Transient, error);
            }
        }
        return null;
    }

    private static CodeReviewException Explain(string what, GerritRefusal refusal)
    {
        var status = (int)refusal.Status;
        var advice = refusal.Status switch
        {
            HttpStatusCode.Unauthorized => " Check the account's name and its HTTP password (Gerrit: Settings, HTTP Credentials).",
            >= HttpStatusCode.MultipleChoices and < HttpStatusCode.BadRequest => " Check the configured address: Gerrit sends elsewhere.",
            HttpStatusCode.NotFound when !refusal.IsNotFound => " Check the configured address: this is not Gerrit's own answer.",
            _ => "",
        };
        var text = refusal.Message.Length > 0 ? $": {refusal.Message}" : "";
        var transient = status is 408 or 429 or >= 500;
        return new CodeReviewException($"{what} failed: Gerrit answered {status}{text}.{advice}", transient ? FailureClass.Transient : FailureClass.Permanent, refusal) { RetryAfter = refusal.RetryAfter };
    }
}
