using Npgsql;
using WmfCi.Config.Sites;
using WmfCi.Core;
using WmfCi.Gerrit;
using WmfCi.Git;
using WmfCi.Kubernetes;
using WmfCi.LocalRunner;
using WmfCi.Workspaces;

namespace WmfCi.Service;

/// <summary>What the site's configuration means for the parts.</summary>
public static class SiteOptions
{
    private const int KeepAliveSeconds = 15;
    private const string GssKey = "GSS Encryption Mode";

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
            // By default each connection first asks Kerberos, which asks DNS for the name of an address; where no DNS answers, as behind a network policy, that takes 10 s.
            if (!settings.ShouldSerialize(GssKey)) settings.GssEncryptionMode = GssEncryptionMode.Disable;
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

    /// <summary>How the cluster of stages is reached.</summary>
    public static ClusterOptions ClusterOptions(this KubernetesSettings settings) =>
        new() { Kubeconfig = settings.Kubeconfig, Context = settings.Context, Namespace = settings.Namespace };

    /// <summary>The bounds of stages in a cluster.</summary>
    public static KubernetesRunnerOptions KubernetesOptions(this Site site, KubernetesSettings settings) => new()
    {
        Namespace = settings.Namespace,
        Image = settings.Image,
        PullSecret = settings.PullSecret,
        Exchange = new Kubernetes.ExchangeOptions(settings.Exchange.Listen, WithSlash(settings.Exchange.Url))
        {
            Tls = settings.Exchange is { CertificateFile: { } certificate, KeyFile: { } key } ? (certificate, key) : null,
            AuthorityFile = settings.Exchange.AuthorityFile,
        },
        Workers = settings.Workers.ToDictionary(worker => worker.Name, Worker, StringComparer.Ordinal),
        DefaultWorker = settings.Worker,
        Users = new Kubernetes.UserRange(settings.Users.First, settings.Users.Count),
        Blocked = settings.Blocked.Select(block => block.ToString()).ToValueArray(),
        Services = new ServiceBounds { CpuMillis = settings.Services.MilliCpu, MemoryBytes = settings.Services.Memory, DiskBytes = settings.Services.Disk, Most = settings.Services.Most },
        LogBytes = site.Runner.Log,
        Collection = new CollectionBounds { MaxFiles = site.Runner.ArtifactFiles, MaxTotalBytes = site.Runner.Artifacts },
    };

    private static Kubernetes.WorkerClass Worker(Config.Sites.WorkerClass worker) => new()
    {
        Name = worker.Name,
        CpuMillis = worker.MilliCpu,
        CpuLimitMillis = worker.MilliCpuLimit,
        MemoryBytes = worker.Memory,
        DiskBytes = worker.Disk,
        MaxProcesses = worker.Processes,
        Architecture = worker.Architecture,
        NodeSelector = worker.NodeSelector.Select(label => KeyValuePair.Create(label.Key, label.Value)).ToValueArray(),
        Tolerations = worker.Tolerations.Select(taint => new Kubernetes.Toleration(
            taint.Key, taint.Exists ? "Exists" : "Equal", taint.Exists ? null : taint.Value, taint.Effect, taint.Seconds)).ToValueArray(),
        RuntimeClass = worker.RuntimeClass,
        PriorityClass = worker.PriorityClass,
        Waits = worker.Waits,
    };

    private static Uri WithSlash(Uri url) => url.AbsolutePath.EndsWith('/') ? url : new Uri(url + "/");
}
