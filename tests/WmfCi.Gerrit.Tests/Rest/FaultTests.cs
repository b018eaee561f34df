using System.IO.Compression;
using System.Net;
using System.Net.Sockets;
using System.Text;
using WireMock.RequestBuilders;
using WireMock.ResponseBuilders;
using WmfCi.Ports;

namespace WmfCi.Gerrit.Tests.Rest;

public sealed class FaultTests
{
    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(400, FailureClass.Permanent)]
    [InlineData(401, FailureClass.Permanent)]
    [InlineData(403, FailureClass.Permanent)]
    [InlineData(404, FailureClass.Permanent)]
    [InlineData(409, FailureClass.Permanent)]
    [InlineData(302, FailureClass.Permanent)]
    [InlineData(408, FailureClass.Transient)]
    [InlineData(429, FailureClass.Transient)]
    [InlineData(500, FailureClass.Transient)]
    [InlineData(502, FailureClass.Transient)]
    [InlineData(503, FailureClass.Transient)]
    public async Task A_refusal_says_whether_to_try_again(int status, FailureClass expected)
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("self", "Some reason\nover two lines", status, "text/plain;charset=utf-8");

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(expected);
        error.Message.ShouldStartWith($"Reading our own account failed: Gerrit answered {status}: Some reason over two lines.");
        gerrit.Server.LogEntries.Count.ShouldBe(1, "the outbox tries again, nobody else");
    }

    [Fact]
    public async Task No_error_tells_the_password()
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("self", "no", 401, "text/plain");

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.ToString().ShouldNotContain(GerritMock.Password);
        error.ToString().ShouldNotContain(Convert.ToBase64String(Encoding.UTF8.GetBytes("wmfci:" + GerritMock.Password)));
        gerrit.Server.LogEntries.Single().RequestMessage!.Headers!["Authorization"].Single().ShouldBe("Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes("wmfci:" + GerritMock.Password)));
    }

    [Fact]
    public async Task A_new_password_is_read_after_the_old_one_was_refused()
    {
        using var gerrit = new GerritMock();
        gerrit.Server.Given(Request.Create().WithHeader("Authorization", "Basic " + Convert.ToBase64String("wmfci:new"u8))).RespondWith(Response.Create().WithBody(")]}'\n{\"_account_id\":7}"));
        gerrit.Server.Given(Request.Create()).AtPriority(10).RespondWith(Response.Create().WithStatusCode(401));
        await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));
        await File.WriteAllTextAsync(gerrit.PasswordFile, "new", Cancelled);

        (await gerrit.Review.ReadSelfAsync(Cancelled)).Id.ShouldBe("7");
    }

    [Fact]
    public async Task A_missing_password_file_says_so()
    {
        using var gerrit = new GerritMock(options => options with { PasswordFile = "/no/such/file" });

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Permanent);
        error.Message.ShouldContain("password");
    }

    [Theory]
    [InlineData("120", 120)]
    [InlineData("0", 0)]
    public async Task The_time_to_wait_is_passed_on(string header, int seconds)
    {
        using var gerrit = new GerritMock();
        gerrit.Server.Given(Request.Create()).RespondWith(Response.Create().WithStatusCode(429).WithHeader("Retry-After", header));

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.RetryAfter.ShouldBe(TimeSpan.FromSeconds(seconds));
    }

    [Theory]
    [InlineData("")]
    [InlineData(")]}'")]
    [InlineData(")]}'\n")]
    [InlineData(")]}'\nnull")]
    [InlineData(")]}'\n{\"_account_id\":1000001")]
    [InlineData(")]}'\n[]")]
    [InlineData(")]}'\n{\"_account_id\":\"x\"}")]
    [InlineData(")]}'\n{\"_account_id\":1e99}")]
    [InlineData(")]}'\n{}")]
    [InlineData("<html><body>Down for maintenance</body></html>")]
    [InlineData("\0\u0001\u0002")]
    public async Task Garbage_is_a_failure_that_passes(string body)
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("self", body);

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Transient);
    }

    [Theory]
    [InlineData("\"_number\":1,", "")]
    [InlineData("\"_number\":1,", "\"_number\":\"one\",")]
    [InlineData("\"project\":\"demo\",", "\"project\":null,")]
    [InlineData("\"current_revision\":\"", "\"current_revision\":\"0")]
    [InlineData("\"updated\":\"2026", "\"updated\":\"yesterday 2026")]
    [InlineData("\"messages\":[", "\"messages\":[5,")]
    [InlineData("\"labels\":{", "\"labels\":{\"x\":[],")]
    public async Task A_change_with_missing_or_wrong_parts_is_a_failure_that_passes(string right, string wrong)
    {
        using var gerrit = new GerritMock().WithChange();
        var body = Samples.Change(GerritMock.OpenChange);
        body.ShouldContain(right);
        gerrit.Server.Given(Request.Create().WithPath("/a/changes/demo~1/detail")).AtPriority(-1).RespondWith(Response.Create().WithBody(body.Replace(right, wrong, StringComparison.Ordinal)));

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MinValue, Cancelled));

        error.Failure.ShouldBe(FailureClass.Transient);
        error.Message.ShouldStartWith("Reading demo~1 failed: ");
    }

    [Theory]
    [InlineData("{\"_account_id\":3}")]
    [InlineData(")]}'{\"_account_id\":3}")]
    [InlineData(")]}'\n  {\"_account_id\":3}")]
    [InlineData(")]}'\r\n{\"_account_id\":3}")]
    public async Task The_guard_may_be_there_or_not(string body)
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("self", body);

        (await gerrit.Review.ReadSelfAsync(Cancelled)).Id.ShouldBe("3");
    }

    [Fact]
    public async Task A_slow_answer_is_given_up()
    {
        using var silent = new HalfAnswer("", close: false);
        using var gerrit = new GerritMock(options => options with { RequestTimeout = TimeSpan.FromMilliseconds(200), Url = silent.Url });

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Transient);
        error.Message.ShouldBe("Reading our own account failed: Gerrit did not answer within 0.2 s.");
    }

    [Theory]
    [InlineData("200 OK", "application/json", ")]}'\n{\"_account")]
    [InlineData("409 Conflict", "text/plain", "change is")]
    public async Task A_body_that_never_ends_is_given_up_too(string status, string type, string begin)
    {
        using var half = new HalfAnswer($"HTTP/1.1 {status}\r\nContent-Type: {type}\r\nContent-Length: 100\r\n\r\n{begin}", close: false);
        using var gerrit = new GerritMock(options => options with { RequestTimeout = TimeSpan.FromMilliseconds(200), Url = half.Url });

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Transient);
        error.Message.ShouldContain("within 0.2 s");
    }

    [Theory]
    [InlineData("")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n)]}'\n{\"_account")]
    public async Task A_lost_answer_is_a_failure_that_passes(string sent)
    {
        using var half = new HalfAnswer(sent, close: true);
        using var gerrit = new GerritMock(options => options with { Url = half.Url });

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Transient);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_a_failure_that_passes()
    {
        using var gerrit = new GerritMock(options => options with { Url = new Uri("http://127.0.0.1:1/") });

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Transient);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_huge_answer_is_not_read_to_its_end(bool compressed)
    {
        using var gerrit = new GerritMock(options => options with { MaxResponseBytes = 100_000 });
        var body = Encoding.UTF8.GetBytes(")]}'\n{\"_account_id\":3,\"name\":\"" + new string('x', 10_000_000) + "\"}");
        var response = Response.Create().WithHeader("Content-Type", "application/json");
        gerrit.Server.Given(Request.Create()).RespondWith(compressed ? response.WithHeader("Content-Encoding", "gzip").WithBody(Compress(body)) : response.WithBody(body));

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        error.Failure.ShouldBe(FailureClass.Permanent);
        error.Message.ShouldContain("100000 bytes");
    }

    [Fact]
    public async Task A_compressed_answer_is_read()
    {
        using var gerrit = new GerritMock();
        gerrit.Server.Given(Request.Create()).RespondWith(Response.Create().WithHeader("Content-Encoding", "gzip").WithBody(Compress(Encoding.UTF8.GetBytes(")]}'\n{\"_account_id\":3}"))));

        (await gerrit.Review.ReadSelfAsync(Cancelled)).Id.ShouldBe("3");
    }

    [Fact]
    public async Task A_redirect_does_not_carry_the_password_away()
    {
        using var elsewhere = new GerritMock();
        using var gerrit = new GerritMock();
        gerrit.Server.Given(Request.Create()).RespondWith(Response.Create().WithStatusCode(302).WithHeader("Location", elsewhere.Server.Url! + "/a/accounts/self"));

        await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadSelfAsync(Cancelled));

        elsewhere.Server.LogEntries.ShouldBeEmpty();
    }

    [Fact]
    public async Task A_404_that_is_not_Gerrits_is_no_deleted_change()
    {
        using var gerrit = new GerritMock();
        gerrit.Answer("self", "{\"_account_id\":3}");
        gerrit.Answer("detail", "<html>nginx</html>", 404, "text/html");

        var error = await Should.ThrowAsync<CodeReviewException>(() => gerrit.Review.ReadAsync(GerritMock.Id, DateTimeOffset.MinValue, Cancelled));

        error.Message.ShouldBe("Reading demo~1 failed: Gerrit answered 404. Check the configured address: this is not Gerrit's own answer.");
    }

    [Fact]
    public async Task Giving_up_is_no_failure_of_Gerrits()
    {
        using var silent = new HalfAnswer("", close: false);
        using var gerrit = new GerritMock(options => options with { Url = silent.Url });
        using var giveUp = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var reading = gerrit.Review.ReadSelfAsync(giveUp.Token);

        await giveUp.CancelAsync();

        await Should.ThrowAsync<OperationCanceledException>(reading);
    }

    private static byte[] Compress(byte[] data)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest)) gzip.Write(data);
        return target.ToArray();
    }

    /// <summary>A server that takes a request, sends some bytes, and then hangs up or says nothing more.</summary>
    private sealed class HalfAnswer : IDisposable
    {
        private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
        private readonly CancellationTokenSource _end = new();

        public HalfAnswer(string bytes, bool close)
        {
            _listener.Start();
            Url = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/");
            _ = ServeAsync(bytes, close);
        }

        public Uri Url { get; }

        public void Dispose()
        {
            _end.Cancel();
            _listener.Dispose();
            _end.Dispose();
        }

        private async Task ServeAsync(string bytes, bool close)
        {
            var kept = new List<TcpClient>();
            try
            {
                while (true)
                {
                    var client = await _listener.AcceptTcpClientAsync(_end.Token);
                    kept.Add(client);
                    _ = await client.GetStream().ReadAsync(new byte[4096], _end.Token);
                    await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes(bytes), _end.Token);
                    if (close) client.Close();
                }
            }
            catch (OperationCanceledException)
            {
                kept.ForEach(client => client.Dispose());
            }
        }
    }
}
