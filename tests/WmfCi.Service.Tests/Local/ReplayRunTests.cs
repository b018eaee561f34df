using System.Formats.Tar;
using System.Net;
using System.Text;
using System.Text.Json;
using WmfCi.Core;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Runs;
using WmfCi.Service.Local;
using WmfCi.Service.Tests.Pages;
using ZstdSharp;

namespace WmfCi.Service.Tests.Local;

/// <summary>A run of a server, again on this machine.</summary>
public sealed class ReplayRunTests : IAsyncLifetime
{
    private readonly Desk _desk = new();
    private PageHost _host = null!;

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _host = await PageHost.StartAsync();
        _desk.Server = _host.Url.ToString();
    }

    public async ValueTask DisposeAsync()
    {
        _desk.Dispose();
        if (_host is not null) await _host.DisposeAsync();
    }

    [Fact]
    public async Task What_failed_runs_again_on_the_same_source_with_the_same_artifacts_and_facts()
    {
        await _host.AddAsync(Failed(12, "test \"$(cat /artifacts/commit/bin/program)\" = built; cat file; env | grep ^WMFCI | sort; exit 4"));
        await _host.LeaveAsync(new AttemptId(new RunId(12), "commit", 2), ("bin/program", "built"));
        (await _desk.RunAsync(_desk.Request with { Run = 12 }, Cancel)).ShouldBe(LocalCommand.Red, _desk.Complaint);
        _desk.Started.ShouldBe(["acceptance"]);
        _desk.Rows.ShouldBe(["commit Passed", "acceptance Failed"]);
        foreach (var said in new[] { "content", "WMFCI_RUN=12\n", "WMFCI_ATTEMPT=1\n", "WMFCI_CHANGE=1042\n", "WMFCI_PROJECT=mediawiki/extensions/Cite\n", "Exit status 4.", "in run 12, on the server" }) _desk.Said.ShouldContain(said);
    }

    [Fact]
    public async Task A_named_stage_runs_alone_even_if_it_succeeded_there()
    {
        await _host.AddAsync(Failed(12, "exit 1"));
        (await _desk.RunAsync(_desk.Request with { Run = 12, Stages = ["commit"] }, Cancel)).ShouldBe(LocalCommand.Green, _desk.Complaint + _desk.Said);
        _desk.Started.ShouldBe(["commit"]);
    }

    [Fact]
    public async Task What_was_fetched_once_is_not_fetched_again()
    {
        await _host.AddAsync(Failed(12, "true"));
        await _host.LeaveAsync(new AttemptId(new RunId(12), "commit", 2), ("bin/program", "built"));
        (await _desk.RunAsync(_desk.Request with { Run = 12 }, Cancel)).ShouldBe(LocalCommand.Green, _desk.Complaint + _desk.Said);
        _desk.Said.ShouldContain("Fetching the source");
        (await _desk.RunAsync(_desk.Request with { Run = 12 }, Cancel)).ShouldBe(LocalCommand.Green);
        _desk.Said.ShouldNotContain("Fetching");
    }

    [Fact]
    public async Task A_run_that_is_not_there_is_said_to_be_missing()
    {
        (await _desk.RunAsync(_desk.Request with { Run = 99 }, Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("has no run 99, or it may not be known");
        (await _desk.RunAsync(_desk.Request with { Run = 99, Server = "http://127.0.0.1:1" }, Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("cannot be reached");
        (await _desk.RunAsync(_desk.Request with { Run = 99, Server = "file:///etc" }, Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("is no address of a server");
    }

    [Fact]
    public async Task Other_bytes_than_those_of_the_run_are_refused()
    {
        using var liar = new Liar(path => path.EndsWith("/source", StringComparison.Ordinal) ? "something else"u8.ToArray() : Document("\"run\"", "\"run\""));
        (await _desk.RunAsync(_desk.Request with { Run = 1, Server = liar.Url }, Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("gave other bytes for its source");
        _desk.Started.ShouldBeEmpty();
    }

    [Theory]
    [InlineData("\"image\":\"host\"", "\"image\":null")]
    [InlineData("\"image\":\"host\"", "\"image\":\"--privileged\"")]
    [InlineData("\"00:10:00\"", "\"-00:10:00\"")]
    [InlineData("\"00:10:00\"", "\"9999.00:10:00\"")]
    [InlineData("\"snapshot\":\"", "\"snapshot\":\"../../etc/passwd")]
    [InlineData("\"stages\":[{", "\"stages\":[null,{")]
    [InlineData("{\"run\"", "<html>{\"run\"")]
    public async Task A_server_that_says_what_cannot_be_is_not_understood(string from, string to)
    {
        using var liar = new Liar(_ => Document(from, to));
        (await _desk.RunAsync(_desk.Request with { Run = 1, Server = liar.Url }, Cancel)).ShouldBe(LocalCommand.Impossible);
        _desk.Complaint.ShouldContain("does not understand");
    }

    [Fact]
    public async Task An_answer_that_breaks_off_leaves_nothing_in_the_cache()
    {
        using var liar = new Liar(_ => Document("\"run\"", "\"run\""), promised: 1 << 20);
        (await _desk.RunAsync(_desk.Request with { Run = 1, Server = liar.Url }, Cancel)).ShouldBe(LocalCommand.Impossible);
        Directory.EnumerateFiles(Path.Combine(_desk.Cache, "store"), "*", SearchOption.AllDirectories).ShouldBeEmpty();
    }

    private static byte[] Document(string from, string to)
    {
        var run = Sample.Failed(1);
        var pipeline = new Pipeline([new Stage { Name = "commit", Image = "host", Timeout = TimeSpan.FromMinutes(10), Steps = [new Step("a", "true")] }]);
        var document = new Service.Pages.Replay.ReplayDocument(run.Id, new Core.Rules.RunFacts(run.Change, run.Branch, 1, run.PatchSet.Revision), run.Source!, pipeline, []);
        var text = JsonSerializer.Serialize(document, CoreJson.Options);
        text.ShouldContain(from);
        return Encoding.UTF8.GetBytes(text.Replace(from, to, StringComparison.Ordinal));
    }

    private Run Failed(long id, string script)
    {
        Stage Host(string name, string step, params ReadOnlySpan<string> needs) => Sample.Plan(name, needs) with { Image = "host", Steps = [new Step("step", step)] };
        var run = Sample.Failed(id);
        var failed = new StageRun("acceptance", [new Attempt(1, PageHost.Now, PageHost.Now, PageHost.Now, new StageOutcome { Kind = OutcomeKind.Failed })], null);
        var done = Sample.Done("commit", 1);
        done = done with { Attempts = [done.Latest! with { Outcome = new StageOutcome { Kind = OutcomeKind.InfrastructureFailed } }, done.Latest! with { Number = 2 }] };
        return (run with { Source = run.Source! with { Snapshot = _host.Store.Add(Packed()) }, Pipeline = new Pipeline([Host("commit", "cat file"), Host("acceptance", script, "commit")]), Stages = [done, failed] });
    }

    private static byte[] Packed()
    {
        using var packed = new MemoryStream();
        using (var compressed = new CompressionStream(packed, leaveOpen: true))
        using (var tar = new TarWriter(compressed, TarEntryFormat.Gnu))
            tar.WriteEntry(new GnuTarEntry(TarEntryType.RegularFile, "file") { DataStream = new MemoryStream("content\n"u8.ToArray()) });
        return packed.ToArray();
    }

    /// <summary>A server that answers what it likes.</summary>
    private sealed class Liar : IDisposable
    {
        private readonly System.Net.Sockets.TcpListener _listener = new(IPAddress.Loopback, 0);

        public Liar(Func<string, byte[]> answer, int promised = 0)
        {
            _listener.Start();
            _ = Task.Run(async () =>
            {
                while (true)
                {
                    using var client = await _listener.AcceptTcpClientAsync();
                    try
                    {
                        await AnswerAsync(client, answer, promised);
                    }
                    catch (IOException)
                    {
                        // Whoever has heard enough leaves; the next one is answered all the same.
                    }
                }
            });
        }

        private static async Task AnswerAsync(System.Net.Sockets.TcpClient client, Func<string, byte[]> answer, int promised)
        {
            await using var stream = client.GetStream();
            using var reader = new StreamReader(stream, leaveOpen: true);
            if (await reader.ReadLineAsync() is not { } request) return;
            while (await reader.ReadLineAsync() is { Length: > 0 })
            {
            }
            var body = answer(request.Split(' ')[1]);
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {Math.Max(promised, body.Length)}\r\n\r\n"));
            await stream.WriteAsync(body);
        }

        public string Url => $"http://{_listener.LocalEndpoint}";

        public void Dispose() => _listener.Dispose();
    }
}
