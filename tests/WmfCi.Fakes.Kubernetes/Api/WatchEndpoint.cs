using System.Globalization;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Microsoft.AspNetCore.Http;
using WmfCi.Fakes.Kubernetes.Store;

namespace WmfCi.Fakes.Kubernetes.Api;

/// <summary>Watches: what happened since a version, and what happens.</summary>
internal sealed class WatchEndpoint(ObjectStore store, Faults faults)
{
    private static readonly TimeSpan BookmarkEvery = TimeSpan.FromSeconds(60);

    public async Task ServeAsync(ApiCall call)
    {
        var http = call.Http;
        var from = long.TryParse(call.Query["resourceVersion"], CultureInfo.InvariantCulture, out var version) ? version : 0;
        var seconds = int.TryParse(call.Query["timeoutSeconds"], out var asked) ? asked : 1800;
        using var over = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var dropped = faults.Watches;
        await using var drop = dropped.UnsafeRegister(state => ((HttpContext)state!).Abort(), http);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, http.RequestAborted);
        Channel<StoredEvent>? coming = null;
        try
        {
            List<StoredEvent> past;
            if (from == 0)
            {
                (from, var items) = store.List(call.Resource, null);
                past = [.. items.Select(item => new StoredEvent(0, call.Resource, null, item))];
                (var since, coming) = store.Watch(from);
                past.AddRange(since);
            }
            else
            {
                (past, coming) = store.Watch(from);
            }
            await BeginAsync(http);
            foreach (var happened in past) await TellAsync(call, happened, either.Token);
            await http.Response.Body.FlushAsync(either.Token);
            await FollowAsync(call, coming, either.Token);
        }
        catch (StatusException status) when (status.Code == 410 && !faults.ExpiresByStatus)
        {
            await BeginAsync(http);
            await WriteAsync(http, "ERROR", status.Status(), either.Token);
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
            // As long as was asked for.
        }
        finally
        {
            if (coming is not null) store.Unwatch(coming);
        }
    }

    private static async Task BeginAsync(HttpContext http)
    {
        http.Response.ContentType = "application/json";
        await http.Response.StartAsync(http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    private static async Task WriteAsync(HttpContext http, string type, JsonObject item, CancellationToken cancellationToken)
    {
        await http.Response.WriteAsync(new JsonObject { ["type"] = type, ["object"] = item.DeepClone() }.ToJsonString() + "\n", cancellationToken);
        await http.Response.Body.FlushAsync(cancellationToken);
    }

    private async Task FollowAsync(ApiCall call, Channel<StoredEvent> coming, CancellationToken cancellationToken)
    {
        var last = store.Version;
        while (true)
        {
            using var mark = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            mark.CancelAfter(BookmarkEvery);
            try
            {
                var happened = await coming.Reader.ReadAsync(mark.Token);
                last = happened.Version;
                await TellAsync(call, happened, cancellationToken);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                if (call.Query["allowWatchBookmarks"].ToString() is not ("true" or "1") || faults.HangWatches) continue;
                var bookmark = new JsonObject { ["kind"] = call.Resource.Kind, ["apiVersion"] = call.Resource.ApiVersion };
                bookmark.Ensure("metadata")["resourceVersion"] = last.ToString(CultureInfo.InvariantCulture);
                await WriteAsync(call.Http, "BOOKMARK", bookmark, cancellationToken);
            }
        }
    }

    private async Task TellAsync(ApiCall call, StoredEvent happened, CancellationToken cancellationToken)
    {
        if (happened.Resource != call.Resource || faults.HangWatches) return;
        var (was, isNow) = (call.Selectors.Match(happened.Before), call.Selectors.Match(happened.After));
        var type = (was, isNow) switch { (false, true) => "ADDED", (true, true) => "MODIFIED", (true, false) => "DELETED", _ => null };
        if (type is null || faults.TakeLost(call.Resource.Plural)) return;
        var item = isNow ? happened.After! : happened.Before!.Copy();
        // What left the selection is told as it was, at the version of its leaving.
        if (!isNow) item.Ensure("metadata")["resourceVersion"] = happened.Version.ToString(CultureInfo.InvariantCulture);
        await WriteAsync(call.Http, type, item, cancellationToken);
        if (happened.Before is { } former && faults.TakeStale(call.Resource.Plural)) await WriteAsync(call.Http, "MODIFIED", former, cancellationToken);
    }
}
