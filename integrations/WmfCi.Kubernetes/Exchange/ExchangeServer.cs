using System.Net;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Kubernetes.Exchange;

/// <summary>
/// The HTTP side of the <see cref="Desk"/>, on an address of its own: pods reach this and nothing else of the service.
/// <code>
/// POST attempts/NAME/claim       the pod that asks first gets the orders; 409 for every other
/// GET  attempts/NAME/blobs/SHA   a source or an artifact of an earlier stage
/// POST attempts/NAME/fetched     ends the first token
/// POST attempts/NAME/collect     what to keep
/// PUT  attempts/NAME/blobs/SHA   a file; 422 when its bytes are others
/// POST attempts/NAME/collected   the list of what was left; ends the second token
/// </code>
/// Without a token that is good for the attempt, the direction and the pod, every answer is 401, whatever is asked for. No answer but the two orders and the sources has a body.
/// </summary>
internal sealed class ExchangeServer : IAsyncDisposable
{
    /// <summary>How many connections there may be at once; further ones are closed, and their pods try again.</summary>
    public const int MaxConnections = 4096;

    /// <summary>
    /// How many of them may come from one address. Steps share their pod's way to the exchange: without it one of them could hold all connections, and no other stage could fetch or store anything.
    /// Large enough for the pods of a node behind one address.
    /// </summary>
    public const int MaxConnectionsOfOne = 128;

    /// <summary>How long a connection may be silent between requests, and how long a request's headers may take.</summary>
    public static readonly TimeSpan MaxSilence = TimeSpan.FromSeconds(20);

    /// <summary>A bound on a list of what was left.</summary>
    public const int MaxManifestBytes = 16 << 20;

    private const int MaxTokenLength = 200, MaxPodLength = 100, MaxHeaderBytes = 8 << 10, MaxHeaders = 32;
    private readonly WebApplication _app;
    private readonly Desk _desk;
    private readonly Action<Exception> _failed;

    private ExchangeServer(WebApplication app, Desk desk, Action<Exception> failed) => (_app, _desk, _failed) = (app, desk, failed);

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Starts to listen.</summary>
    /// <param name="options">Where.</param>
    /// <param name="desk">Who answers.</param>
    /// <param name="failed">Told of what must not happen, and of a store that fails; the pod hears 500 or 507, and tries again.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">The address is taken, or the certificate cannot be read.</exception>
    public static async Task<ExchangeServer> StartAsync(ExchangeOptions options, Desk desk, Action<Exception> failed, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, options));
        var server = new ExchangeServer(builder.Build(), desk, failed);
        server.Map();
        await server._app.StartAsync(cancellationToken);
        var address = server._app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        server.Address = new Uri(address.TrimEnd('/') + "/");
        return server;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync();
        await _app.DisposeAsync();
    }

    private static void Configure(KestrelServerOptions kestrel, ExchangeOptions options)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxConcurrentConnections = MaxConnections;
        kestrel.Limits.MaxRequestBodySize = MaxManifestBytes;
        kestrel.Limits.MaxRequestHeadersTotalSize = MaxHeaderBytes;
        kestrel.Limits.MaxRequestLineSize = MaxHeaderBytes;
        kestrel.Limits.MaxRequestHeaderCount = MaxHeaders;
        kestrel.Limits.RequestHeadersTimeout = MaxSilence;
        kestrel.Limits.KeepAliveTimeout = MaxSilence;
        var address = IPAddress.TryParse(options.Listen.Host, out var given) ? given : IPAddress.Any;
        var visitors = new ConnectionsByAddress(MaxConnectionsOfOne);
        kestrel.Listen(address, options.Listen.Port, listen =>
        {
            listen.Use(next => connection => visitors.AdmitAsync(connection, next));
            if (options.Tls is var (certificate, key)) listen.UseHttps(X509Certificate2.CreateFromPemFile(certificate, key));
        });
    }

    private void Map()
    {
        _app.Use(AnswerAsync);
        var attempt = _app.MapGroup("/attempts/{name}");
        attempt.MapPost("/claim", context => GuardedAsync(context, async visit => await WriteAsync(context, await _desk.ClaimAsync(visit, context.RequestAborted), WireJson.Default.FetchOrder)));
        attempt.MapGet("/blobs/{digest}", context => GuardedAsync(context, async visit => await SendAsync(context, visit)));
        attempt.MapPost("/fetched", context => GuardedAsync(context, async visit => await _desk.FetchedAsync(visit, context.RequestAborted)));
        attempt.MapPost("/collect", context => GuardedAsync(context, async visit => await WriteAsync(context, await _desk.CollectAsync(visit, context.RequestAborted), WireJson.Default.CollectOrder)));
        attempt.MapPut("/blobs/{digest}", context => GuardedAsync(context, async visit => await ReceiveAsync(context, visit)));
        attempt.MapPost("/collected", context => GuardedAsync(context, async visit => await TakeManifestAsync(context, visit)));
        _app.MapFallback("{**anything}", _ => throw new RefusedException(Refusal.Unknown));
    }

    // Nobody but our own program reads the answers, and whoever guesses learns nothing from them.
    private async Task AnswerAsync(HttpContext context, RequestDelegate next)
    {
        try
        {
            await next(context);
        }
        catch (RefusedException refused) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = refused.Refusal switch
            {
                Refusal.Taken => StatusCodes.Status409Conflict,
                Refusal.NotYours => StatusCodes.Status422UnprocessableEntity,
                Refusal.Missing => StatusCodes.Status404NotFound,
                _ => StatusCodes.Status401Unauthorized,
            };
        }
        catch (BlobTooLargeException) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status413PayloadTooLarge;
        }
        catch (Microsoft.AspNetCore.Http.BadHttpRequestException error) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = error.StatusCode;
        }
        catch (JsonException) when (!context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
        }
        catch (StoreFailedException error) when (!context.Response.HasStarted)
        {
            // The pod tries again, and names the store when it gives up; why it failed is for operators.
            _failed(error);
            context.Response.StatusCode = StatusCodes.Status507InsufficientStorage;
        }
        catch (Exception error) when (error is IOException or HttpRequestException or k8s.Autorest.HttpOperationException && !context.Response.HasStarted)
        {
            // The cluster: the pod tries again.
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
        catch (Exception error) when (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            // The one place of the exchange where everything is caught: whoever asks learns nothing, and operators do.
            _failed(error);
            context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        }
    }

    private static Task GuardedAsync(HttpContext context, Func<Visit, Task> answer)
    {
        var (authorization, pod, name) = (context.Request.Headers.Authorization.ToString(), context.Request.Headers[PodPaths.PodHeader].ToString(), (string)context.Request.RouteValues["name"]!);
        const string scheme = "Bearer ";
        if (!authorization.StartsWith(scheme, StringComparison.Ordinal) || authorization.Length > MaxTokenLength || !IsName(name) || !IsUid(pod))
            throw new RefusedException(Refusal.Unknown);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return answer(new Visit(name, authorization[scheme.Length..], pod));
    }

    private static bool IsName(string name) => name.Length <= 63 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');

    private static bool IsUid(string pod) => pod.Length is > 0 and <= MaxPodLength && pod.All(c => char.IsAsciiLetterOrDigit(c) || c == '-');

    private static string DigestOf(HttpContext context) =>
        context.Request.RouteValues["digest"] is string digest && Desk.IsDigest(digest) ? digest : throw new RefusedException(Refusal.NotYours);

    private static async Task WriteAsync<T>(HttpContext context, T value, System.Text.Json.Serialization.Metadata.JsonTypeInfo<T> type)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(value, type);
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }

    private async Task SendAsync(HttpContext context, Visit visit)
    {
        await using var content = await _desk.OpenAsync(visit, DigestOf(context), context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentLength = content.Length;
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private async Task ReceiveAsync(HttpContext context, Visit visit)
    {
        // The desk bounds it by the attempt's own orders.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } bound) bound.MaxRequestBodySize = null;
        await _desk.PutAsync(visit, (DigestOf(context), context.Request.Body), context.RequestAborted);
    }

    private async Task TakeManifestAsync(HttpContext context, Visit visit)
    {
        var manifest = await JsonSerializer.DeserializeAsync(context.Request.Body, WireJson.Default.PodManifest, context.RequestAborted) ?? throw new RefusedException(Refusal.NotYours);
        await _desk.CollectedAsync(visit, manifest, context.RequestAborted);
    }
}
