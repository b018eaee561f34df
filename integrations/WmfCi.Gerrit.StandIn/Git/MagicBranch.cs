namespace WmfCi.Gerrit.StandIn.Git;

/// <summary><c>refs/for/BRANCH</c> with its options, from behind the <c>%</c> and from push options.</summary>
internal sealed class MagicBranch
{
    private const string Prefix = "refs/for/";
    private const string Heads = "refs/heads/";

    public required string Branch { get; init; }
    public string? Topic { get; private set; }
    public List<string> Hashtags { get; } = [];
    public List<string> Reviewers { get; } = [];
    public List<string> Copies { get; } = [];
    public List<(string Label, int Value)> Votes { get; } = [];
    public string? Message { get; private set; }
    public bool WorkInProgress { get; private set; }
    public bool Ready { get; private set; }
    public bool Private { get; private set; }
    public bool RemovePrivate { get; private set; }
    public bool Submit { get; private set; }

    /// <summary>What the options say that no push may say; null when all is well.</summary>
    public string? Mistake { get; private set; }

    public static bool Matches(string refName) => refName.StartsWith(Prefix, StringComparison.Ordinal);

    public static MagicBranch Parse(string refName, IEnumerable<string> pushOptions)
    {
        var percent = refName.IndexOf('%', StringComparison.Ordinal);
        var branch = percent < 0 ? refName[Prefix.Length..] : refName[Prefix.Length..percent];
        var magic = new MagicBranch { Branch = branch.StartsWith(Heads, StringComparison.Ordinal) ? branch[Heads.Length..] : branch };
        var words = percent < 0 ? [] : refName[(percent + 1)..].Split(',', StringSplitOptions.RemoveEmptyEntries);
        foreach (var word in words.Concat(pushOptions)) magic.Apply(word);
        if (magic.WorkInProgress && magic.Ready) magic.Mistake ??= "--wip and --ready are mutually exclusive";
        if (magic.Private && magic.RemovePrivate) magic.Mistake ??= "--private and --remove-private are mutually exclusive";
        return magic;
    }

    private void Apply(string word)
    {
        var equals = word.IndexOf('=', StringComparison.Ordinal);
        var name = equals < 0 ? word : word[..equals];
        var value = equals < 0 ? "" : word[(equals + 1)..];
        switch (name)
        {
            case "topic": Topic = value.Length == 0 ? null : value; break;
            case "hashtag" or "t": Hashtags.Add(value.TrimStart('#')); break;
            case "r" or "reviewer": Reviewers.Add(value); break;
            case "cc": Copies.Add(value); break;
            case "m" or "message": Message = Uri.UnescapeDataString(value.Replace('_', ' ').Replace('+', ' ')); break;
            case "l" or "label": AddVote(value); break;
            case "wip" or "work-in-progress": WorkInProgress = true; break;
            case "ready": Ready = true; break;
            case "private": Private = true; break;
            case "remove-private": RemovePrivate = true; break;
            case "submit": Submit = true; break;
            case "notify" or "notify-to" or "notify-cc" or "notify-bcc" or "no-publish-comments" or "publish-comments" or "np"
                or "edit" or "merged" or "base" or "trace" or "deadline" or "skip-validation" or "ignore-automatic-attention-set-rules" or "ias"
                or "create-cod-token":
                break;
            default: Mistake ??= $"\"--{name}\" is not a valid option"; break;
        }
    }

    private void AddVote(string text)
    {
        var sign = text.LastIndexOfAny(['+', '-', '=']);
        // A label's own name has a '-': a sign counts only in front of a number.
        if (sign > 0 && int.TryParse(text[(sign + 1)..], out var value)) Votes.Add((text[..sign], text[sign] == '-' ? -value : value));
        else Votes.Add((text, 1));
    }
}
