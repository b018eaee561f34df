using System.Net;
using System.Net.ServerSentEvents;
using System.Text;
using AngleSharp.Html.Parser;
using WmfCi.Core.Runs;
using WmfCi.Service.Pages.Terminal;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Pages;

/// <summary>A log is followed while it grows, over broken connections, until it is whole.</summary>
public sealed class LogFollowTests
{
    private static readonly AttemptId s_id = new(new RunId(2), "acceptance", 1);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task New_lines_come_as_they_are_printed_and_the_end_is_told()
    {
        await using var host = await StartAsync();
        await GrowAsync(host, "one\ntw", 0, 0);
        using var reader = await Reader.OpenAsync(host, null);
        (await reader.NextAsync()).Data.ShouldContain("<code>one</code>");
        var partial = await reader.NextAsync();
        (partial.EventType, partial.EventId).ShouldBe((LogFollow.PartialEvent, null));
        partial.Data.ShouldContain("<code>tw</code>");
        await GrowAsync(host, "o\nthree\n", 6, 1);
        TextOf((await reader.NextAsync()).Data).ShouldBe(["two", "three"]);
        await host.CloseLogAsync(s_id, "one\ntwo\nthree\nlast words");
        host.Followers.Heard(s_id.ToString());
        TextOf((await reader.NextAsync()).Data).ShouldBe(["last words"]);
        (await reader.NextAsync()).EventType.ShouldBe(LogFollow.EndEvent);
        (await reader.IsOverAsync()).ShouldBeTrue();
    }

    [Fact]
    public async Task A_page_and_its_follower_meet_without_a_gap()
    {
        await using var host = await StartAsync();
        await StagePageTests.AppendAsync(host, s_id, StagePageTests.Lines(1, 2500) + "half", 700);
        var page = await host.PageAsync("/runs/2/acceptance/1");
        var list = page.GetElementById("lines")!;
        await host.CloseLogAsync(s_id, StagePageTests.Lines(1, 2500) + "half a line\nthe end\n");
        using var reader = await Reader.OpenAsync(host, null, list.GetAttribute("data-from"));
        TextOf((await reader.NextAsync()).Data).ShouldBe(["half a line", "the end"]);
    }

    [Fact]
    public async Task Over_broken_connections_nothing_is_lost_and_nothing_comes_twice()
    {
        await using var host = await StartAsync();
        var random = new Random(5);
        string[] words = ["plain\n", "\e[31mred\n", "no colour\e[0m\n", "ä🦔 ", "a\rb", "\n", "<b>&\n", "\e]8;;x", "\a text\n"];
        var bytes = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 1200).Select(_ => words[random.Next(words.Length)])));
        var expected = new List<string>();
        var whole = new LogRenderer(default);
        whole.Feed(bytes, expected);
        if (whole.Finish() is { } last) expected.Add(last);

        var (seen, lastId, written, lines) = (new StringBuilder(), (string?)null, 0, 0L);
        var isClosed = false;
        async Task CloseAsync()
        {
            isClosed = true;
            await host.ExecuteAsync(Logs.Close(s_id, new LogState(bytes.Length, lines, host.Store.Add(bytes))));
            host.Followers.Heard(s_id.ToString());
        }
        while (true)
        {
            // A reader that has all that was written hears nothing more: the log is closed at the latest while nobody looks.
            if (written == bytes.Length && !isClosed) await CloseAsync();
            using var reader = await Reader.OpenAsync(host, lastId);
            // Some growth, some reading, then the connection breaks.
            for (var step = 0; step < 3 && written < bytes.Length; step++)
            {
                var length = Math.Min(random.Next(1, 900), bytes.Length - written);
                await host.Logs.AppendAsync(s_id, new LogChunk(written, lines, bytes.AsSpan(written, length).ToArray()), Cancel);
                lines += bytes.AsSpan(written, length).Count((byte)'\n');
                written += length;
                host.Followers.Heard(s_id.ToString());
            }
            while (true)
            {
                var item = await reader.AnyAsync();
                // What came last shows nothing yet.
                if (item.EventType == LogFollow.IdleEvent && !isClosed) break;
                if (item.EventType == LogFollow.RowsEvent)
                {
                    seen.Append(item.Data);
                    lastId = item.EventId;
                    if (!isClosed && random.Next(2) == 0) break;
                }
                if (item.EventType == LogFollow.EndEvent)
                {
                    seen.ToString().ShouldBe(string.Concat(expected));
                    return;
                }
                item.EventType.ShouldNotBe(LogFollow.ResetEvent);
                if (item.EventType == LogFollow.PartialEvent && written < bytes.Length) break;
                if (written == bytes.Length && !isClosed) await CloseAsync();
            }
        }
    }

    [Fact]
    public async Task A_log_that_is_begun_anew_makes_the_reader_begin_anew()
    {
        await using var host = await StartAsync();
        await GrowAsync(host, "one\ntwo\n", 0, 0);
        using var reader = await Reader.OpenAsync(host, null);
        TextOf((await reader.NextAsync()).Data).ShouldBe(["one", "two"]);
        await host.Logs.RestartAsync(s_id, Cancel);
        await GrowAsync(host, "un", 0, 0);
        (await reader.NextAsync()).EventType.ShouldBe(LogFollow.ResetEvent);
    }

    [Fact]
    public async Task An_attempt_that_ends_without_a_log_ends_the_following()
    {
        await using var host = await StartAsync();
        using var reader = await Reader.OpenAsync(host, null);
        await host.AddAsync(Sample.Passed(2));
        // Nobody tells the follower: it looks by itself.
        (await reader.NextAsync()).EventType.ShouldBe(LogFollow.EndEvent);
    }

    [Fact]
    public async Task Whoever_leaves_makes_room()
    {
        await using var host = await StartAsync();
        using (var reader = await Reader.OpenAsync(host, null))
        {
            await GrowAsync(host, "one\n", 0, 0);
            await reader.NextAsync();
            host.Followers.Count.ShouldBe(1);
        }
        // The server notices a closed connection in its own time, and tells nobody.
        await PageHost.UntilAsync(() => Task.FromResult(host.Followers.Count == 0));
    }

    [Fact]
    public void Only_so_many_may_follow()
    {
        var followers = new LogFollowers();
        for (var count = 0; count < LogFollowers.Max; count++) followers.Join("1/commit/1").ShouldNotBeNull();
        followers.Join("1/commit/1").ShouldBeNull();
    }

    [Fact]
    public async Task The_log_of_a_run_that_may_not_be_known_cannot_be_followed()
    {
        await using var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Running(2), hidden: true);
        using var answer = await host.Http.GetAsync(new Uri("/runs/2/acceptance/1/log/events", UriKind.Relative), Cancel);
        answer.StatusCode.ShouldBe(HttpStatusCode.NotFound);
    }

    private static async Task<PageHost> StartAsync()
    {
        var host = await PageHost.StartAsync();
        await host.AddAsync(Sample.Running(2));
        return host;
    }

    private static async Task GrowAsync(PageHost host, string text, long start, long line)
    {
        await host.Logs.AppendAsync(s_id, new LogChunk(start, line, Encoding.UTF8.GetBytes(text)), Cancel);
        host.Followers.Heard(s_id.ToString());
    }

    private static IEnumerable<string> TextOf(string rows) => new HtmlParser().ParseDocument($"<ol>{rows}</ol>").QuerySelectorAll("code").Select(code => code.TextContent);

    private sealed class Reader(HttpResponseMessage answer, IAsyncEnumerator<SseItem<string>> items) : IDisposable
    {
        public static async Task<Reader> OpenAsync(PageHost host, string? lastId, string? from = null)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/runs/2/acceptance/1/log/events" + (from is null ? "" : "?from=" + Uri.EscapeDataString(from)));
            if (lastId is not null) request.Headers.Add("Last-Event-ID", lastId);
            var answer = await host.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancel);
            answer.StatusCode.ShouldBe(HttpStatusCode.OK);
            answer.Content.Headers.ContentType!.MediaType.ShouldBe("text/event-stream");
            return new Reader(answer, SseParser.Create(await answer.Content.ReadAsStreamAsync(Cancel)).EnumerateAsync(Cancel).GetAsyncEnumerator(Cancel));
        }

        public async Task<SseItem<string>> NextAsync()
        {
            SseItem<string> item;
            do item = await AnyAsync();
            while (item.EventType == LogFollow.IdleEvent);
            return item;
        }

        public async Task<SseItem<string>> AnyAsync()
        {
            (await items.MoveNextAsync()).ShouldBeTrue("the events ended early");
            return items.Current;
        }

        public async Task<bool> IsOverAsync() => !await items.MoveNextAsync();

        public void Dispose() => answer.Dispose();
    }
}
