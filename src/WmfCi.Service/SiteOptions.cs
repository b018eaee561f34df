using Npgsql;
using WmfCi.Config.Sites;
using WmfCi.Gerrit;
using WmfCi.Git;
using WmfCi.LocalRunner;
using WmfCi.Workspaces;

namespace WmfCi.Service;

/// <summary>What the site's configuration means for the parts.</summary>
public static class SiteOptions
{
    private const int KeepAliveSeconds = 15;

    /// <summary>How the database is reached, read from its file where there is one.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static string ConnectionString(this Site site)
    {
        var text = site.Database.Connection ?? File.ReadAllText(site.Database.File!).Trim();
        try
        {
            var settings = new NpgsqlConnectionStringBuilder(text) { ApplicationName = "wmfci", IncludeErrorDetail = false };
            // A connection that only listens would never learn that its peer is gone.
            if (settings.KeepAlive == 0) settings.KeepAlive = KeepAliveSeconds;
            return settings.ConnectionString;
        }
        catch (ArgumentException)
        {
#pragma warning disable MA0054 // The cause may quote a part of a password.
            throw new IOException("The database's connection string cannot be read; write it as Host=…;Database=…;Username=…;Password=…, with values that have ; or = in quotes.");
#pragma warning restore MA0054
        }
    }

    /// <summary>How Gerrit is reached.</summary>
    public static GerritOptions GerritOptions(this Site site) => new()
    {
        Url = site.Gerrit.Url,
        User = site.Gerrit.User,
        PasswordFile = site.Gerrit.PasswordFile,
        SshHost = site.Gerrit.Ssh?.Host ?? "",
        SshPort = site.Gerrit.Ssh?.Port ?? 0,
        SshKeyFile = site.Gerrit.Ssh?.KeyFile ?? "",
        KnownHostsFile = site.Gerrit.Ssh?.KnownHostsFile ?? "",
    };

    /// <summary>Where mirrors are, and where they come from.</summary>
    public static MirrorOptions MirrorOptions(this Site site) => new()
    {
        Folder = Path.Combine(site.State, "mirrors"),
        BaseUrl = site.Gerrit.Url.ToString().TrimEnd('/') + "/a",
        UserName = site.Gerrit.User,
        Password = File.ReadAllText(site.Gerrit.PasswordFile).Trim(),
    };

    /// <summary>The bounds of stages on this machine.</summary>
    public static LocalRunnerOptions RunnerOptions(this Site site) => new()
    {
        WorkFolder = Path.Combine(site.State, "work"),
        MemoryBytes = site.Runner.Memory,
        DiskBytes = site.Runner.Disk,
        MaxProcesses = site.Runner.Processes,
        LogBytes = site.Runner.Log,
        Collection = new CollectionBounds { MaxFiles = site.Runner.ArtifactFiles, MaxTotalBytes = site.Runner.Artifacts },
    };
}
