using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>A refusal as it goes over the wire: a status and a line of plain text.</summary>
internal sealed class RefusedException(int status, string text) : Exception(text)
{
    public int Status => status;
}

/// <summary>A review as somebody asks for it; everything is optional.</summary>
internal sealed record ReviewInput
{
    public string? Message { get; init; }
    public string? Tag { get; init; }
    public IReadOnlyDictionary<string, int>? Labels { get; init; }
    public IReadOnlyList<CommentInput> Comments { get; init; } = [];
    public IReadOnlyList<(string Account, string State)> Reviewers { get; init; } = [];
    public bool Ready { get; init; }
    public bool WorkInProgress { get; init; }
    public IReadOnlyList<(string Account, string Reason)> AddAttention { get; init; } = [];
    public IReadOnlyList<(string Account, string Reason)> RemoveAttention { get; init; } = [];
    public bool IgnoreAttentionRules { get; init; }
    public bool OmitDuplicateComments { get; init; }
}

internal sealed record CommentInput(string Path, string Message)
{
    public int? Line { get; init; }
    public CommentRange? Range { get; init; }
    public bool Unresolved { get; init; }
    public string? InReplyTo { get; init; }
    public string? Side { get; init; }
}

/// <summary>Posts reviews: votes, messages, comments, reviewers and the work-in-progress state in one update.</summary>
internal sealed class Reviews(Site site)
{
    /// <summary>Gerrit's limit for one message or comment, in UTF-16 units as Java counts.</summary>
    public const int MaxCommentSize = 16_384;
    private const string PatchSetLevel = "/PATCHSET_LEVEL";
    private const string CommitMessage = "/COMMIT_MSG";

    /// <summary>Carries the review out and returns the labels that counted (null when none were sent) and the reviewers that were added.</summary>
    public (IReadOnlyDictionary<string, int>? Labels, IReadOnlyList<Account> Added) Post(Change change, PatchSet patchSet, Account author, ReviewInput input)
    {
        Check(change, patchSet, input);
        var labels = input.Labels?.Where(l => Labels.Named(l.Key) is { } label && l.Value >= label.Min && l.Value <= label.Max).ToDictionary();
        foreach (var (name, value) in labels ?? [])
        {
            if (!Labels.Named(name)!.Permits(author, value)) throw new RefusedException(403, $"Applying label \"{name}\": {value} is restricted");
        }
        CheckWip(change, author, input);
        var before = Labels.All.ToDictionary(l => l.Name, l => change.VoteOf(author.Id, l.Name, patchSet.Number));
        var moved = (labels ?? []).Where(l => before[l.Key] != l.Value && change.Status != ChangeStatus.Merged).ToDictionary();
        var comments = WithoutDuplicates(change, patchSet, input);
        var added = input.Reviewers.Select(r => (Account: site.Accounts.Find(r.Account), r.State)).Where(r => r.Account is not null).ToList();
        var toWip = input.WorkInProgress && !change.WorkInProgress;
        var toReady = input.Ready && change.WorkInProgress;
        var says = moved.Count > 0 || comments.Count > 0 || !string.IsNullOrWhiteSpace(input.Message);
        if (!says && added.Count == 0 && !toWip && !toReady && input.AddAttention.Count + input.RemoveAttention.Count == 0) return (labels, []);

        var meta = site.Touch(change, author);
        foreach (var (name, value) in moved) SetVote(change, patchSet, author, (name, value, input.Tag));
        AddAsReviewer(change, author, moved.Values.Any(v => v != 0), says);
        foreach (var (account, state) in added) SetReviewer(change, author, account!, state);
        var message = Compose(patchSet, moved, comments.Count, input.Message);
        if (says) change.Messages.Add(new ChangeMessage(change.MetaRev, author.Id, site.Now, message, patchSet.Number, input.Tag));
        foreach (var comment in comments) change.Comments.Add(Comment(change, patchSet, author, (comment, input.Tag)));
        ApplyState(change, toWip, toReady);
        ApplyAttention(change, author, input, (says, moved.Any(m => m.Value < 0)));

        site.Events.Publish(change, meta);
        if (toWip || toReady) site.Events.Publish(change, Lifecycle.WipStateChanged(site, change, author));
        if (says)
        {
            var approvals = change.Status == ChangeStatus.Merged ? null : EventShapes.Approvals(label =>
                (change.VoteOf(author.Id, label.Name, patchSet.Number), moved.ContainsKey(label.Name) ? before[label.Name] : null));
            site.Events.Publish(change, EventShapes.CommentAdded(site, change, patchSet, author, approvals, InEvent(patchSet, message, comments)));
        }
        foreach (var (account, state) in added.Where(a => a.State == "REVIEWER"))
            site.Events.Publish(change, ReviewerAdded(site, change, account!, author));
        return (labels, [.. added.Select(a => a.Account!)]);
    }

    public static JsonObject ReviewerAdded(Site site, Change change, Account reviewer, Account adder) =>
        EventShapes.OnPatchSet(site, change, change.Current, "reviewer-added",
            new JsonObject { ["reviewer"] = EventShapes.Person(reviewer), ["adder"] = EventShapes.Person(adder) });

    /// <summary>Enters somebody as REVIEWER or CC. Marking the change is the caller's business.</summary>
    public void SetReviewer(Change change, Account by, Account account, string state)
    {
        if (account.Id == change.Owner && state == "CC") return;
        if (change.Reviewers.TryGetValue(account.Id, out var now) && now == state) return;
        change.Reviewers[account.Id] = state;
        change.ReviewerUpdates.Add(new ReviewerUpdate(site.Now, by.Id, account.Id, state));
        if (state == "REVIEWER" && by.Id != account.Id) AttentionSet.Add(change, account.Id, "Reviewer was added", site.Now);
    }

    public void SetVote(Change change, PatchSet patchSet, Account author, (string Label, int Value, string? Tag) vote)
    {
        change.Votes.RemoveAll(v => v.Account == author.Id && v.PatchSet == patchSet.Number && v.Label == vote.Label);
        if (vote.Value == 0) return;
        change.Votes.Add(new Vote
        {
            Label = vote.Label,
            Account = author.Id,
            PatchSet = patchSet.Number,
            Value = vote.Value,
            Date = site.Now,
            Tag = vote.Tag,
        });
    }

    private static void Check(Change change, PatchSet patchSet, ReviewInput input)
    {
        foreach (var text in input.Comments.Select(c => c.Message).Append(input.Message ?? ""))
        {
            if (text.Length > MaxCommentSize)
                throw new RefusedException(400, $"One or more comments were rejected in validation: Comment size exceeds limit ({text.Length} > {MaxCommentSize})");
        }
        foreach (var comment in input.Comments)
        {
            if (comment.Path is not (PatchSetLevel or CommitMessage) && !patchSet.Files.Any(f => f.Path == comment.Path || f.OldPath == comment.Path))
                throw new RefusedException(400, $"file {comment.Path} not found in revision {change.Number},{patchSet.Number}");
            if (comment.Line < 0) throw new RefusedException(400, $"negative line number {comment.Line} not allowed on {comment.Path}");
            if (comment.Range is { } r && (r.StartLine < 1 || r.StartCharacter < 0 || r.EndCharacter < 0 || (r.EndLine, r.EndCharacter).CompareTo((r.StartLine, r.StartCharacter)) < 0))
                throw new RefusedException(400, $"Range ({r.StartLine}:{r.StartCharacter} - {r.EndLine}:{r.EndCharacter}) is not valid");
        }
    }

    private static void CheckWip(Change change, Account author, ReviewInput input)
    {
        if (input.Ready && input.WorkInProgress) throw new RefusedException(400, "work_in_progress and ready are mutually exclusive");
        if ((input.Ready || input.WorkInProgress) && !Rights.MayToggleWip(author, change) && input.Ready != !change.WorkInProgress)
            throw new RefusedException(403, "toggle work in progress state not permitted");
    }

    private static List<CommentInput> WithoutDuplicates(Change change, PatchSet patchSet, ReviewInput input) =>
        [.. input.Comments.Where(c => !string.IsNullOrWhiteSpace(c.Message) && (!input.OmitDuplicateComments || !change.Comments.Exists(o =>
            o.PatchSet == patchSet.Number && o.Path == c.Path && o.Line == (c.Range?.EndLine ?? c.Line) && o.Range == c.Range && o.Message == c.Message)))];

    private void AddAsReviewer(Change change, Account author, bool voted, bool says)
    {
        if (voted) SetReviewer(change, author, author, "REVIEWER");
        else if (says && !change.Reviewers.ContainsKey(author.Id)) SetReviewer(change, author, author, "CC");
    }

    private void ApplyState(Change change, bool toWip, bool toReady)
    {
        if (toWip) Lifecycle.EnterWip(change, site.Now);
        if (toReady) Lifecycle.LeaveWip(change, site.Now);
    }

    private void ApplyAttention(Change change, Account author, ReviewInput input, (bool Says, bool Negative) reply)
    {
        if (reply.Says && !input.IgnoreAttentionRules) AttentionSet.OnReply(change, author, reply.Negative, site.Now);
        foreach (var (name, reason) in input.AddAttention)
            if (site.Accounts.Find(name) is { } account) AttentionSet.Add(change, account.Id, reason, site.Now);
        foreach (var (name, reason) in input.RemoveAttention)
            if (site.Accounts.Find(name) is { } account) AttentionSet.Remove(change, account.Id, reason, site.Now);
    }

    private static string Compose(PatchSet patchSet, Dictionary<string, int> moved, int comments, string? message)
    {
        var text = $"Patch Set {patchSet.Number}:";
        foreach (var (name, value) in moved.OrderBy(m => m.Key, StringComparer.Ordinal)) text += value == 0 ? $" -{name}" : $" {name}{value:+0;-0}";
        if (moved.Count > 0 && comments == 0 && string.IsNullOrWhiteSpace(message)) return text;
        if (comments > 0) text += $"\n\n({comments} comment{(comments == 1 ? "" : "s")})";
        return string.IsNullOrWhiteSpace(message) ? text : $"{text}\n\n{message.Trim()}";
    }

    /// <summary>The event carries a patch-set-level comment in place of the message, and then without votes and counts.</summary>
    private static string InEvent(PatchSet patchSet, string message, List<CommentInput> comments) =>
        comments.Find(c => c.Path == PatchSetLevel) is { } first ? $"Patch Set {patchSet.Number}:\n\n{first.Message}" : message;

    private InlineComment Comment(Change change, PatchSet patchSet, Account author, (CommentInput Input, string? Tag) said)
    {
        var id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8)).Insert(8, "_");
        return new InlineComment(id, said.Input.Path, author.Id, patchSet.Number, said.Input.Message, site.Now)
        {
            ChangeMessageId = change.MetaRev,
            CommitId = patchSet.Revision,
            Line = said.Input.Range?.EndLine ?? said.Input.Line,
            Range = said.Input.Range,
            Unresolved = said.Input.Unresolved,
            InReplyTo = said.Input.InReplyTo,
            Side = said.Input.Side,
            Tag = said.Tag,
        };
    }
}
