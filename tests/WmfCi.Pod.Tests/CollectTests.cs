using System.Security.Cryptography;
using System.Text;
using WmfCi.Pod.Tests.Exchanges;
using WmfCi.Workspaces;
using WmfCi.Workspaces.Wire;

namespace WmfCi.Pod.Tests;

public sealed class CollectTests : IAsyncLifetime
{
    private readonly PodFolder _pod = new();
    private TestExchange _exchange = null!;

    public async ValueTask InitializeAsync()
    {
        Directory.CreateDirectory(_pod.Place.Work);
        _exchange = await TestExchange.StartAsync();
        _exchange.CollectOrder = new CollectOrder { Artifacts = ["out"], Reports = ["reports/*.xml"], Steps = 3, LogBytes = 1000 };
    }

    public async ValueTask DisposeAsync()
    {
        if (_exchange is not null) await _exchange.DisposeAsync();
        _pod.Dispose();
    }

    [Fact]
    public async Task Declared_files_and_logs_are_stored_and_named()
    {
        _pod.Write("/work/out/app", "application");
        _pod.Write("/work/out/empty", "");
        _pod.Write("/work/reports/a.xml", "<report/>");
        _pod.Write("/work/other", "other");
        _pod.Write("/wmfci/logs/1/output", "first");
        _pod.Write("/wmfci/logs/2/output", "");
        var manifest = await _pod.CollectAsync(_exchange);
        manifest.Files.Select(file => (file.Path, file.IsReport)).ShouldBe([("out/app", false), ("out/empty", false), ("reports/a.xml", true)]);
        foreach (var file in manifest.Files) Stored(file.Blob.Digest).ShouldBe(_pod.Read("/work/" + file.Path));
        manifest.Logs.Select(log => log.Step).ShouldBe([1, 2]);
        Stored(manifest.Logs[0].Blob.Digest).ShouldBe("first");
        manifest.Logs[0].Blob.Size.ShouldBe(5);
        manifest.Notes.ShouldBeEmpty();
        _exchange.Requests[0].ShouldBe("POST collect");
        _exchange.Requests[^1].ShouldBe("POST collected");
    }

    [Fact]
    public async Task An_upload_is_sent_again_from_its_beginning()
    {
        var content = new string('x', 2_000_000) + "end";
        _pod.Write("/work/out/app", content);
        _exchange.Disturb = async (context, count) =>
        {
            if (context.Request.Method != "PUT" || count > 2) return false;
            var buffer = new byte[100_000];
            await context.Request.Body.ReadExactlyAsync(buffer, context.RequestAborted);
            if (count == 1) context.Abort();
            else context.Response.StatusCode = 503;
            return true;
        };
        var manifest = await _pod.CollectAsync(_exchange);
        Stored(manifest.Files.Single().Blob.Digest).ShouldBe(content);
        _exchange.Requests.Count(request => request.StartsWith("PUT", StringComparison.Ordinal)).ShouldBe(3);
    }

    [Fact]
    public async Task An_upload_that_is_refused_fails_the_container()
    {
        _pod.Write("/work/out/app", "x");
        _exchange.Disturb = (context, _) =>
        {
            if (context.Request.Method != "PUT") return Task.FromResult(false);
            context.Response.StatusCode = 413;
            return Task.FromResult(true);
        };
        (await _pod.CollectAsync(_exchange).ShouldThrowAsync<ContainerFailedException>()).Message.ShouldContain("more than the exchange takes");
        _exchange.Requests.ShouldNotContain("POST collected");
    }

    [Fact]
    public async Task Another_pods_attempt_is_not_collected()
    {
        _exchange.Disturb = (context, _) =>
        {
            context.Response.StatusCode = 409;
            return Task.FromResult(true);
        };
        (await _pod.CollectAsync(_exchange).ShouldThrowAsync<ContainerFailedException>()).Message.ShouldContain("Another pod");
        _exchange.Requests.ShouldBe(["POST collect"]);
    }

    [Fact]
    public async Task Links_pipes_and_second_names_are_left_out_with_a_note()
    {
        var secret = _pod.Write("/secret", "secret");
        _pod.Write("/work/out/good", "good");
        File.CreateSymbolicLink(_pod.Place.Work + "/out/link", secret);
        Directory.CreateSymbolicLink(_pod.Place.Work + "/out/folder", _pod.Place.Root + "/wmfci/token");
        Make("ln", secret, _pod.Place.Work + "/out/second-name");
        Make("mkfifo", _pod.Place.Work + "/out/pipe");
        var manifest = await _pod.CollectAsync(_exchange);
        manifest.Files.Select(file => file.Path).ShouldBe(["out/good"]);
        foreach (var name in (string[])["link", "folder", "second-name", "pipe"]) manifest.Notes.ShouldContain(note => note.Contains("out/" + name));
        _exchange.Blob(Digest("secret")).ShouldBeNull();
    }

    [Fact]
    public async Task A_workspace_that_is_a_link_is_not_followed_into_the_tools()
    {
        _pod.Write("/wmfci/token/out/token", "secret");
        Directory.CreateSymbolicLink(_pod.Place.Work + "/out", _pod.Place.Root + "/wmfci/token/out");
        (await _pod.CollectAsync(_exchange)).Files.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("ln -s ../../../secret output")]
    [InlineData("ln ../../../secret output")]
    [InlineData("mkfifo output")]
    [InlineData("mkdir output")]
    [InlineData("head -c 1001 /dev/zero > output")]
    public async Task A_log_that_a_step_changed_is_left_out_with_a_note(string script)
    {
        _pod.Write("/secret", "secret");
        Directory.CreateDirectory(_pod.Place.LogFolder(2));
        Make("sh", "-c", $"cd \"$1\" && {script}", "sh", _pod.Place.LogFolder(2));
        var manifest = await _pod.CollectAsync(_exchange);
        manifest.Logs.ShouldBeEmpty();
        manifest.Notes.ShouldContain(note => note.Contains("output of step 2"));
        _exchange.Blob(Digest("secret")).ShouldBeNull();
    }

    [Fact]
    public async Task Notes_are_bounded()
    {
        _exchange.CollectOrder = _exchange.CollectOrder! with { Reports = [], Bounds = new CollectionBounds { MaxFiles = 3, MaxNotes = 5 } };
        for (var i = 0; i < 100; i++) _pod.Write($"/work/out/{i:000}", "x");
        var manifest = await _pod.CollectAsync(_exchange);
        manifest.Files.Length.ShouldBe(3);
        manifest.Notes.Length.ShouldBe(6);
        manifest.Notes[^1].ShouldContain("92 more");
    }

    private string? Stored(string digest) => _exchange.Blob(digest) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    private static string Digest(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static void Make(string program, params string[] arguments)
    {
        using var process = System.Diagnostics.Process.Start(program, arguments);
        process.WaitForExit();
        process.ExitCode.ShouldBe(0);
    }
}
