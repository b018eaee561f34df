namespace WmfCi.Config.Sites;

/// <summary>Defaults of a site where it says nothing, and the bounds of what it may say. Sizes are in bytes.</summary>
public static class SiteLimits
{
    /// <summary>The kind of runner that runs stages on the service's own machine.</summary>
    public const string LocalRunner = "local";

    /// <summary>The kind of runner that runs stages on a Kubernetes cluster.</summary>
    public const string KubernetesRunner = "kubernetes";

    /// <summary>Where the service listens by default.</summary>
    public const string Listen = "http://127.0.0.1:8080";

    /// <summary>The label.</summary>
    public const string Label = "Verified";

    /// <summary>The vote for green.</summary>
    public const int Pass = 1;

    /// <summary>The vote for red.</summary>
    public const int Fail = -1;

    /// <summary>The largest vote, either way.</summary>
    public const int LargestVote = 10;

    /// <summary>Gerrit's usual SSH port.</summary>
    public const int SshPort = 29418;

    /// <summary>Stages at once.</summary>
    public const int Slots = 2;

    /// <summary>The most stages at once.</summary>
    public const int MostSlots = 256;

    /// <summary>Memory of a stage.</summary>
    public const long Memory = 2L << 30;

    /// <summary>Disk of a stage.</summary>
    public const long Disk = 4L << 30;

    /// <summary>Processes and threads of a stage.</summary>
    public const int Processes = 512;

    /// <summary>The most processes and threads of a stage.</summary>
    public const int MostProcesses = 32_768;

    /// <summary>Length of a log.</summary>
    public const long Log = 100L << 20;

    /// <summary>All files that a stage leaves.</summary>
    public const long Artifacts = 1L << 30;

    /// <summary>How many files a stage may leave.</summary>
    public const int ArtifactFiles = 1_000;

    /// <summary>The largest number of files that a stage may be allowed to leave.</summary>
    public const int MostArtifactFiles = 100_000;

    /// <summary>The smallest size that makes sense anywhere.</summary>
    public const long SmallestSize = 1L << 20;

    /// <summary>The largest size that can be meant.</summary>
    public const long LargestSize = 16L << 40;

    /// <summary>Names and patterns in one list.</summary>
    public const int ListLength = 1_000;

    /// <summary>Length of any text, in UTF-16 units.</summary>
    public const int TextLength = 1_000;

    /// <summary>How often the code review is asked.</summary>
    public static readonly TimeSpan PollEvery = TimeSpan.FromSeconds(60);

    /// <summary>How far each look overlaps the one before.</summary>
    public static readonly TimeSpan PollOverlap = TimeSpan.FromSeconds(60);

    /// <summary>The shortest time between looks.</summary>
    public static readonly TimeSpan ShortestPoll = TimeSpan.FromSeconds(1);

    /// <summary>The longest time between looks, and the longest overlap.</summary>
    public static readonly TimeSpan LongestPoll = TimeSpan.FromHours(24);
}
