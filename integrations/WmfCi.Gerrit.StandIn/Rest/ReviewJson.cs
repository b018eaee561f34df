using System.Text.Json.Nodes;
using WmfCi.Gerrit.StandIn.Model;

namespace WmfCi.Gerrit.StandIn.Rest;

/// <summary>Reads the body of a review.</summary>
internal static class ReviewJson
{
    private const int MaxComments = 1_000;

    public static ReviewInput Parse(JsonObject input)
    {
        var comments = (input["comments"] as JsonObject ?? []).Concat(input["robot_comments"] as JsonObject ?? [])
            .SelectMany(file => (file.Value as JsonArray ?? []).OfType<JsonObject>().Select(c => Comment(file.Key, c))).ToList();
        if (comments.Count > MaxComments) throw new RefusedException(400, $"Exceeding maximum number of comments: {comments.Count} (existing) + 0 (new) > {MaxComments}");
        return new ReviewInput
        {
            Message = input.Text("message"),
            Tag = input.Text("tag"),
            Labels = (input["labels"] as JsonObject)?.ToDictionary(l => l.Key, l => ((JsonObject)input["labels"]!).Whole(l.Key) ?? 0),
            Comments = comments,
            Reviewers = [.. input.List("reviewers").OfType<JsonObject>().Select(r => (r.Text("reviewer") ?? "", r.Text("state") ?? "REVIEWER"))],
            Ready = input.Flag("ready"),
            WorkInProgress = input.Flag("work_in_progress"),
            AddAttention = Attention(input, "add_to_attention_set"),
            RemoveAttention = Attention(input, "remove_from_attention_set"),
            IgnoreAttentionRules = input.Flag("ignore_automatic_attention_set_rules"),
            OmitDuplicateComments = input.Flag("omit_duplicate_comments"),
        };
    }

    private static List<(string, string)> Attention(JsonObject input, string name) =>
        [.. input.List(name).OfType<JsonObject>().Select(a => (a.Text("user") ?? "", a.Text("reason") ?? ""))];

    private static CommentInput Comment(string path, JsonObject json) => new(path, json.Text("message") ?? "")
    {
        Line = json.Whole("line"),
        Range = json["range"] is JsonObject range
            ? new CommentRange(range.Whole("start_line") ?? 0, range.Whole("start_character") ?? 0, range.Whole("end_line") ?? 0, range.Whole("end_character") ?? 0)
            : null,
        Unresolved = json.Flag("unresolved"),
        InReplyTo = json.Text("in_reply_to"),
        Side = json.Text("side"),
    };
}
