using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace WmfCi.Gerrit.Rest;

// Gerrit's JSON, as far as it is read. What is `required` makes an answer without it an error; all else may be missing.
// Names follow Gerrit's (`AccountInfo`, `ReviewInput`), so that its documentation can be read beside them.

internal sealed record AccountInfo
{
    [JsonPropertyName("_account_id")]
    public int? AccountId { get; init; }
    public string? Name { get; init; }
    public string? Email { get; init; }
    public string? Username { get; init; }
    public string[]? Tags { get; init; }
}

internal sealed record ChangeInfo
{
    public required string Project { get; init; }
    public required string Branch { get; init; }
    public string Subject { get; init; } = "";
    public required string Status { get; init; }
    public required DateTimeOffset Updated { get; init; }
    public bool IsPrivate { get; init; }
    public bool WorkInProgress { get; init; }

    [JsonPropertyName("_number")]
    public required int Number { get; init; }
    public required AccountInfo Owner { get; init; }
    public Dictionary<string, LabelInfo>? Labels { get; init; }
    public Dictionary<string, AccountInfo[]>? Reviewers { get; init; }
    public MessageInfo[]? Messages { get; init; }
    public required string CurrentRevision { get; init; }
    public required Dictionary<string, RevisionInfo> Revisions { get; init; }
}

internal sealed record ChangeState
{
    public required string Status { get; init; }
    public string Branch { get; init; } = "";
    public string? CurrentRevision { get; init; }
    public Dictionary<string, string[]>? PermittedLabels { get; init; }
}

internal sealed record QueriedChange
{
    public required string Project { get; init; }

    [JsonPropertyName("_number")]
    public required int Number { get; init; }
    public required DateTimeOffset Updated { get; init; }

    [JsonPropertyName("_more_changes")]
    public bool MoreChanges { get; init; }
}

internal sealed record RevisionInfo
{
    [JsonPropertyName("_number")]
    public required int Number { get; init; }
    public required string Ref { get; init; }
    public required DateTimeOffset Created { get; init; }
    public string? Kind { get; init; }
    public required AccountInfo Uploader { get; init; }
}

internal sealed record LabelInfo
{
    public ApprovalInfo[]? All { get; init; }
}

internal sealed record ApprovalInfo
{
    public int? Value { get; init; }

    [JsonPropertyName("_account_id")]
    public int? AccountId { get; init; }
    public string? Name { get; init; }
    public string? Email { get; init; }
    public string? Username { get; init; }
}

internal sealed record MessageInfo
{
    public required string Id { get; init; }
    public AccountInfo? Author { get; init; }
    public required DateTimeOffset Date { get; init; }
    public required string Message { get; init; }
    public string? Tag { get; init; }

    [JsonPropertyName("_revision_number")]
    public int? RevisionNumber { get; init; }
}

internal sealed record CommentInfo
{
    public AccountInfo? Author { get; init; }
    public required DateTimeOffset Updated { get; init; }
    public string? Message { get; init; }
    public string? ChangeMessageId { get; init; }
}

internal sealed record FileInfo
{
    public string? Status { get; init; }
}

internal sealed record ReviewInput
{
    public required string Message { get; init; }
    public required string Tag { get; init; }
    public Dictionary<string, int>? Labels { get; init; }
    public Dictionary<string, CommentInput[]>? Comments { get; init; }
    public required string Notify { get; init; }
    public required bool OmitDuplicateComments { get; init; }
    public AttentionInput[]? AddToAttentionSet { get; init; }
    public AttentionInput[]? RemoveFromAttentionSet { get; init; }
    public required bool IgnoreAutomaticAttentionSetRules { get; init; }
}

internal sealed record CommentInput(int? Line, string Message, bool Unresolved);

internal sealed record AttentionInput(string User, string Reason);

internal sealed record ReviewResult
{
    public Dictionary<string, int>? Labels { get; init; }
}

internal sealed record ProjectConfig
{
    public string? SubmitType { get; init; }
    public SubmitTypeInfo? DefaultSubmitType { get; init; }
    public InheritedBoolean? UseContentMerge { get; init; }
}

internal sealed record SubmitTypeInfo
{
    public string? Value { get; init; }
    public string? InheritedValue { get; init; }
}

internal sealed record InheritedBoolean
{
    public bool? Value { get; init; }
    public string? ConfiguredValue { get; init; }
    public bool? InheritedValue { get; init; }
}

/// <summary>Gerrit's times: UTC without a zone, nanoseconds, <c>2026-11-22 15:34:17.000000000</c>.</summary>
internal sealed class GerritTimeConverter : JsonConverter<DateTimeOffset>
{
    private const string Seconds = "yyyy-MM-dd HH:mm:ss";
    private const int MostDigits = 7;

    public override DateTimeOffset Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && TryParse(reader.GetString()!, out var time) ? time : throw new JsonException("A time was expected.");

    public override void Write(Utf8JsonWriter writer, DateTimeOffset value, JsonSerializerOptions options) => writer.WriteStringValue(Format(value));

    /// <summary>The time as Gerrit's searches take it, cut to the whole second.</summary>
    public static string Format(DateTimeOffset time) => time.UtcDateTime.ToString(Seconds, CultureInfo.InvariantCulture);

    private static bool TryParse(string text, out DateTimeOffset time)
    {
        time = default;
        if (text.Length < Seconds.Length
            || !DateTime.TryParseExact(text.AsSpan(0, Seconds.Length), Seconds, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var whole)) return false;
        var ticks = 0L;
        if (text.Length > Seconds.Length)
        {
            var digits = text.AsSpan(Seconds.Length + 1);
            if (text[Seconds.Length] != '.' || digits.Length == 0 || digits.ContainsAnyExceptInRange('0', '9')) return false;
            for (var i = 0; i < MostDigits; i++) ticks = (ticks * 10) + (i < digits.Length ? digits[i] - '0' : 0);
        }
        time = new DateTimeOffset(whole.AddTicks(ticks), TimeSpan.Zero);
        return true;
    }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower,
    DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    RespectNullableAnnotations = true,
    Converters = [typeof(GerritTimeConverter)])]
[JsonSerializable(typeof(AccountInfo))]
[JsonSerializable(typeof(ChangeInfo))]
[JsonSerializable(typeof(ChangeState))]
[JsonSerializable(typeof(QueriedChange[]))]
[JsonSerializable(typeof(MessageInfo[]))]
[JsonSerializable(typeof(Dictionary<string, CommentInfo[]>))]
[JsonSerializable(typeof(Dictionary<string, FileInfo>))]
[JsonSerializable(typeof(ReviewInput))]
[JsonSerializable(typeof(ReviewResult))]
[JsonSerializable(typeof(ProjectConfig))]
internal sealed partial class GerritJson : JsonSerializerContext;
