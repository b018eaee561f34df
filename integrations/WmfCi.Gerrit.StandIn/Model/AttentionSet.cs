namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>The attention set: whose turn it is, and why.</summary>
internal static class AttentionSet
{
    public static void Add(Change change, int account, string reason, DateTimeOffset now)
    {
        if (change.WorkInProgress || !change.IsOpen) return;
        change.Attention[account] = new AttentionEntry(now, reason);
        change.RemovedAttention.Remove(account);
    }

    public static void Remove(Change change, int account, string reason, DateTimeOffset now)
    {
        if (change.Attention.Remove(account)) change.RemovedAttention[account] = new AttentionEntry(now, reason);
    }

    public static void Clear(Change change, string reason, DateTimeOffset now)
    {
        foreach (var account in change.Attention.Keys.ToList()) Remove(change, account, reason, now);
    }

    /// <summary>The rules that Gerrit follows by itself when somebody replies.</summary>
    public static void OnReply(Change change, Account author, bool votedNegatively, DateTimeOffset now)
    {
        if (author.IsService)
        {
            if (!votedNegatively) return;
            Add(change, change.Owner, "A robot voted negatively on a label", now);
            Add(change, change.Current.Uploader, "A robot voted negatively on a label", now);
            return;
        }
        Remove(change, author.Id, "removed on reply", now);
        if (author.Id != change.Owner) Add(change, change.Owner, "Someone else replied on the change", now);
    }
}
