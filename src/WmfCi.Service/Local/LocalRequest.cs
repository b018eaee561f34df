using WmfCi.LocalRunner;

namespace WmfCi.Service.Local;

/// <summary>What <c>wmfci local</c> is asked for.</summary>
public sealed record LocalRequest
{
    /// <summary>The working tree, or a folder in it.</summary>
    public required string Folder { get; init; }

    /// <summary>Names or ids of stages; empty for all, or for those that failed in a replay.</summary>
    public IReadOnlyList<string> Stages { get; init; } = [];

    /// <summary>How many stages run at once.</summary>
    public int Jobs { get; init; } = 1;

    /// <summary>Whether workspaces are kept.</summary>
    public bool Keep { get; init; }

    /// <summary>The run to replay; null for the working tree.</summary>
    public long? Run { get; init; }

    /// <summary>The server to fetch it from; null for the one that is set up.</summary>
    public string? Server { get; init; }
}

/// <summary>Where <c>wmfci local</c> works and speaks.</summary>
public sealed record LocalPlace
{
    /// <summary>Where sources, artifacts and workspaces are. Several processes may share it.</summary>
    public required string CacheFolder { get; init; }

    /// <summary>Gets what the steps print and what becomes of them.</summary>
    public required Stream Output { get; init; }

    /// <summary>Gets why nothing can be run.</summary>
    public required TextWriter Error { get; init; }

    /// <summary>The server of replays where none is named; null for the one that git knows as <c>wmfci.server</c>.</summary>
    public string? Server { get; init; }

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>The runner's options with other programs or limits; the usual ones by default.</summary>
    public Func<LocalRunnerOptions, LocalRunnerOptions> Adjust { get; init; } = options => options;

    /// <summary>The place of a person at a terminal.</summary>
    /// <exception cref="LocalException">There is no home to keep things in.</exception>
    public static LocalPlace Usual()
    {
        var cache = Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } set && Path.IsPathFullyQualified(set) ? set
            : Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".cache")
            : throw new LocalException("Neither XDG_CACHE_HOME nor HOME is set, so there is nowhere to work; set one of them.");
        return new LocalPlace
        {
            CacheFolder = Path.Combine(cache, "wmfci"),
            Output = Console.OpenStandardOutput(),
            Error = Console.Error,
            Server = Environment.GetEnvironmentVariable("WMFCI_SERVER") is { Length: > 0 } server ? server : null,
        };
    }
}

/// <summary>Nothing can be run, or not this. The message is for people and says what to do.</summary>
/// <param name="message">The message.</param>
/// <param name="cause">What it follows from.</param>
public sealed class LocalException(string message, Exception? cause = null) : Exception(message, cause);
