namespace WmfCi.Git;

/// <summary>Where the mirrors are, where they come from, and as whom.</summary>
public sealed record MirrorOptions
{
    /// <summary>The folder for the mirrors; made if it is not there. Nobody else should write to it.</summary>
    public required string Folder { get; init; }

    /// <summary>
    /// What stands before the project's name: <c>https://gerrit.example.org/r/a</c>, <c>ssh://wmfci@gerrit.example.org:29418</c>.
    /// No password in it. Only this kind of address (http, https, ssh, file) is ever fetched from; redirects are not followed.
    /// </summary>
    public required string BaseUrl { get; init; }

    /// <summary>The account for http and https; null to fetch without.</summary>
    public string? UserName { get; init; }

    /// <summary>Its HTTP password.</summary>
    public string? Password { get; init; }

    /// <summary>A configuration file for <c>ssh -F</c> (key, known hosts); null for none. Its path may not hold quotes or line ends.</summary>
    public string? SshConfigFile { get; init; }

    /// <summary>The git program.</summary>
    public string GitProgram { get; init; } = "git";

    /// <summary>After this a fetch is stopped; the first one of a large project may take minutes.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Nothing that prints settings shows the password.</summary>
    public override string ToString() => $"mirrors of {BaseUrl}";
}

/// <summary>What was wrong with a fetch.</summary>
public enum GitFetchErrorKind
{
    /// <summary>Something else; the message has what git said.</summary>
    Other,

    /// <summary>No such project or ref (or one that the account may not see).</summary>
    NotFound,

    /// <summary>The account is not accepted, or may not read.</summary>
    Denied,

    /// <summary>The server cannot be reached, or broke off.</summary>
    Unreachable,

    /// <summary>It took longer than <see cref="MirrorOptions.Timeout"/>.</summary>
    Timeout,
}

/// <summary>A fetch failed. The message holds no secret and may be shown.</summary>
public sealed class GitFetchException(GitFetchErrorKind kind, string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What was wrong.</summary>
    public GitFetchErrorKind Kind { get; } = kind;

    /// <summary>Whether the same may work later without anybody doing anything.</summary>
    public bool IsTransient => Kind is GitFetchErrorKind.Unreachable or GitFetchErrorKind.Timeout;
}
