using WmfCi.Core;
using WmfCi.Core.Policies;

namespace WmfCi.Config.Sites;

/// <summary>How one installation of the service is set up, with every default filled in and every path absolute. Secrets are named by the file that holds them,
/// never held.</summary>
public sealed record Site
{
    /// <summary>Where people reach the pages; links in messages begin with it. Ends with a slash.</summary>
    public required Uri Url { get; init; }

    /// <summary>Where the service listens, plain HTTP: TLS is a proxy's work.</summary>
    public required Uri Listen { get; init; }

    /// <summary>The folder of mirrors, stores and work.</summary>
    public required string State { get; init; }

    /// <summary>The database.</summary>
    public required DatabaseSettings Database { get; init; }

    /// <summary>The code review.</summary>
    public required GerritSettings Gerrit { get; init; }

    /// <summary>Whose changes run without a word.</summary>
    public TrustSettings Trust { get; init; } = new();

    /// <summary>Which projects are served.</summary>
    public ProjectFilter Projects { get; init; } = new(["*"]);

    /// <summary>Where stages run, and their bounds.</summary>
    public RunnerSettings Runner { get; init; } = new();

    /// <summary>How often the code review is asked what the event stream may have missed.</summary>
    public PollingSettings Polling { get; init; } = new();
}

/// <summary>How the database is reached: exactly one of the two is set.</summary>
/// <param name="Connection">An Npgsql connection string without a password.</param>
/// <param name="File">The file that holds the connection string.</param>
public sealed record DatabaseSettings(string? Connection, string? File);

/// <summary>The code review and the service's account there.</summary>
public sealed record GerritSettings
{
    /// <summary>Its address, ending with a slash.</summary>
    public required Uri Url { get; init; }

    /// <summary>The login name of the service's account.</summary>
    public required string User { get; init; }

    /// <summary>The file that holds the HTTP password of the account.</summary>
    public required string PasswordFile { get; init; }

    /// <summary>The event stream; null where changes are found by polling alone.</summary>
    public GerritSshSettings? Ssh { get; init; }

    /// <summary>The label that is voted on.</summary>
    public string Label { get; init; } = SiteLimits.Label;

    /// <summary>The vote when everything that votes is green.</summary>
    public int Pass { get; init; } = SiteLimits.Pass;

    /// <summary>The vote when something that votes is red; less than <see cref="Pass"/>.</summary>
    public int Fail { get; init; } = SiteLimits.Fail;
}

/// <summary>Gerrit's SSH daemon, which streams events.</summary>
/// <param name="Host">Its name or address.</param>
/// <param name="Port">Its TCP port.</param>
/// <param name="KeyFile">The private key of the service's account.</param>
/// <param name="KnownHostsFile">The host keys that are believed, in OpenSSH's format.</param>
public sealed record GerritSshSettings(string Host, int Port, string KeyFile, string KnownHostsFile);

/// <summary>Whose changes run without a word of a trusted person.</summary>
public sealed record TrustSettings
{
    /// <summary>Whether strangers' first patch sets wait for a trusted person.</summary>
    public bool HoldsStrangers { get; init; }

    /// <summary>Login names of trusted people.</summary>
    public ValueArray<string> Accounts { get; init; } = [];

    /// <summary>Patterns of trusted addresses; <c>*</c> stands for any characters, case does not matter.</summary>
    public ValueArray<string> Emails { get; init; } = [];

    /// <summary>Groups of the code review whose members are trusted.</summary>
    public ValueArray<string> Groups { get; init; } = [];
}

/// <summary>Which projects are served.</summary>
/// <param name="Patterns"><c>*</c> stands for any characters, slashes too; a pattern that begins with <c>-</c> excludes, whatever the others say.</param>
public sealed record ProjectFilter(ValueArray<string> Patterns)
{
    /// <summary>Whether a project is served.</summary>
    public bool Serves(string project) =>
        Patterns.Any(pattern => pattern[0] != '-' && Glob.Matches(pattern, project)) && !Patterns.Any(pattern => pattern[0] == '-' && Glob.Matches(
            pattern[1..],
            project));
}

/// <summary>Bounds of the runner; sizes in bytes.</summary>
public sealed record RunnerSettings
{
    /// <summary>The kind of runner: <see cref="SiteLimits.LocalRunner"/> or <see cref="SiteLimits.KubernetesRunner"/>.</summary>
    public string Kind { get; init; } = SiteLimits.LocalRunner;

    /// <summary>How many stages run at once.</summary>
    public int Slots { get; init; } = SiteLimits.Slots;

    /// <summary>Memory of a stage.</summary>
    public long Memory { get; init; } = SiteLimits.Memory;

    /// <summary>Disk of a stage's workspace.</summary>
    public long Disk { get; init; } = SiteLimits.Disk;

    /// <summary>Processes and threads of a stage.</summary>
    public int Processes { get; init; } = SiteLimits.Processes;

    /// <summary>Length of a stage's log.</summary>
    public long Log { get; init; } = SiteLimits.Log;

    /// <summary>All files that a stage leaves, together.</summary>
    public long Artifacts { get; init; } = SiteLimits.Artifacts;

    /// <summary>How many files a stage may leave.</summary>
    public int ArtifactFiles { get; init; } = SiteLimits.ArtifactFiles;

    /// <summary>The cluster; set exactly when <see cref="Kind"/> is <see cref="SiteLimits.KubernetesRunner"/>.</summary>
    public KubernetesSettings? Kubernetes { get; init; }
}

/// <summary>The look at changes beside the event stream.</summary>
public sealed record PollingSettings
{
    /// <summary>How often.</summary>
    public TimeSpan Every { get; init; } = SiteLimits.PollEvery;

    /// <summary>How far before the last look each one begins, so that clocks and slow writes lose nothing.</summary>
    public TimeSpan Overlap { get; init; } = SiteLimits.PollOverlap;
}
