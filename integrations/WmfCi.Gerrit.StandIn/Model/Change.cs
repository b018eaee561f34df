namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>Everything that survives a restart, apart from the repositories.</summary>
internal sealed class Facts
{
    public int NextNumber { get; set; } = 1;
    public SortedDictionary<string, Project> Projects { get; init; } = new(StringComparer.Ordinal);
    public SortedDictionary<int, Change> Changes { get; init; } = [];
}

internal sealed class Project
{
    public required string Name { get; init; }
    public string SubmitType { get; init; } = "MERGE_IF_NECESSARY";
    public bool UseContentMerge { get; init; } = true;
}

internal enum ChangeStatus
{
    New,
    Merged,
    Abandoned,
}

internal sealed class Change
{
    public required int Number { get; init; }
    public required string Project { get; init; }
    public required string Branch { get; init; }
    public required string ChangeId { get; init; }
    public required int Owner { get; init; }
    public ChangeStatus Status { get; set; }
    public string? Topic { get; set; }
    public List<string> Hashtags { get; init; } = [];
    public DateTimeOffset Created { get; init; }
    public DateTimeOffset Updated { get; set; }
    public DateTimeOffset? Submitted { get; set; }
    public int? Submitter { get; set; }
    public string? SubmissionId { get; set; }
    public bool WorkInProgress { get; set; }
    public bool Private { get; set; }
    public bool ReviewStarted { get; set; }
    public string MetaRev { get; set; } = CommitInfo.NoRevision;
    public List<PatchSet> PatchSets { get; init; } = [];
    public List<Vote> Votes { get; init; } = [];
    public List<ChangeMessage> Messages { get; init; } = [];
    public List<InlineComment> Comments { get; init; } = [];
    public Dictionary<int, string> Reviewers { get; init; } = [];
    public List<ReviewerUpdate> ReviewerUpdates { get; init; } = [];
    public SortedDictionary<int, AttentionEntry> Attention { get; init; } = [];
    public SortedDictionary<int, AttentionEntry> RemovedAttention { get; init; } = [];

    public PatchSet Current => PatchSets[^1];
    public string Subject => Current.Commit.Subject;
    public bool IsOpen => Status == ChangeStatus.New;
    public string StatusName => Status.ToString().ToUpperInvariant();
    public string RefPrefix => $"refs/changes/{Number % 100:00}/{Number}/";
    public string Triplet => $"{Project}~{Branch}~{ChangeId}";

    public IEnumerable<Vote> VotesOn(int patchSet) => Votes.Where(v => v.PatchSet == patchSet);

    public int VoteOf(int account, string label, int patchSet) =>
        Votes.Find(v => v.Account == account && v.PatchSet == patchSet && v.Label == label)?.Value ?? 0;
}

internal sealed class PatchSet
{
    public required int Number { get; init; }
    public required CommitInfo Commit { get; init; }
    public required string Ref { get; init; }
    public required int Uploader { get; init; }
    public required DateTimeOffset Created { get; init; }
    public required string Kind { get; init; }
    public string? Description { get; init; }
    public required IReadOnlyList<FileChange> Files { get; init; }

    public string Revision => Commit.Id;
    public int Inserted => Files.Sum(f => f.Inserted);
    public int Deleted => Files.Sum(f => f.Deleted);
}

internal sealed record CommitInfo(string Id, string Tree, IReadOnlyList<string> Parents, Signature Author, Signature Committer, string Message)
{
    public const string NoRevision = "0000000000000000000000000000000000000000";

    /// <summary>Subjects of the parents, in their order; answers show them beside the ids.</summary>
    public IReadOnlyList<string> ParentSubjects { get; init; } = [];

    /// <summary>The first paragraph on one line, as Gerrit shows it.</summary>
    public string Subject => string.Join(' ', Message.TrimStart('\n').Split('\n').TakeWhile(l => l.Length > 0));

    /// <summary>How many lines the file <c>/COMMIT_MSG</c> has: a header of a parent, two people and two dates, an empty line, the message.</summary>
    public int MessageLines => 6 + Message.TrimEnd('\n').Count(c => c == '\n') + 1;
}

internal sealed record Signature(string Name, string Email, long Seconds, int OffsetMinutes);

internal sealed record FileChange(string Path, string Status, int Inserted, int Deleted)
{
    public string? OldPath { get; init; }
    public int OldMode { get; init; }
    public int NewMode { get; init; }
    public bool Binary { get; init; }
    public long OldSize { get; init; }
    public long Size { get; init; }
}

internal sealed class Vote
{
    public required string Label { get; init; }
    public required int Account { get; init; }
    public required int PatchSet { get; init; }
    public required int Value { get; init; }
    public required DateTimeOffset Date { get; init; }
    public string? Tag { get; init; }
}

internal sealed record ChangeMessage(string Id, int Author, DateTimeOffset Date, string Message, int PatchSet, string? Tag = null);

internal sealed record InlineComment(string Id, string Path, int Author, int PatchSet, string Message, DateTimeOffset Updated)
{
    public required string ChangeMessageId { get; init; }
    public required string CommitId { get; init; }
    public int? Line { get; init; }
    public CommentRange? Range { get; init; }
    public bool Unresolved { get; init; }
    public string? InReplyTo { get; init; }
    public string? Tag { get; init; }
    public string? Side { get; init; }
}

internal sealed record CommentRange(int StartLine, int StartCharacter, int EndLine, int EndCharacter);

internal sealed record ReviewerUpdate(DateTimeOffset Updated, int By, int Reviewer, string State);

internal sealed record AttentionEntry(DateTimeOffset Since, string Reason);
