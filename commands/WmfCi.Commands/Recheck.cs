using WmfCi.Core.Rules;

namespace WmfCi.Commands;

/// <summary><c>recheck</c>: test the current patch set again, or let a stranger's patch set be tested.</summary>
internal static class Recheck
{
    public static Command Command { get; } = new()
    {
        Name = "recheck",
        Syntax = "recheck",
        Summary = "Test the current patch set again, on the present tip of its branch.",
        Help = "It must be the first word of the comment; what follows it is for people. Everything is run again, on the branch as it is now. "
            + "Where a site holds strangers' patch sets, a trusted person's recheck lets the current one run; a newer patch set waits again.",
        WhoMay = "Everybody; on a patch set that waits for a trusted person, only trusted people.",
        Examples = ["recheck", "recheck, the mirror was down"],
        Channels = [Channel.Gerrit],
        Handle = Handle,
    };

    private static CommandAnswer Handle(Call call)
    {
        var (lane, policy) = (call.Lane, call.Policy);
        if (lane.Change is not { } change) return new CommandAnswer(null, false);
        if (lane.Current is { } run)
        {
            // Written before the run began: this run is the answer to it.
            return call.Said.Written <= run.Created
                ? new CommandAnswer(null, false)
                : new CommandAnswer($"{call.Person}: patch set {change.Current.Number} is being tested already: {policy.Links.Run(run.Id)}\nComment recheck again once it has ended.", false);
        }
        if (policy.MayRun(change.Current.Uploader)) return new CommandAnswer(null, true);
        // A word of trust is about the code that its author saw.
        if (policy.Trusted.Has(call.Said.Author))
        {
            return call.Said.PatchSet == change.Current.Number
                ? new CommandAnswer(null, true)
                : new CommandAnswer($"{call.Person}: your comment is on patch set {call.Said.PatchSet}. Patch set {change.Current.Number} is newer and waits: have a look at it, and comment recheck there.", false);
        }
        return new CommandAnswer($"{call.Person}: patch set {change.Current.Number} is by somebody this site does not know yet, so a person it trusts must look at it first and comment recheck, or vote for it.", false);
    }
}
