using WmfCi.Config.Pipelines;

namespace WmfCi.Config.Sites;

/// <summary>Defaults of a cluster where the site says nothing, and the bounds of what it may say. Sizes are in bytes, CPUs in thousandths.</summary>
public static class KubernetesLimits
{
    /// <summary>Where the exchange listens: pods are on other machines.</summary>
    public const string Listen = "http://0.0.0.0:8081";

    /// <summary>The name of the class that every site has that configures none.</summary>
    public const string Worker = "default";

    /// <summary>Classes of workers.</summary>
    public const int MostWorkers = 50;

    /// <summary>CPU of a stage.</summary>
    public const int MilliCpu = 500;

    /// <summary>The least CPU that makes sense.</summary>
    public const int LeastMilliCpu = 10;

    /// <summary>The most CPU that can be meant.</summary>
    public const int MostMilliCpu = 256_000;

    /// <summary>The lowest user id of attempts: far from those that machines and images give to people and programs.</summary>
    public const int FirstUser = 1_800_000_000;

    /// <summary>The least that <see cref="FirstUser"/> may be set to: below it are the accounts of machines.</summary>
    public const int LeastUser = 1_000;

    /// <summary>User ids of attempts.</summary>
    public const int Users = 65_536;

    /// <summary>The fewest user ids: as many as stages can ever run at once.</summary>
    public const int LeastUsers = SiteLimits.MostSlots;

    /// <summary>Labels, tolerations and ranges in one list.</summary>
    public const int ListLength = 50;

    /// <summary>The longest time that a taint can be borne, in seconds.</summary>
    public const int MostSeconds = 7 * 24 * 3600;

    /// <summary>CPU of a service.</summary>
    public const int ServiceMilliCpu = 250;

    /// <summary>Memory of a service.</summary>
    public const long ServiceMemory = 1L << 30;

    /// <summary>Disk of a service.</summary>
    public const long ServiceDisk = 2L << 30;

    /// <summary>Services of a stage.</summary>
    public const int Services = 5;

    /// <summary>The most services that a site may allow a stage: what a pipeline can say.</summary>
    public const int MostServices = PipelineLimits.Services;

    /// <summary>How long an attempt waits for room.</summary>
    public static readonly TimeSpan Waits = TimeSpan.FromMinutes(30);

    /// <summary>The shortest wait for room: shorter, and the start of a node would be a failure.</summary>
    public static readonly TimeSpan ShortestWait = TimeSpan.FromMinutes(1);

    /// <summary>The longest wait for room.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromHours(24);
}
