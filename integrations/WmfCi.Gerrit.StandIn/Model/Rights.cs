namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>Who may do what: the rights of the real testbed, which a site of Wikimedia's kind resembles.</summary>
internal static class Rights
{
    public static bool MaySee(Account? who, Change change) =>
        !change.Private || (who is not null && (who.Id == change.Owner || who.IsService || change.Reviewers.ContainsKey(who.Id)));

    public static bool MayStream(Account who) => who.IsService || who.IsAdministrator;
    public static bool MayPushDirectly(Account who) => who.IsService || who.IsAdministrator;
    public static bool MayForce(Account who) => who.IsAdministrator;
    public static bool MayForgeCommitter(Account who) => who.IsService || who.IsAdministrator;
    public static bool MaySubmit(Account who) => who.IsService || who.IsAdministrator;
    public static bool MayDelete(Account who) => who.IsAdministrator;
    public static bool MayCreateProject(Account who) => who.IsAdministrator;
    public static bool MayAbandon(Account who, Change change) => IsOwner(who, change) || who.IsDeveloper || who.IsAdministrator;
    public static bool MayToggleWip(Account who, Change change) => IsOwner(who, change) || who.IsDeveloper || who.IsAdministrator;
    public static bool MayTogglePrivate(Account who, Change change) => IsOwner(who, change);
    public static bool MayEditTopic(Account who, Change change) => IsOwner(who, change) || who.IsService || who.IsAdministrator;
    public static bool MayRebase(Account who, Change change) => IsOwner(who, change) || who.IsService || who.IsAdministrator;
    public static bool MayRemoveVote(Account who, Change change, Vote vote) => vote.Account == who.Id || IsOwner(who, change) || who.IsAdministrator;

    private static bool IsOwner(Account who, Change change) => who.Id == change.Owner;
}
