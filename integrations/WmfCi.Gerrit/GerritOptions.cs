namespace WmfCi.Gerrit;

/// <summary>How to reach a Gerrit and as whom. <c>docs/gerrit.md</c> says what an operator sets up there.</summary>
public sealed record GerritOptions
{
    /// <summary>Where Gerrit is, as people open it, such as <c>https://gerrit.example.org/r/</c>. REST calls and links are made from it.</summary>
    public required Uri Url { get; init; }

    /// <summary>The account's login name, for REST and SSH.</summary>
    public required string User { get; init; }

    /// <summary>The file with the account's HTTP password (Settings → HTTP Credentials): one line. It is read at the first call and again after Gerrit refused it, so that a new password needs no restart.</summary>
    public required string PasswordFile { get; init; }

    /// <summary>The host of Gerrit's SSH daemon.</summary>
    public required string SshHost { get; init; }

    /// <summary>The port of Gerrit's SSH daemon.</summary>
    public int SshPort { get; init; } = 29418;

    /// <summary>The account's private SSH key; without a passphrase.</summary>
    public required string SshKeyFile { get; init; }

    /// <summary>The file in which Gerrit's host key is pinned, in OpenSSH's format. No other key is accepted.</summary>
    public required string KnownHostsFile { get; init; }

    /// <summary>The OpenSSH client.</summary>
    public string SshProgram { get; init; } = "ssh";

    /// <summary>How long a REST call may take, its answer's body included.</summary>
    public TimeSpan RequestTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The largest answer that is read, in bytes after decompression.</summary>
    public long MaxResponseBytes { get; init; } = 64L * 1024 * 1024;

    /// <summary>How long the SSH connection may take to be made.</summary>
    public TimeSpan SshConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The silence after which the SSH connection is probed.</summary>
    public TimeSpan SshKeepAlive { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>How many probes may stay without an answer before the connection counts as broken.</summary>
    public int SshKeepAliveMisses { get; init; } = 3;

    /// <summary>How long a project's merge settings are remembered.</summary>
    public TimeSpan MergeSettingsLifetime { get; init; } = TimeSpan.FromSeconds(30);
}
