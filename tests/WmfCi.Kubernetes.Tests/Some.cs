namespace WmfCi.Kubernetes.Tests;

/// <summary>Options as some site has them, for tests that care for few of them.</summary>
internal static class Some
{
    public static WorkerClass Worker { get; } = new()
    {
        Name = "default",
        CpuMillis = 50,
        MemoryBytes = 256L << 20,
        DiskBytes = 256L << 20,
        MaxProcesses = 200,
        Waits = TimeSpan.FromMinutes(30),
    };

    public static ServiceBounds Services { get; } = new() { Most = 5, CpuMillis = 50, MemoryBytes = 256L << 20, DiskBytes = 256L << 20 };

    public static KubernetesRunnerOptions Options { get; } = new()
    {
        Namespace = "stages",
        Image = "wmfci-pod:1",
        Exchange = new ExchangeOptions(new Uri("http://127.0.0.1:0/"), null),
        Workers = new Dictionary<string, WorkerClass>(StringComparer.Ordinal) { [Worker.Name] = Worker },
        DefaultWorker = Worker.Name,
        Users = new UserRange(1_800_000_000, 65_536),
        Services = Services,
        LogBytes = 1L << 20,
    };
}
