using System.Net;
using System.Net.Sockets;
using System.Text;
using WmfCi.Kubernetes.Exchange;
using WmfCi.Kubernetes.Jobs;
using WmfCi.Ports;
using WmfCi.Workspaces.Wire;
using static WmfCi.Kubernetes.Tests.Exchange.Counter;

namespace WmfCi.Kubernetes.Tests.Exchange;

/// <summary>What the exchange gives and takes, from whom and until when; asked over HTTP, as pods ask.</summary>
public sealed class ExchangeTests
{
    private static readonly HttpStatusCode[] Nothing = [HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_attempt_goes_from_claim_to_manifest_whether_the_watch_is_behind_or_not(bool isSeen)
    {
        await using var counter = await Counter.OpenAsync(isSeen);
        using (var claimed = await counter.AskAsync(HttpMethod.Post, $"attempts/{Name}/claim", Fetch))
        {
            var order = System.Text.Json.JsonSerializer.Deserialize(await claimed.Content.ReadAsStringAsync(Token), WireJson.Default.FetchOrder)!;
            (order.Snapshot, order.Steps.Steps.Length).ShouldBe((counter.Snapshot, 1));
        }
        using (var source = await counter.AskAsync(HttpMethod.Get, $"attempts/{Name}/blobs/{counter.Snapshot}", Fetch)) (await source.Content.ReadAsStringAsync(Token)).ShouldBe("a snapshot");
        (await counter.GetAsync(counter.Input)).ShouldBe(HttpStatusCode.OK);
        (await counter.PostAsync("fetched", Fetch)).ShouldBe(HttpStatusCode.NoContent);
        (await counter.PostAsync("collect", Collect)).ShouldBe(HttpStatusCode.OK);
        (await counter.PutAsync("a file")).ShouldBe(HttpStatusCode.NoContent);
        var manifest = new PodManifest { Files = [new CollectedFile("out/a", BlobOf("a file"), IsReport: false)], Notes = ["all is well"] };
        (await counter.HandInAsync(manifest)).ShouldBe(HttpStatusCode.NoContent);
        var kept = await counter.Desk.ManifestAsync(counter.Jobs.Find(Name)!, Token);
        kept!.Files.ShouldBe(manifest.Files);
    }

    [Fact]
    public async Task An_attempt_belongs_to_the_pod_that_asks_first()
    {
        await using var counter = await Counter.OpenAsync();
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK, "its first answer may have been lost");
        (await counter.PostAsync("claim", Fetch, OtherPod)).ShouldBe(HttpStatusCode.Conflict);
        (await counter.PostAsync("fetched", Fetch, OtherPod)).ShouldBe(HttpStatusCode.Conflict);
        (await counter.PostAsync("collect", Collect, OtherPod)).ShouldBe(HttpStatusCode.Conflict);
        (await counter.GetAsync(counter.Snapshot, pod: OtherPod)).ShouldBe(HttpStatusCode.Conflict);
        counter.Jobs.Find(Name)!.Metadata.Annotations[Marks.Pod].ShouldBe(Pod);
    }

    [Fact]
    public async Task Of_many_pods_that_claim_at_once_exactly_one_gets_the_attempt()
    {
        await using var counter = await Counter.OpenAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => counter.PostAsync("claim", Fetch, $"pod-{i}")));
        answers.Count(answer => answer == HttpStatusCode.OK).ShouldBe(1);
        answers.Count(answer => answer is HttpStatusCode.Conflict).ShouldBe(7);
    }

    [Fact]
    public async Task Who_did_not_claim_can_do_nothing()
    {
        await using var counter = await Counter.OpenAsync();
        (await counter.GetAsync(counter.Snapshot)).ShouldBe(HttpStatusCode.Conflict);
        (await counter.PostAsync("fetched", Fetch)).ShouldBe(HttpStatusCode.Conflict);
        (await counter.PostAsync("collect", Collect)).ShouldBe(HttpStatusCode.Conflict);
        (await counter.PutAsync("a file")).ShouldBe(HttpStatusCode.Conflict);
        counter.Jobs.Find(Name)!.Metadata.Annotations.Keys.ShouldNotContain(Marks.Fetched);
    }

    [Fact]
    public async Task The_first_token_ends_with_the_workspace()
    {
        await using var counter = await (await Counter.OpenAsync()).FetchedAsync();
        (await counter.PostAsync("fetched", Fetch)).ShouldBe(HttpStatusCode.NoContent, "its first answer may have been lost");
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.Unauthorized);
        (await counter.GetAsync(counter.Snapshot)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task The_second_token_ends_with_the_manifest()
    {
        await using var counter = await (await Counter.OpenAsync()).FetchedAsync();
        (await counter.HandInAsync(new PodManifest())).ShouldBe(HttpStatusCode.NoContent);
        (await counter.HandInAsync(new PodManifest { Notes = ["another"] })).ShouldBe(HttpStatusCode.Unauthorized, "what was handed in stays as it is");
        (await counter.PostAsync("collect", Collect)).ShouldBe(HttpStatusCode.Unauthorized);
        (await counter.PutAsync("late")).ShouldBe(HttpStatusCode.Unauthorized);
        (await counter.Desk.ManifestAsync(counter.Jobs.Find(Name)!, Token))!.Notes.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_answer_that_was_lost_is_given_again()
    {
        await using var counter = await Counter.OpenAsync();
        counter.Jobs.LostAnswers = 1;
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        (await counter.PostAsync("fetched", Fetch)).ShouldBe(HttpStatusCode.NoContent);
    }

    [Fact]
    public async Task A_cluster_that_fails_is_no_refusal()
    {
        await using var counter = await Counter.OpenAsync();
        counter.Jobs.Failures = 1;
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.ServiceUnavailable);
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task A_store_that_fails_is_named_to_the_pod_and_explained_to_operators_only()
    {
        await using var counter = await Counter.OpenAsync();
        counter.Broken = new IOException("No space left on device");
        using var answer = await counter.AskAsync(HttpMethod.Post, $"attempts/{Name}/claim", Fetch);
        answer.StatusCode.ShouldBe(HttpStatusCode.InsufficientStorage);
        (await answer.Content.ReadAsStringAsync(Token)).ShouldBeEmpty();
        counter.Faults.ShouldHaveSingleItem().Message.ShouldBe("The store of artifacts failed: No space left on device");
        counter.Faults.Clear();
        counter.Broken = null;
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("claim", Collect)]
    [InlineData("fetched", Collect)]
    [InlineData("collect", Fetch)]
    [InlineData("collected", Fetch)]
    [InlineData("claim", "another-fetch-token")]
    [InlineData("claim", "")]
    [InlineData("claim", "fetch-toke")]
    [InlineData("claim", "fetch-token ")]
    public async Task A_token_is_good_for_one_direction_of_one_attempt(string what, string token)
    {
        await using var counter = await Counter.OpenAsync();
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        var expected = what == "claim" && token.Trim() == Fetch ? HttpStatusCode.OK : HttpStatusCode.Unauthorized;
        (await counter.StatusAsync(HttpMethod.Post, $"attempts/{Name}/{what}", token, content: new StringContent("{}"))).ShouldBe(expected);
    }

    [Fact]
    public async Task Directions_are_not_mixed_for_files_either()
    {
        await using var counter = await Counter.OpenAsync();
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        (await counter.GetAsync(counter.Snapshot, Collect)).ShouldBe(HttpStatusCode.Unauthorized);
        (await counter.PutAsync("a file", token: Fetch)).ShouldBe(HttpStatusCode.Unauthorized);
        (await counter.GetAsync(counter.Snapshot, Fetch, name: Other)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Fact]
    public async Task Nothing_is_given_that_the_attempt_does_not_need()
    {
        await using var counter = await Counter.OpenAsync();
        var secret = await counter.StoreAsync("an embargoed artifact");
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        (await counter.GetAsync(secret)).ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await counter.GetAsync(DigestOf("nobody has it"))).ShouldBe(HttpStatusCode.UnprocessableEntity, "whether the store has it is not told");
        foreach (var digest in new[] { "..", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", counter.Snapshot.ToUpperInvariant(), counter.Snapshot + "0", "x" }) ((int)await counter.GetAsync(digest)).ShouldBeOneOf(401, 422);
    }

    [Fact]
    public async Task A_source_that_the_store_lost_is_not_waited_for()
    {
        await using var counter = await Counter.OpenAsync();
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
        counter.Lose(counter.Snapshot);
        (await counter.GetAsync(counter.Snapshot)).ShouldBe(HttpStatusCode.NotFound);
    }

    [Fact]
    public async Task A_file_must_be_what_it_is_called_and_no_larger_than_it_may()
    {
        await using var counter = await (await Counter.OpenAsync()).FetchedAsync();
        (await counter.PutAsync("a file", digest: DigestOf("another file"))).ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await counter.PutAsync(new string('x', 1000))).ShouldBe(HttpStatusCode.NoContent);
        (await counter.PutAsync(new string('x', 1001))).ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await counter.Store.OpenAsync(DigestOf(new string('x', 1001)), Token)).ShouldBeNull();
    }

    [Fact]
    public async Task An_attempt_that_was_ended_or_removed_gives_and_takes_nothing()
    {
        await using var counter = await (await Counter.OpenAsync()).FetchedAsync();
        var job = counter.Jobs.Find(Name)!;
        job.Metadata.Annotations[Marks.Ended] = Endings.Write(PodRules.Stopped);
        new[] { await counter.PostAsync("collect", Collect), await counter.HandInAsync(new PodManifest()) }.ShouldBe(Nothing);
        job.Metadata.Annotations.Remove(Marks.Ended);
        job.Metadata.DeletionTimestamp = DateTime.UtcNow;
        new[] { await counter.PostAsync("collect", Collect), await counter.HandInAsync(new PodManifest()) }.ShouldBe(Nothing);
        counter.Jobs.Remove(Name);
        new[] { await counter.PostAsync("collect", Collect), await counter.HandInAsync(new PodManifest()) }.ShouldBe(Nothing);
    }

    [Fact]
    public async Task A_manifest_names_what_is_there_and_not_more_than_may_be_kept()
    {
        await using var counter = await (await Counter.OpenAsync()).FetchedAsync();
        (await counter.PutAsync("a file")).ShouldBe(HttpStatusCode.NoContent);
        await counter.StoreAsync(new string('x', 900));
        await counter.StoreAsync(new string('y', 900));
        var blob = BlobOf("a file");
        CollectedFile File(string path, Blob? of = null) => new(path, of ?? blob, IsReport: false);
        PodManifest[] wrong =
        [
            new() { Files = [File("a", BlobOf("never sent"))] },
            new() { Files = [File("a", blob with { Size = 5 })] },
            new() { Files = [File("a", blob with { Size = -1 })] },
            new() { Files = [File("a", blob with { Digest = "../../etc/passwd" })] },
            new() { Files = [File("a", new Blob(null!, 1))] },
            new() { Files = [File("a"), File("a")] },
            new() { Files = [File("a"), File("b"), File("c"), File("d")] },
            new() { Files = [File("a", BlobOf(new string('x', 900))), File("b", BlobOf(new string('y', 900)))] },
            new() { Logs = [new StepLog(1, blob), new StepLog(1, blob)] },
            new() { Logs = [new StepLog(0, blob)] },
            new() { Logs = [new StepLog(3, blob)] },
            new() { Logs = [new StepLog(1, BlobOf(new string('x', 900)))] },
            new() { Notes = ["1", "2", "3", "4", "5", "6", "7"] },
            new() { Notes = [new string('n', 5000)] },
            .. new[] { "", "/etc/passwd", "../up", "a/../../b", "a//b", "a/", ".", "line\nbreak", "\u001b[31m", "\0", new string('p', 1025), null! }.Select(path => new PodManifest { Files = [File(path)] }),
        ];
        foreach (var manifest in wrong) (await counter.HandInAsync(manifest)).ShouldBe(HttpStatusCode.UnprocessableEntity, manifest.ToString());
        (await counter.HandInAsync("""{"files":[null],"logs":[null],"notes":[null]}""")).ShouldBe(HttpStatusCode.UnprocessableEntity);
        (await counter.HandInAsync("null")).ShouldBe(HttpStatusCode.UnprocessableEntity);
        foreach (var text in new[] { "", "[]", "{", "{\"files\":7}", new string('[', 100_000) }) (await counter.HandInAsync(text)).ShouldBe(HttpStatusCode.BadRequest);
        (await counter.HandInAsync(new string(' ', ExchangeServer.MaxManifestBytes + 1))).ShouldBe(HttpStatusCode.RequestEntityTooLarge);
        (await counter.HandInAsync(new PodManifest { Files = [File("ok")], Logs = [new StepLog(2, blob)] })).ShouldBe(HttpStatusCode.NoContent, "and after all that the right one is taken");
    }

    [Theory]
    [InlineData("GET", "")]
    [InlineData("GET", "healthz")]
    [InlineData("GET", "attempts")]
    [InlineData("GET", "attempts/r1-commit-a1-0123456789")]
    [InlineData("GET", "attempts/r1-commit-a1-0123456789/claim")]
    [InlineData("DELETE", "attempts/r1-commit-a1-0123456789/claim")]
    [InlineData("PATCH", "attempts/r1-commit-a1-0123456789/collected")]
    [InlineData("POST", "attempts/r1-commit-a1-0123456789/nothing")]
    [InlineData("POST", "attempts/NO-SUCH-NAME/claim")]
    [InlineData("POST", "attempts/..%2f..%2fsecrets/claim")]
    [InlineData("POST", "attempts/r9-nobody-a1/claim")]
    [InlineData("OPTIONS", "attempts/r1-commit-a1-0123456789/claim")]
    [InlineData("TRACE", "attempts/r1-commit-a1-0123456789/claim")]
    public async Task Whatever_else_is_asked_for_is_refused_in_the_same_words(string method, string path)
    {
        await using var counter = await Counter.OpenAsync();
        (await counter.StatusAsync(new HttpMethod(method), path, Fetch)).ShouldBe(HttpStatusCode.Unauthorized);
    }

    [Theory]
    [InlineData("")]
    [InlineData("a b")]
    [InlineData("x\"y")]
    [InlineData("../up")]
    public async Task A_pod_that_cannot_be_one_is_refused(string pod)
    {
        await using var counter = await Counter.OpenAsync();
        ((int)await counter.PostAsync("claim", Fetch, pod)).ShouldBeOneOf(400, 401);
        (await counter.PostAsync("claim", Fetch, new string('p', 101))).ShouldBe(HttpStatusCode.Unauthorized);
        counter.Jobs.Find(Name)!.Metadata.Annotations.Keys.ShouldNotContain(Marks.Pod);
    }

    [Fact]
    public async Task Huge_headers_are_refused_before_they_are_read()
    {
        await using var counter = await Counter.OpenAsync();
        using var visitor = new TcpClient();
        await visitor.ConnectAsync(IPAddress.Loopback, counter.Address.Port, Token);
        await using var stream = visitor.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST /attempts/{Name}/claim HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {new string('t', 8 << 10)}"), Token);
        using var answer = new StreamReader(stream, Encoding.ASCII);
        (await answer.ReadLineAsync(Token)).ShouldNotBeNull().ShouldContain("431");
        ((int)await counter.PostAsync("claim", new string('t', 500))).ShouldBe(401);
        (await counter.PostAsync("claim", Fetch)).ShouldBe(HttpStatusCode.OK);
    }

    [Fact]
    public async Task One_address_cannot_hold_all_connections()
    {
        await using var counter = await Counter.OpenAsync();
        var held = new List<Socket>();
        try
        {
            for (var i = 0; i < ExchangeServer.MaxConnectionsOfOne; i++)
            {
                held.Add(new Socket(SocketType.Stream, ProtocolType.Tcp));
                await held[i].ConnectAsync(IPAddress.Loopback, counter.Address.Port, Token);
            }
            using var oneTooMany = new Socket(SocketType.Stream, ProtocolType.Tcp);
            var buffer = new byte[1];
            // It is closed before or after this side knows that it was opened.
            try
            {
                await oneTooMany.ConnectAsync(IPAddress.Loopback, counter.Address.Port, Token);
                (await oneTooMany.ReceiveAsync(buffer, Token)).ShouldBe(0);
            }
            catch (SocketException refused)
            {
                refused.SocketErrorCode.ShouldBe(SocketError.ConnectionReset);
            }
            using var elsewhere = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            elsewhere.Bind(new IPEndPoint(IPAddress.Parse("127.0.0.2"), 0));
            await elsewhere.ConnectAsync(IPAddress.Loopback, counter.Address.Port, Token);
            await elsewhere.SendAsync(Encoding.ASCII.GetBytes("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Token);
            (await elsewhere.ReceiveAsync(buffer, Token)).ShouldBe(1, "another address is served");
        }
        finally
        {
            foreach (var socket in held) socket.Dispose();
        }
    }
}
