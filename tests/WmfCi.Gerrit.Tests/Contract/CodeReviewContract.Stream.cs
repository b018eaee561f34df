using WmfCi.Ports;

namespace WmfCi.Gerrit.Tests.Contract;

public abstract partial class CodeReviewContract
{
    [Fact]
    public async Task What_happens_arrives_on_the_stream()
    {
        var tree = await ProjectAsync();
        using var end = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        end.CancelAfter(Patience);
        await using var lines = Bot.ListenAsync(end.Token).GetAsyncEnumerator(end.Token);
        var first = lines.MoveNextAsync().AsTask();

        // Nothing says when the stream is open, so pushes are repeated until something is seen. Only of what is pushed then everything is told.
        do
        {
            await ReviewServer.PushAsync(tree, "a file.txt", $"{Guid.NewGuid()}\n", new Push(), end.Token);
        }
        while (await Task.WhenAny(first, Task.Delay(TimeSpan.FromMilliseconds(300), end.Token)) != first);
        var commit = await ReviewServer.PushAsync(tree, "a file.txt", $"{Guid.NewGuid()}\n", new Push(), end.Token);
        var id = await Server.FindAsync(tree.Project, commit, end.Token);
        await Server.ReviewAsync("bob", id, new { message = "recheck" }, end.Token);

        var seen = new List<StreamLine>();
        for (var more = await first; more; more = await lines.MoveNextAsync())
        {
            seen.Add(Bot.Understand(lines.Current));
            if (seen[^1] == new StreamLine("comment-added", id)) break;
        }
        seen.ShouldContain(new StreamLine("ref-updated", id));
        seen.ShouldNotContain(line => line.Type == "malformed");
    }

    [Fact]
    public async Task Without_the_right_the_stream_is_refused_and_says_what_to_do()
    {
        using var stranger = new GerritCodeReview(Server.Options("mallory"), TimeProvider.System);

        var error = await Should.ThrowAsync<CodeReviewException>(() => FirstLineAsync(stranger));

        error.Failure.ShouldBe(FailureClass.Permanent);
        error.Message.ShouldContain("\"Stream Events\"");
    }

    [Fact]
    public async Task An_unknown_key_is_refused_and_says_what_to_do()
    {
        using var stranger = new GerritCodeReview(Server.Options("mallory") with { User = "nobody-at-all" }, TimeProvider.System);

        var error = await Should.ThrowAsync<CodeReviewException>(() => FirstLineAsync(stranger));

        error.Failure.ShouldBe(FailureClass.Permanent);
        error.Message.ShouldContain("public key");
    }

    [Fact]
    public async Task A_server_that_is_not_the_pinned_one_is_refused()
    {
        var known = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(known, $"[{Server.SshHost}]:{Server.SshPort} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHRoaXMtaXMtbm90LXRoZS1rZXktb2YtdGhlLXNlcnZlcg==\n", Cancelled);
            using var misled = new GerritCodeReview(Server.Options("wmfci") with { KnownHostsFile = known }, TimeProvider.System);

            var error = await Should.ThrowAsync<CodeReviewException>(() => FirstLineAsync(misled));

            error.Failure.ShouldBe(FailureClass.Permanent);
            error.Message.ShouldContain("known-hosts");
        }
        finally
        {
            File.Delete(known);
        }
    }

    [Fact]
    public async Task A_wrong_password_is_refused_and_says_what_to_do()
    {
        var password = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(password, "wrong-secret", Cancelled);
            using var misled = new GerritCodeReview(Server.Options("wmfci") with { PasswordFile = password }, TimeProvider.System);

            var error = await Should.ThrowAsync<CodeReviewException>(() => misled.ReadSelfAsync(Cancelled));

            error.Failure.ShouldBe(FailureClass.Permanent);
            error.Message.ShouldContain("HTTP password");
            error.ToString().ShouldNotContain("wrong-secret");
        }
        finally
        {
            File.Delete(password);
        }
    }

    private static async Task FirstLineAsync(GerritCodeReview review)
    {
        await foreach (var line in review.ListenAsync(Cancelled)) throw new InvalidOperationException("A line came: " + line);
    }
}
