namespace WmfCi.Gerrit.StandIn.Model;

/// <summary>A label: its values, who may vote how, and which kinds of a new patch set keep a vote.</summary>
internal sealed record Label(string Name, int Min, int Max, IReadOnlyDictionary<int, string> Values)
{
    public required string CopyCondition { get; init; }
    public required Func<Account, (int Min, int Max)?> Range { get; init; }
    public required Func<string, int, string?> CopiedBecause { get; init; }

    /// <summary>Gerrit marks a label optional whose function blocks nothing; a submit requirement looks at it instead.</summary>
    public bool Optional { get; init; }

    public static string Show(int value) => value == 0 ? " 0" : value.ToString("+0;-0");

    public bool Permits(Account who, int value) => value == 0 || (Range(who) is var (min, max) && value >= min && value <= max);
}

internal static class Labels
{
    public static Label CodeReview { get; } = new("Code-Review", -2, 2, new Dictionary<int, string>
    {
        [-2] = "This shall not be submitted",
        [-1] = "I would prefer this is not submitted as is",
        [0] = "No score",
        [1] = "Looks good to me, but someone else must approve",
        [2] = "Looks good to me, approved",
    })
    {
        CopyCondition = "changekind:NO_CHANGE OR changekind:TRIVIAL_REBASE OR is:MIN",
        Range = who => who.IsDeveloper || who.IsAdministrator ? (-2, 2) : (-1, 1),
        CopiedBecause = (kind, value) => kind is "NO_CHANGE" or "TRIVIAL_REBASE" ? "changekind:" + kind : value == -2 ? "is:MIN" : null,
    };

    public static Label Verified { get; } = new("Verified", -1, 2, new Dictionary<int, string>
    {
        [-1] = "Fails",
        [0] = "No score",
        [1] = "Works for me",
        [2] = "Verified",
    })
    {
        CopyCondition = "changekind:NO_CODE_CHANGE OR changekind:NO_CHANGE",
        Range = who => who.IsService ? (-1, 2) : null,
        CopiedBecause = (kind, _) => kind is "NO_CODE_CHANGE" or "NO_CHANGE" ? "changekind:" + kind : null,
        Optional = true,
    };

    public static IReadOnlyList<Label> All { get; } = [CodeReview, Verified];

    /// <summary>Events list them the other way round than change answers do.</summary>
    public static IReadOnlyList<Label> InEvents { get; } = [Verified, CodeReview];

    public static Label? Named(string name) => All.FirstOrDefault(l => l.Name == name);

    /// <summary>Whether the current patch set has somebody's highest vote and nobody's lowest.</summary>
    public static bool Satisfied(Change change, Label label)
    {
        var votes = change.VotesOn(change.Current.Number).Where(v => v.Label == label.Name).ToList();
        return votes.Exists(v => v.Value == label.Max) && !votes.Exists(v => v.Value == label.Min);
    }

    public static bool Submittable(Change change) => change.IsOpen && !change.WorkInProgress && All.All(l => Satisfied(change, l));
}
