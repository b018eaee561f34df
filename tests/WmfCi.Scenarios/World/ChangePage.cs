using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace WmfCi.Scenarios.World;

/// <summary>A message on a change.</summary>
public sealed record Message(string Author, string Text, string? Tag, int PatchSet)
{
    /// <summary>The text without the header that Gerrit puts before it.</summary>
    public string Body => Text.Split("\n\n", 2) is [_, var body] ? body : "";

    public override string ToString() => $"[{Author}] {Text}";
}

/// <summary>A change as people see it in Gerrit.</summary>
public sealed class ChangePage(GerritPeer gerrit, string project, int number, string changeId, string owner)
{
    /// <summary>How long a fact may take to appear before the conversation is given up.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(100);

    public string Project => project;

    public int Number => number;

    public string ChangeId => changeId;

    /// <summary>What wmfci said, oldest first.</summary>
    public async Task<IReadOnlyList<Message>> SaidAsync(CancellationToken cancellationToken) =>
        [.. Messages(await ReadAsync(cancellationToken)).Where(message => message.Author == "wmfci")];

    public async Task<int> VerifiedAsync(CancellationToken cancellationToken) => Verified(await ReadAsync(cancellationToken));

    /// <summary>Waits until wmfci has said something; the fact may be there already.</summary>
    public Task<Message> UntilSaidAsync(string words, CancellationToken cancellationToken) =>
        UntilAsync($"wmfci says “{words}”", page => Messages(page).LastOrDefault(message => message.Author == "wmfci" && message.Text.Contains(words, StringComparison.Ordinal)), cancellationToken);

    public async Task UntilVerifiedAsync(int vote, CancellationToken cancellationToken) =>
        await UntilAsync($"Verified is {vote}", page => Verified(page) == vote ? page : null, cancellationToken);

    public async Task<IReadOnlyList<string>> AttentionAsync(CancellationToken cancellationToken) =>
        (await ReadAsync(cancellationToken))["attention_set"] is JsonObject set ? [.. set.Select(one => (string)one.Value!["account"]!["username"]!)] : [];

    /// <summary>The comments at lines, as <c>path:line: text</c>.</summary>
    public async Task<IReadOnlyList<string>> InlineAsync(CancellationToken cancellationToken)
    {
        using var client = gerrit.ClientOf(owner);
        var comments = Json(await client.GetStringAsync($"changes/{project}~{number}/comments", cancellationToken)).AsObject();
        return [.. comments.SelectMany(file => file.Value!.AsArray().Select(comment => $"{file.Key}:{comment!["line"]}: {comment["message"]}"))];
    }

    public Task CommentAsync(string user, string text, CancellationToken cancellationToken) => ReviewAsync(user, new JsonObject { ["message"] = text }, cancellationToken);

    public Task VoteAsync(string user, string label, int value, CancellationToken cancellationToken) =>
        ReviewAsync(user, new JsonObject { ["labels"] = new JsonObject { [label] = value } }, cancellationToken);

    public async Task AddReviewerAsync(string by, string reviewer, CancellationToken cancellationToken) =>
        await PostAsync(by, "reviewers", new JsonObject { ["reviewer"] = reviewer }, cancellationToken);

    public async Task AbandonAsync(string by, CancellationToken cancellationToken) => await PostAsync(by, "abandon", [], cancellationToken);

    private Task ReviewAsync(string user, JsonObject review, CancellationToken cancellationToken) => PostAsync(user, "revisions/current/review", review, cancellationToken);

    private async Task PostAsync(string user, string what, JsonObject body, CancellationToken cancellationToken)
    {
        using var client = gerrit.ClientOf(user);
        using var answer = await client.PostAsJsonAsync($"changes/{project}~{number}/{what}", body, cancellationToken);
        if (!answer.IsSuccessStatusCode) throw new InvalidOperationException($"{what}: {answer.StatusCode} {await answer.Content.ReadAsStringAsync(cancellationToken)}");
    }

    private async Task<T> UntilAsync<T>(string what, Func<JsonNode, T?> find, CancellationToken cancellationToken)
        where T : class
    {
        // Gerrit has no way to tell a person's browser that a page changed either.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        JsonNode? page = null;
        try
        {
            while (true)
            {
                page = await ReadAsync(patience.Token);
                if (find(page) is { } found) return found;
                await Task.Delay(LookEvery, patience.Token);
            }
        }
        catch (OperationCanceledException late) when (!cancellationToken.IsCancellationRequested)
        {
            var said = page is null ? "nothing" : string.Join("\n---\n", Messages(page));
            throw new TimeoutException($"Change {number}: not seen that {what}. Verified is {(page is null ? 0 : Verified(page))}; said was:\n{said}", late);
        }
    }

    private async Task<JsonNode> ReadAsync(CancellationToken cancellationToken)
    {
        using var client = gerrit.ClientOf(owner);
        return Json(await client.GetStringAsync($"changes/{project}~{number}/detail?o=CURRENT_REVISION", cancellationToken));
    }

    private static JsonNode Json(string answer) => JsonNode.Parse(answer.AsSpan(answer.IndexOf('\n') + 1).ToString())!;

    private static IEnumerable<Message> Messages(JsonNode page) => page["messages"]!.AsArray().Select(message => new Message(
        (string?)message!["author"]?["username"] ?? "", (string)message["message"]!, (string?)message["tag"], (int?)message["_revision_number"] ?? 0));

    private static int Verified(JsonNode page) =>
        page["labels"]?["Verified"]?["all"] is JsonArray all ? all.Where(vote => (string?)vote!["username"] == "wmfci").Sum(vote => (int?)vote!["value"] ?? 0) : 0;
}
