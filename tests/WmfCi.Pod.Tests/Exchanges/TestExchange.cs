using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Tests.Exchanges;

/// <summary>A small exchange with one attempt, which can be told to fail.</summary>
internal sealed class TestExchange : IAsyncDisposable
{
    public const string Token = "a-token.of_one-attempt", Pod = "11111111-2222-3333-4444-555555555555", Path = "/attempts/7/";

    private readonly WebApplication _app;
    private readonly ConcurrentDictionary<string, byte[]> _blobs = new();
    private readonly ConcurrentQueue<string> _requests = new();

    private TestExchange(WebApplication app) => _app = app;

    public FetchOrder? Order { get; set; }

    public CollectOrder? CollectOrder { get; set; }

    public PodManifest? Manifest { get; private set; }

    /// <summary>What is done instead of answering; true where that was enough.</summary>
    public Func<HttpContext, int, Task<bool>> Disturb { get; set; } = (_, _) => Task.FromResult(false);

    /// <summary>Whether ranges are answered with the whole.</summary>
    public bool IgnoresRanges { get; set; }

    /// <summary>All requests, as METHOD NAME.</summary>
    public string[] Requests => [.. _requests];

    /// <summary>The first request's header.</summary>
    public ConcurrentDictionary<string, string> Headers { get; } = new();

    public string Address => _app.Urls.Single() + Path;

    public byte[]? Blob(string digest) => _blobs.GetValueOrDefault(digest);

    public string Add(byte[] bytes, string? digest = null)
    {
        digest ??= Convert.ToHexStringLower(SHA256.HashData(bytes));
        _blobs[digest] = bytes;
        return digest;
    }

    public static async Task<TestExchange> StartAsync(X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null) listen.UseHttps(certificate);
            });
        });
        var exchange = new TestExchange(builder.Build());
        exchange._app.Run(exchange.AnswerAsync);
        await exchange._app.StartAsync(TestContext.Current.CancellationToken);
        return exchange;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var name = context.Request.Path.Value![Path.Length..];
        _requests.Enqueue($"{context.Request.Method} {name}");
        foreach (var (key, value) in context.Request.Headers) Headers.TryAdd(key, value.ToString());
        if (await Disturb(context, _requests.Count(request => request == $"{context.Request.Method} {name}"))) return;
        if (context.Request.Headers.Authorization != $"Bearer {Token}") context.Response.StatusCode = 401;
        else if (name.StartsWith("blobs/", StringComparison.Ordinal)) await AnswerBlobAsync(context, name["blobs/".Length..]);
        else await AnswerWordAsync(context, name);
    }

    private async Task AnswerWordAsync(HttpContext context, string name)
    {
        switch (name)
        {
            case "claim" when Order is { } order:
                await SayAsync(context, JsonSerializer.SerializeToUtf8Bytes(order, WireJson.Default.FetchOrder));
                break;
            case "collect" when CollectOrder is { } order:
                await SayAsync(context, JsonSerializer.SerializeToUtf8Bytes(order, WireJson.Default.CollectOrder));
                break;
            case "fetched":
                context.Response.StatusCode = 204;
                break;
            case "collected":
                Manifest = await JsonSerializer.DeserializeAsync(context.Request.Body, WireJson.Default.PodManifest, context.RequestAborted);
                context.Response.StatusCode = 204;
                break;
            default:
                context.Response.StatusCode = 404;
                break;
        }
    }

    private async Task AnswerBlobAsync(HttpContext context, string digest)
    {
        if (context.Request.Method == "PUT")
        {
            using var body = new MemoryStream();
            await context.Request.Body.CopyToAsync(body, context.RequestAborted);
            var bytes = body.ToArray();
            if (Convert.ToHexStringLower(SHA256.HashData(bytes)) == digest) _blobs[digest] = bytes;
            else context.Response.StatusCode = 422;
        }
        else if (Blob(digest) is not { } blob)
        {
            context.Response.StatusCode = 404;
        }
        else
        {
            var from = IgnoresRanges ? null : context.Request.GetTypedHeaders().Range?.Ranges.Single().From;
            if (from is not null) context.Response.StatusCode = 206;
            await SayAsync(context, blob[(int)(from ?? 0)..]);
        }
    }

    private static async Task SayAsync(HttpContext context, byte[] bytes)
    {
        context.Response.ContentLength = bytes.Length;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
    }
}
