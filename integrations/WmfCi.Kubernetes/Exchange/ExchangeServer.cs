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
/// Without a token that is good for the attempt, the direction and the pod, every answer is 401.
/// </summary>
internal sealed class ExchangeServer : IAsyncDisposable
{
    /// <summary>How many pods may talk to it at once; others wait.</summary>
    public const int MaxConnections = 512;

    /// <summary>A bound on a list of what was left.</summary>
    public const int MaxManifestBytes = 16 << 20;

    private const int MaxTokenLength = 200, MaxPodLength = 100, DigestLength = 64;
    private readonly WebApplication _app;
    private readonly Desk _desk;

    private ExchangeServer(WebApplication app, Desk desk) => (_app, _desk) = (app, desk);

    /// <summary>Where it listens.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>Starts to listen.</summary>
    /// <exception cref="IOException">The address is taken, or the certificate cannot be read.</exception>
    public static async Task<ExchangeServer> StartAsync(ExchangeOptions options, Desk desk, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, options));
        var server = new ExchangeServer(builder.Build(), desk);
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
        var address = IPAddress.TryParse(options.Listen.Host, out var given) ? given : IPAddress.Any;
        kestrel.Listen(address, options.Listen.Port, listen =>
        {
            if (options.Tls is var (certificate, key)) listen.UseHttps(X509Certificate2.CreateFromPemFile(certificate, key));
        });
    }

    private void Map()
    {
        _app.Use(AnswerAsync);
        var attempt = _app.MapGroup("/attempts/{name}");
        attempt.MapPost("/claim", context => GuardedAsync(context, async visit => await WriteAsync(context, await _desk.ClaimAsync(visit.Name, visit.Token, visit.Pod, context.RequestAborted), WireJson.Default.FetchOrder)));
        attempt.MapGet("/blobs/{digest}", context => GuardedAsync(context, async visit => await SendAsync(context, visit)));
        attempt.MapPost("/fetched", context => GuardedAsync(context, async visit => await _desk.FetchedAsync(visit.Name, visit.Token, visit.Pod, context.RequestAborted)));
        attempt.MapPost("/collect", context => GuardedAsync(context, async visit => await WriteAsync(context, await _desk.CollectAsync(visit.Name, visit.Token, visit.Pod, context.RequestAborted), WireJson.Default.CollectOrder)));
        attempt.MapPut("/blobs/{digest}", context => GuardedAsync(context, async visit => await ReceiveAsync(context, visit)));
        attempt.MapPost("/collected", context => GuardedAsync(context, async visit => await TakeManifestAsync(context, visit)));
    }

    // Nobody but our own program reads the answers, and whoever guesses learns nothing from them.
    private static async Task AnswerAsync(HttpContext context, RequestDelegate next)
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
        catch (Exception error) when (error is IOException or HttpRequestException or k8s.Autorest.HttpOperationException && !context.Response.HasStarted)
        {
            // The store or the cluster: the pod tries again.
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
        }
    }

    private static Task GuardedAsync(HttpContext context, Func<Visit, Task> answer)
    {
        var (authorization, pod, name) = (context.Request.Headers.Authorization.ToString(), context.Request.Headers[PodPaths.PodHeader].ToString(), (string)context.Request.RouteValues["name"]!);
        const string scheme = "Bearer ";
        if (!authorization.StartsWith(scheme, StringComparison.Ordinal) || authorization.Length > MaxTokenLength || pod.Length is 0 or > MaxPodLength || !IsName(name))
            throw new RefusedException(Refusal.Unknown);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return answer(new Visit(name, authorization[scheme.Length..], pod));
    }

    private static bool IsName(string name) => name.Length <= 63 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-');

    private static string DigestOf(HttpContext context) =>
        context.Request.RouteValues["digest"] is string { Length: DigestLength } digest && digest.All(char.IsAsciiHexDigitLower) ? digest : throw new RefusedException(Refusal.NotYours);

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
        await using var content = await _desk.OpenAsync(visit.Name, visit.Token, visit.Pod, DigestOf(context), context.RequestAborted);
        context.Response.StatusCode = StatusCodes.Status200OK;
        context.Response.ContentLength = content.Length;
        await content.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private async Task ReceiveAsync(HttpContext context, Visit visit)
    {
        // The desk bounds it by the attempt's own orders.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } bound) bound.MaxRequestBodySize = null;
        await _desk.PutAsync(visit.Name, visit.Token, visit.Pod, (DigestOf(context), context.Request.Body), context.RequestAborted);
    }

    private async Task TakeManifestAsync(HttpContext context, Visit visit)
    {
        var manifest = await JsonSerializer.DeserializeAsync(context.Request.Body, WireJson.Default.PodManifest, context.RequestAborted) ?? throw new RefusedException(Refusal.NotYours);
        await _desk.CollectedAsync(visit.Name, visit.Token, visit.Pod, manifest, context.RequestAborted);
    }

    /// <summary>Who asks about what.</summary>
    private sealed record Visit(string Name, string Token, string Pod);
}
