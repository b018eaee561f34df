namespace WmfCi.Kubernetes.Admission;

/// <summary>What an attempt takes of a quota, its services included.</summary>
internal sealed record Demand
{
    /// <summary>Nothing.</summary>
    public static Demand None { get; } = new();

    public int Pods { get; init; }

    public long CpuMillis { get; init; }

    public long CpuLimitMillis { get; init; }

    public long MemoryBytes { get; init; }

    public long DiskBytes { get; init; }

    public static Demand operator +(Demand one, Demand other) => new()
    {
        Pods = one.Pods + other.Pods,
        CpuMillis = one.CpuMillis + other.CpuMillis,
        CpuLimitMillis = one.CpuLimitMillis + other.CpuLimitMillis,
        MemoryBytes = one.MemoryBytes + other.MemoryBytes,
        DiskBytes = one.DiskBytes + other.DiskBytes,
    };

    /// <summary>How much of a resource it takes, in the units of quotas; null for resources that are none of ours.</summary>
    /// <param name="resource">As a ResourceQuota calls it.</param>
    public decimal? Of(string resource) => resource switch
    {
        "pods" or "count/pods" => Pods,
        "cpu" or "requests.cpu" => CpuMillis / 1000m,
        "limits.cpu" => CpuLimitMillis / 1000m,
        "memory" or "requests.memory" or "limits.memory" => MemoryBytes,
        "requests.ephemeral-storage" or "limits.ephemeral-storage" or "ephemeral-storage" => DiskBytes,
        // Its Secret is there before it asks, and counted.
        "count/jobs.batch" => Pods == 0 ? 0 : 1,
        _ => null,
    };
}

/// <summary>One bound of a ResourceQuota.</summary>
/// <param name="Quota">The quota's name.</param>
/// <param name="Resource">As the quota calls it.</param>
/// <param name="Hard">The bound.</param>
/// <param name="Used">What is in use.</param>
internal sealed record QuotaLine(string Quota, string Resource, decimal Hard, decimal Used);

/// <summary>What a quota says to a stage.</summary>
/// <param name="Reason">Why it cannot start now, one sentence; null when it may.</param>
/// <param name="IsForEver">Whether it would not fit even if nothing else ran.</param>
internal sealed record Admitted(string? Reason, bool IsForEver = false);

/// <summary>Whether a stage fits beside what runs. Pure.</summary>
internal static class Quotas
{
    /// <summary>Decides.</summary>
    /// <param name="lines">All bounds of the namespace, as they were seen last.</param>
    /// <param name="reserved">What was let in and is not in the quotas' figures yet.</param>
    /// <param name="wanted">What asks.</param>
    public static Admitted Decide(IEnumerable<QuotaLine> lines, Demand reserved, Demand wanted)
    {
        Admitted? waits = null;
        foreach (var line in lines)
        {
            if (wanted.Of(line.Resource) is not { } need || need == 0) continue;
            if (need > line.Hard) return new Admitted($"It needs {Show(line.Resource, need)}, and the quota {line.Quota} allows {Show(line.Resource, line.Hard)} in all. Choose a smaller `worker:`, or ask the operators to raise the quota.", IsForEver: true);
            var free = line.Hard - line.Used - (reserved.Of(line.Resource) ?? 0);
            if (need > free) waits ??= new Admitted($"Waits for room: it needs {Show(line.Resource, need)}, and {Show(line.Resource, Math.Max(free, 0))} of the {Show(line.Resource, line.Hard)} of the quota {line.Quota} are free.");
        }
        return waits ?? new Admitted(Reason: null);
    }

    private static string Show(string resource, decimal amount)
    {
        const decimal gib = 1L << 30, mib = 1L << 20;
        return resource switch
        {
            _ when resource.EndsWith("cpu", StringComparison.Ordinal) => Write($"{amount:0.###} CPU"),
            _ when resource.Contains("memory", StringComparison.Ordinal) => Size("memory"),
            _ when resource.Contains("storage", StringComparison.Ordinal) => Size("disk"),
            _ => Write($"{amount:0} {resource[(resource.IndexOf('/', StringComparison.Ordinal) + 1)..]}"),
        };

        string Size(string what) => amount >= gib ? Write($"{amount / gib:0.##} GiB {what}") : Write($"{amount / mib:0.#} MiB {what}");

        static string Write(FormattableString text) => FormattableString.Invariant(text);
    }
}
