using System.Diagnostics;
using System.Formats.Tar;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using WmfCi.Pod.Tests.Exchanges;
using WmfCi.Ports;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Tests;

public sealed class FetchTests : IAsyncLifetime
{
    private readonly PodFolder _pod = new();
    private TestExchange _exchange = null!;

    public async ValueTask InitializeAsync() => _exchange = await TestExchange.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_exchange is not null) await _exchange.DisposeAsync();
        _pod.Dispose();
    }

    [Fact]
    public async Task All_that_steps_need_is_laid_out()
    {
        _exchange.Order = Order(Plain) with
        {
            Steps = PodFolder.Steps("echo one", "echo two\n"),
            Inputs = [new InputFile("commit", "out/app", _exchange.Add("app"u8.ToArray()))],
        };
        await _pod.FetchAsync(_exchange);
        _pod.Read("/work/src/a.txt").ShouldBe("text");
        _pod.Read("/artifacts/commit/out/app").ShouldBe("app");
        _pod.Read("/wmfci/tools/steps/1").ShouldBe("echo one");
        _pod.Read("/wmfci/tools/steps/2").ShouldBe("echo two\n");
        JsonSerializer.Deserialize(_pod.Read("/wmfci/tools/order.json"), WireJson.Default.StepOrder)!.Steps.Length.ShouldBe(2);
        File.GetUnixFileMode(_pod.Place.Program).ShouldBe((UnixFileMode)0b111_101_101);
        new FileInfo(_pod.Place.Program).Length.ShouldBe(new FileInfo(Environment.ProcessPath!).Length);
        foreach (var folder in (string[])["logs/1", "logs/2", "scratch/1/tmp", "scratch/2/tmp", "scratch/1/home", "scratch/2/home"]) Directory.Exists($"{_pod.Place.Root}/wmfci/{folder}").ShouldBeTrue(folder);
        _exchange.Requests[0].ShouldBe("POST claim");
        _exchange.Requests[^1].ShouldBe("POST fetched");
    }

    [Fact]
    public async Task Requests_name_the_pod_and_the_program()
    {
        _exchange.Order = Order(Plain);
        await _pod.FetchAsync(_exchange);
        _exchange.Headers["Wmfci-Pod"].ShouldBe(TestExchange.Pod);
        _exchange.Headers["User-Agent"].ShouldStartWith("wmfci-pod/");
    }

    [Fact]
    public async Task Where_another_pod_has_the_attempt_it_waits_to_be_removed()
    {
        using var stop = new CancellationTokenSource();
        _exchange.Disturb = (context, _) =>
        {
            context.Response.StatusCode = 409;
            return Task.FromResult(true);
        };
        await using var output = new Announcement();
        var fetching = _pod.FetchAsync(_exchange, output, stop.Token);
        (await output.Said).ShouldContain("Another pod");
        fetching.IsCompleted.ShouldBeFalse();
        await stop.CancelAsync();
        await fetching;
        Directory.Exists(_pod.Place.Work).ShouldBeFalse();
    }

    [Theory]
    [InlineData(503)]
    [InlineData(500)]
    [InlineData(429)]
    public async Task What_fails_in_passing_is_asked_again(int status)
    {
        _exchange.Order = Order(Plain);
        _exchange.Disturb = (context, count) =>
        {
            if (count > 2) return Task.FromResult(false);
            context.Response.StatusCode = status;
            return Task.FromResult(true);
        };
        await _pod.FetchAsync(_exchange);
        _exchange.Requests.Count(request => request == "POST claim").ShouldBe(3);
        _exchange.Requests.Count(request => request == "POST fetched").ShouldBe(3);
        _pod.Read("/work/src/a.txt").ShouldBe("text");
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    [InlineData(404)]
    [InlineData(410)]
    [InlineData(302)]
    public async Task What_is_refused_is_not_asked_again(int status)
    {
        _exchange.Disturb = (context, _) =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = "http://127.0.0.1:9/elsewhere";
            return Task.FromResult(true);
        };
        var failure = await _pod.FetchAsync(_exchange).ShouldThrowAsync<ContainerFailedException>();
        failure.Message.ShouldContain(status.ToString());
        failure.Message.ShouldNotContain(TestExchange.Token);
        _exchange.Requests.ShouldBe(["POST claim"]);
    }

    [Theory]
    [InlineData(503, "The exchange answered 503 to claim.")]
    [InlineData(507, "The exchange answered 507 to claim: the service's store of artifacts fails, its log says why.")]
    public async Task Patience_has_an_end(int status, string said)
    {
        using var pod = new PodFolder { Patience = TimeSpan.FromSeconds(1) };
        _exchange.Disturb = (context, _) =>
        {
            context.Response.StatusCode = status;
            return Task.FromResult(true);
        };
        var begun = Stopwatch.GetTimestamp();
        (await pod.FetchAsync(_exchange).ShouldThrowAsync<ContainerFailedException>()).Message.ShouldBe(said);
        Stopwatch.GetElapsedTime(begun).ShouldBeInRange(pod.Patience, TimeSpan.FromMinutes(3));
    }

    [Fact]
    public async Task A_connection_that_does_not_come_about_is_no_wish_to_stop()
    {
        // Nobody takes connections from the queue; when it is full the kernel drops what comes, as a network policy does that is not in place yet.
        using var deaf = new TcpListener(IPAddress.Loopback, 0);
        deaf.Start(backlog: 1);
        var callers = Enumerable.Range(0, 4).Select(_ => new Socket(SocketType.Stream, ProtocolType.Tcp) { Blocking = false }).ToList();
        foreach (var caller in callers) _ = caller.ConnectAsync(deaf.LocalEndpoint, TestContext.Current.CancellationToken).AsTask();
        using var pod = new PodFolder { Patience = TimeSpan.Zero };
        pod.Variables[PodPaths.ExchangeVariable] = $"http://{deaf.LocalEndpoint}/attempts/7/";

        var failure = await pod.FetchAsync(_exchange).ShouldThrowAsync<ContainerFailedException>();
        failure.Message.ShouldContain("cannot be reached");
        callers.ForEach(caller => caller.Dispose());
    }

    [Fact]
    public async Task Nobody_there_is_told_without_the_token()
    {
        using var pod = new PodFolder { Patience = TimeSpan.Zero };
        pod.Variables[PodPaths.ExchangeVariable] = "http://127.0.0.1:9/attempts/7/";
        var failure = await pod.FetchAsync(_exchange).ShouldThrowAsync<ContainerFailedException>();
        failure.Message.ShouldContain("127.0.0.1:9");
        failure.ToString().ShouldNotContain(TestExchange.Token);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_snapshot_goes_on_where_its_connection_broke(bool ignoresRanges)
    {
        var content = new byte[3_000_000];
        new Random(1).NextBytes(content);
        _exchange.IgnoresRanges = ignoresRanges;
        _exchange.Order = Order(PodFolder.Pack(tar => tar.WriteEntry(PodFolder.File("large", content))));
        _exchange.Disturb = async (context, count) =>
        {
            if (context.Request.Method != "GET" || count > 3) return false;
            var blob = _exchange.Blob(_exchange.Order.Snapshot)!;
            var from = ignoresRanges ? 0 : (int)(context.Request.GetTypedHeaders().Range?.Ranges.Single().From ?? 0);
            context.Response.StatusCode = from > 0 ? 206 : 200;
            context.Response.ContentLength = blob.Length - from;
            await context.Response.Body.WriteAsync(blob.AsMemory(from, 700_000), context.RequestAborted);
            await context.Response.Body.FlushAsync(context.RequestAborted);
            context.Abort();
            return true;
        };
        await _pod.FetchAsync(_exchange);
        (await File.ReadAllBytesAsync(_pod.Place.Work + "/large", TestContext.Current.CancellationToken)).AsSpan().SequenceEqual(content).ShouldBeTrue();
        _exchange.Requests.Count(request => request.StartsWith("GET", StringComparison.Ordinal)).ShouldBe(4);
    }

    [Fact]
    public async Task Other_bytes_than_were_named_are_the_stores_fault()
    {
        _exchange.Order = Order(Plain);
        _exchange.Add(PodFolder.Pack(tar => tar.WriteEntry(PodFolder.File("other", "x"u8.ToArray()))), _exchange.Order.Snapshot);
        var error = await _pod.FetchAsync(_exchange).ShouldThrowAsync<IOException>();
        TrustedContainer.FailureOf(error).IsRefused.ShouldBeFalse();
        _exchange.Requests.ShouldNotContain("POST fetched");
    }

    [Fact]
    public async Task A_hostile_snapshot_is_the_sources_fault()
    {
        _exchange.Order = Order(PodFolder.Pack(tar => tar.WriteEntry(PodFolder.File("../escaped", "x"u8.ToArray()))));
        var error = await _pod.FetchAsync(_exchange).ShouldThrowAsync<RefusedSnapshotException>();
        TrustedContainer.FailureOf(error).IsRefused.ShouldBeTrue();
        File.Exists(_pod.Place.Root + "/escaped").ShouldBeFalse();
    }

    [Fact]
    public async Task A_snapshot_beyond_its_bounds_is_refused()
    {
        _exchange.Order = Order(PodFolder.Pack(tar => tar.WriteEntry(PodFolder.File("large", new byte[100_000])))) with { Bounds = new SnapshotBounds { MaxBytes = 1000 } };
        await _pod.FetchAsync(_exchange).ShouldThrowAsync<RefusedSnapshotException>();
    }

    [Fact]
    public async Task A_missing_snapshot_is_named()
    {
        _exchange.Order = Order(Plain) with { Snapshot = new string('a', 64) };
        (await _pod.FetchAsync(_exchange).ShouldThrowAsync<ContainerFailedException>()).Message.ShouldContain("source snapshot");
    }

    [Theory]
    [InlineData("..", "a")]
    [InlineData("commit", "../a")]
    [InlineData("commit", "/a")]
    public async Task An_input_cannot_leave_its_folder(string stage, string path)
    {
        _exchange.Order = Order(Plain) with { Inputs = [new InputFile(stage, path, _exchange.Add("x"u8.ToArray()))] };
        await _pod.FetchAsync(_exchange).ShouldThrowAsync<IOException>();
    }

    [Fact]
    public async Task An_order_of_another_version_is_told_as_such()
    {
        _exchange.Disturb = async (context, _) =>
        {
            await context.Response.WriteAsync("{\"steps\":3}", context.RequestAborted);
            return true;
        };
        (await _pod.FetchAsync(_exchange).ShouldThrowAsync<ContainerFailedException>()).Message.ShouldContain("same version");
    }

    private static byte[] Plain => PodFolder.Pack(tar =>
    {
        tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "src/"));
        tar.WriteEntry(PodFolder.File("src/a.txt", Encoding.UTF8.GetBytes("text")));
    });

    private FetchOrder Order(byte[] snapshot) => new() { Snapshot = _exchange.Add(snapshot), Steps = PodFolder.Steps("true") };

    private sealed class Announcement : StringWriter
    {
        private readonly TaskCompletionSource<string> _said = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> Said => _said.Task;

        public override Task WriteLineAsync(ReadOnlyMemory<char> buffer, CancellationToken cancellationToken = default)
        {
            _said.SetResult(buffer.ToString());
            return Task.CompletedTask;
        }
    }
}
