namespace WmfCi.Gerrit.StandIn;

/// <summary>What a stand-in is started with. Every default suits a test: free ports on loopback, a temporary folder, the testbed's people and one project.</summary>
public sealed record StandInOptions
{
    /// <summary>The port of HTTP on loopback; 0 takes a free one.</summary>
    public int HttpPort { get; init; }

    /// <summary>The port of SSH on loopback; 0 takes a free one.</summary>
    public int SshPort { get; init; }

    /// <summary>Where repositories, keys and facts are kept over restarts; null keeps them in a temporary folder that goes away with the server.</summary>
    public string? StateFolder { get; init; }

    /// <summary>Projects that exist from the start, each with an empty first commit on <c>main</c>.</summary>
    public IReadOnlyList<string> Projects { get; init; } = ["demo"];

    /// <summary>The people; see <see cref="StandInUser"/>.</summary>
    public IReadOnlyList<StandInUser> Users { get; init; } = StandInUser.Defaults;

    /// <summary>Whether open projects may be read without a login, as on the real testbed.</summary>
    public bool AnonymousRead { get; init; } = true;

    /// <summary>Whether anybody may push commits whose committer is somebody else; the real server refuses that.</summary>
    public bool AllowForgedCommitter { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}

/// <summary>A person of the stand-in.</summary>
/// <param name="Name">The user name, for HTTP and SSH; letters, digits, '.', '_' and '-'.</param>
/// <param name="Password">The HTTP password.</param>
/// <param name="Group">One of <c>Administrators</c>, <c>Service Users</c> (a CI), <c>Developers</c> (Code-Review ±2) or empty (a volunteer).</param>
public sealed record StandInUser(string Name, string Password, string Group = "")
{
    /// <summary>Administrators.</summary>
    public const string Administrators = "Administrators";

    /// <summary>Accounts of programs: they stream events, vote Verified, submit and push.</summary>
    public const string ServiceUsers = "Service Users";

    /// <summary>People whose Code-Review +2 counts.</summary>
    public const string Developers = "Developers";

    /// <summary>The testbed's people: admin, wmfci (the bot), alice and bob (Developers), carol and mallory (volunteers); the password is <c>testbed-NAME</c>.</summary>
    public static IReadOnlyList<StandInUser> Defaults { get; } =
    [
        new("admin", "testbed-admin", Administrators),
        new("wmfci", "testbed-wmfci", ServiceUsers),
        new("alice", "testbed-alice", Developers),
        new("bob", "testbed-bob", Developers),
        new("carol", "testbed-carol"),
        new("mallory", "testbed-mallory"),
    ];
}
