using WmfCi.Core.Changes;

namespace WmfCi.Core.Policies;

/// <summary>What the site wants, as far as the rules need it.</summary>
public sealed record Policy
{
    /// <summary>Our own account: what it writes is never a command.</summary>
    public required Account Self { get; init; }

    /// <summary>The label of our vote.</summary>
    public string Label { get; init; } = "Verified";

    /// <summary>The vote when everything is green. Verified +2 is the gate's to give.</summary>
    public int Pass { get; init; } = 1;

    /// <summary>The vote when something is red.</summary>
    public int Fail { get; init; } = -1;

    /// <summary>Patch sets from before this time run only when asked for: the day on which the service was installed.</summary>
    public DateTimeOffset AutomaticSince { get; init; }

    /// <summary>Whether patch sets of people who are not trusted wait for somebody who is.</summary>
    public bool HoldStrangers { get; init; }

    /// <summary>Who is trusted.</summary>
    public TrustList Trusted { get; init; } = new();

    /// <summary>How the pages are reached.</summary>
    public required Links Links { get; init; }

    /// <summary>Whether the code that an account uploads may run without a word from anybody.</summary>
    public bool MayRun(Account uploader) => !HoldStrangers || Trusted.Has(uploader);
}

/// <summary>The accounts that a site trusts to run code on its workers.</summary>
public sealed record TrustList
{
    /// <summary>Login names.</summary>
    public ValueArray<string> Usernames { get; init; } = [];

    /// <summary>Patterns of addresses with <c>*</c>. Use them only where the code review verifies addresses.</summary>
    public ValueArray<string> Emails { get; init; } = [];

    /// <summary>Account ids: the members of the trusted groups, as last read.</summary>
    public ValueArray<string> Ids { get; init; } = [];

    /// <summary>Whether an account is on the list.</summary>
    public bool Has(Account account) =>
        (account.Id.Length > 0 && Ids.Contains(account.Id))
        || (account.Username.Length > 0 && Usernames.Contains(account.Username))
        || (account.Email.Length > 0 && Emails.Any(pattern => Glob.Matches(pattern, account.Email, ignoreCase: true)));
}
