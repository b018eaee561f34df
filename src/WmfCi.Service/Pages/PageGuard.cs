using System.Diagnostics;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Logging;
using Prometheus;
using WmfCi.Service.Pages.Views;

namespace WmfCi.Service.Pages;

/// <summary>Stands around every page: the headers that keep browsers from doing what a page did not mean, the clock, and the page that says that we failed.</summary>
/// <param name="log">Where failures are told.</param>
public sealed partial class PageGuard(ILogger<PageGuard> log) : IEndpointFilter
{
    /// <summary>What a page may load: its own style sheet, its own script, and more of its own log.</summary>
    public const string ContentPolicy =
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

    /// <summary>What a file may do that an untrusted stage made: nothing.</summary>
    public const string FilePolicy = "default-src 'none'; sandbox; frame-ancestors 'none'";

    private static readonly Histogram s_seconds = Metrics.CreateHistogram(
        "wmfci_page_seconds", "How long pages took, by route and status.",
        new HistogramConfiguration { LabelNames = ["route", "status"], Buckets = [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5] });

    /// <inheritdoc/>
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var began = Stopwatch.GetTimestamp();
        SetHeaders(http.Response);
        try
        {
            // The result is carried out here and not by the caller, so that a failure while it is written is seen here, too.
            if (await next(context) is IResult result) await result.ExecuteAsync(http);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The reader left.
        }
        catch (Exception exception) when (!http.Response.HasStarted)
        {
            PageFailed(exception, RouteOf(http));
            http.Response.Clear();
            SetHeaders(http.Response);
            await Failed().ExecuteAsync(http);
        }
        finally
        {
            // A follower stays for minutes: that is no time that a page took.
            if (http.Response.ContentType?.StartsWith("text/event-stream", StringComparison.Ordinal) != true)
                s_seconds.WithLabels(RouteOf(http), Text(http.Response.StatusCode)).Observe(Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        return Results.Empty;
    }

    /// <summary>The answer to everything that there is not, and to everything that may not be known.</summary>
    public static IResult NotFound() => Message(
        StatusCodes.Status404NotFound, "Nothing is here", "There is no such run, stage, change or project, or it is no longer kept. Check the address, or begin at the overview.");

    /// <summary>The answer when too much is asked for at once.</summary>
    public static IResult Busy() => Results.Text("Too many follow logs now. Reload the page in a minute.\n", "text/plain; charset=utf-8", statusCode: StatusCodes.Status503ServiceUnavailable);

    private static IResult Failed() => Message(
        StatusCodes.Status500InternalServerError, "This page failed", "The service could not make this page. Nothing that runs is affected. Reload in a minute; if it stays so, tell the people who run this service.");

    private static IResult Message(int status, string title, string text) => Page.Of<MessagePage>(status, new() { ["Title"] = title, ["Text"] = text });

    private static void SetHeaders(HttpResponse response)
    {
        var headers = response.Headers;
        headers.ContentSecurityPolicy = ContentPolicy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "same-origin";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers.XFrameOptions = "DENY";
        headers.CacheControl = "no-cache";
    }

    private static string RouteOf(HttpContext http) => (http.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText ?? "";

    private static string Text(int status) => status.ToString(CultureInfo.InvariantCulture);

    [LoggerMessage(Level = LogLevel.Error, Message = "The page {Route} failed")]
    private partial void PageFailed(Exception exception, string route);
}
