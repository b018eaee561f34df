using WmfCi.Config.Shapes;

namespace WmfCi.Config.Sites;

/// <summary>The keys of <c>runner.kubernetes</c>, part of the table that <see cref="SiteKeys"/> is.</summary>
internal static class KubernetesKeys
{
    private static readonly Shape _path = Text("a path", SiteRules.Path);
    private static readonly Shape _name = Text("a name", DnsName.Label);
    private static readonly Shape _dotted = Text("a name", DnsName.Subdomain);
    private static readonly Shape _size = Quantity.Size(SiteLimits.SmallestSize, SiteLimits.LargestSize);
    private static readonly Shape _cpu = Quantity.Cpu(KubernetesLimits.LeastMilliCpu, KubernetesLimits.MostMilliCpu);
    private static readonly Shape _labelKey = Text("the key of a label or taint", KubernetesRules.LabelKey);
    private static readonly Shape _labelValue = new TextShape("a text", KubernetesRules.LabelValue)
    {
        Longest = SiteLimits.TextLength,
        MayBeNothing = true,
        TakesNumbers = true,
    };

    /// <summary>Where pods and the service meet.</summary>
    public static KeyedShape Exchange { get; } = new(
        "a map with `url`",
        [
            new(
                "listen",
                "address",
                Text("an address", KubernetesRules.Listen),
                $"Where the service listens for pods; with `https://` it needs the two files below. Without it: `{KubernetesLimits.Listen}`.",
                $"listen: {KubernetesLimits.Listen}") { Otherwise = ["bind", "port"] },
            new(
                "url",
                "address",
                Text("an address", SiteRules.Url),
                "How pods reach it, such as the name of a Service of the cluster.",
                "url: http://wmfci-exchange.wmfci.svc:8081") { IsRequired = true, Otherwise = ["address", "host"] },
            new("certificate-file", "path", _path, "The certificate with its chain (PEM).", "certificate-file: /etc/wmfci/exchange.crt") { Otherwise = ["certificate", "cert-file", "cert"] },
            new("key-file", "path", _path, "The certificate's key (PEM).", "key-file: /etc/wmfci/exchange.key"),
            new(
                "authority-file",
                "path",
                _path,
                "The certificate of the authority that pods believe, and no other (PEM); needed for an `url` with `https://`.",
                "authority-file: /etc/wmfci/ca.crt") { Otherwise = ["ca-file", "ca", "authority"] },
        ])
    { AdviseOnUnknown = SiteRules.AdviseOnSecret };

    /// <summary>A taint that is borne.</summary>
    public static KeyedShape Toleration { get; } = new(
        "a map with `key`",
        [
            new("key", "text", _labelKey, "The key of the taint. Without it: all of them, with `operator: Exists` only.", "key: ci"),
            new(
                "operator",
                "text",
                new ChoiceShape([KubernetesReader.Equal, KubernetesReader.Exists]),
                $"Whether the taint must have the value, or may have any. Without it: `{KubernetesReader.Equal}`.",
                "operator: Equal"),
            new("value", "text", _labelValue, "The value of the taint. Without it: the empty one.", "value: only"),
            new(
                "effect",
                "text",
                new ChoiceShape(["NoSchedule", "PreferNoSchedule", KubernetesReader.NoExecute]),
                "The effect of the taint. Without it: any.",
                "effect: NoExecute"),
            new(
                "seconds",
                "number",
                new NumberShape(0, KubernetesLimits.MostSeconds),
                "How long `effect: NoExecute` is borne. Without it: for ever.",
                "seconds: 300") { Otherwise = ["tolerationSeconds", "toleration-seconds"] },
        ]);

    /// <summary>A class of workers.</summary>
    public static KeyedShape Worker { get; } = new(
        "a map such as `{cpu: 2, memory: 4GiB}`",
        [
            new(
                "cpu",
                "CPUs",
                _cpu,
                $"What is kept for the stage: whole ones, parts, or thousandths. Without it: `{Quantity.WriteCpu(KubernetesLimits.MilliCpu)}`.",
                "cpu: 500m") { Otherwise = ["cpus", "cores", "cpu-request"] },
            new(
                "cpu-limit",
                "CPUs",
                _cpu,
                "What it may use at most. Without it: all that is free on its node, shared by what is kept for each.",
                "cpu-limit: 4"),
            new("memory", "size", _size, "Memory that is kept for it, and that it may use at most. Without it: that of `runner`.", "memory: 4GiB") { Otherwise = ["ram"] },
            new("disk", "size", _size, "Disk of its workspace. Without it: that of `runner`.", "disk: 8GiB") { Otherwise = ["storage", "ephemeral-storage"] },
            new(
                "processes",
                "number",
                new NumberShape(1, SiteLimits.MostProcesses),
                "Its processes and threads. Without it: those of `runner`.",
                "processes: 1024") { Otherwise = ["pids"] },
            new("architecture", "text", new ChoiceShape(["amd64", "arm64"]), "The architecture of its node. Without it: any.", "architecture: arm64") { Otherwise = ["arch"] },
            new(
                "node-selector",
                "map of texts",
                new MapShape(KubernetesRules.LabelKey, _labelValue, "a map from labels to values")
                {
                    Most = KubernetesLimits.ListLength,
                    KeyPattern = "^[A-Za-z0-9]",
                    EntryName = "The label",
                },
                "Labels that its node must have.",
                "node-selector: {disk: ssd}") { Otherwise = ["nodeSelector", "labels", "nodes"] },
            new(
                "tolerations",
                "list of maps",
                new ListShape(Toleration, "a list of tolerations") { Most = KubernetesLimits.ListLength },
                "Taints of nodes that it bears.",
                "tolerations: [{key: ci, operator: Exists}]") { Otherwise = ["toleration", "taints"] },
            new("runtime-class", "text", _dotted, "The RuntimeClass of its pods, such as gVisor's. Without it: the cluster's own.", "runtime-class: gvisor")
            {
                Otherwise = ["runtimeClassName", "runtime"],
            },
            new("priority-class", "text", _dotted, "The PriorityClass of its pods. Without it: the cluster's own.", "priority-class: ci-stages")
            {
                Otherwise = ["priorityClassName", "priority"],
            },
            new(
                "waits",
                "length of time",
                Quantity.Time(KubernetesLimits.ShortestWait, KubernetesLimits.LongestWait),
                $"How long a stage waits for a node with room for it. Without it: {Quantity.WriteTime(KubernetesLimits.Waits)}.",
                "waits: 30m") { Otherwise = ["wait", "pending"] },
        ]);

    /// <summary>User ids.</summary>
    public static KeyedShape Users { get; } = new(
        "a map with `first` and `count`",
        [
            new(
                "first",
                "number",
                new NumberShape(KubernetesLimits.LeastUser, int.MaxValue),
                $"The lowest. Without it: {KubernetesLimits.FirstUser}.",
                $"first: {KubernetesLimits.FirstUser}") { Otherwise = ["start", "from"] },
            new(
                "count",
                "number",
                new NumberShape(KubernetesLimits.LeastUsers, int.MaxValue),
                $"How many. Without it: {KubernetesLimits.Users}.",
                $"count: {KubernetesLimits.Users}") { Otherwise = ["number", "size"] },
        ]);

    /// <summary>Bounds of services.</summary>
    public static KeyedShape Services { get; } = new(
        "a map with bounds",
        [
            new("cpu", "CPUs", _cpu, $"What is kept for one. Without it: `{Quantity.WriteCpu(KubernetesLimits.ServiceMilliCpu)}`.", "cpu: 250m"),
            new("memory", "size", _size, $"Memory of one. Without it: {Quantity.WriteSize(KubernetesLimits.ServiceMemory)}.", "memory: 1GiB"),
            new("disk", "size", _size, $"Disk of one. Without it: {Quantity.WriteSize(KubernetesLimits.ServiceDisk)}.", "disk: 2GiB"),
            new(
                "most",
                "number",
                new NumberShape(0, KubernetesLimits.MostServices),
                $"How many a stage may have. Without it: {KubernetesLimits.Services}.",
                "most: 5") { Otherwise = ["count", "number"] },
        ]);

    /// <summary>The cluster.</summary>
    public static KeyedShape Cluster { get; } = new(
        "a map with `namespace`, `image` and `exchange`",
        [
            new("kubeconfig", "path", _path, "The file that says how the cluster is reached. Without it: by the account of the pod that the service runs in.", "kubeconfig: /etc/wmfci/kubeconfig")
            {
                Otherwise = ["config", "config-file", "kubeconfig-file"],
            },
            new("context", "text", Text("a name", SiteRules.Line), "The context of that file. Without it: its current one.", "context: ci"),
            new("namespace", "text", _name, "The namespace of the stages' pods, of theirs alone.", "namespace: wmfci-stages") { IsRequired = true },
            new(
                "image",
                "text",
                Text("the reference of an image", KubernetesRules.Image),
                "The image of wmfci-pod, which fetches, supervises and collects in every pod.",
                "image: registry.example.org/wmfci-pod:1.0") { IsRequired = true, Otherwise = ["pod-image"] },
            new("exchange", "map", Exchange, "Where pods and the service meet.", "exchange:\n  url: http://wmfci-exchange.wmfci.svc:8081")
            {
                IsRequired = true,
                Short = "exchange: {url: \"http://wmfci-exchange.wmfci.svc:8081\"}",
            },
            new("pull-secret", "text", _dotted, "The Secret in that namespace with which images are pulled.", "pull-secret: registry") { Otherwise = ["image-pull-secret", "imagePullSecrets"] },
            new(
                "workers",
                "map of maps",
                new MapShape(DnsName.Label, Worker, "a map from names to classes of workers")
                {
                    Most = KubernetesLimits.MostWorkers,
                    KeyPattern = DnsName.LabelPattern,
                    EntryName = "The class",
                },
                $"Classes of workers, by the names that stages call them. Without it: one, `{KubernetesLimits.Worker}`.",
                "workers:\n  small: {cpu: 500m}\n  large: {cpu: 4, memory: 16GiB}")
            {
                Short = "workers: {small: {cpu: 500m}, large: {cpu: 4}}",
                Otherwise = ["classes", "worker-classes"],
            },
            new("worker", "text", _name, $"The class of stages that name none. Without it: `{KubernetesLimits.Worker}`, or the only one.", "worker: small")
            {
                Otherwise = ["default", "default-worker"],
            },
            new("users", "map", Users, "The user ids that attempts run under, each under one of its own.", $"users:\n  first: {KubernetesLimits.FirstUser}")
            {
                Short = $"users: {{first: {KubernetesLimits.FirstUser}}}",
                Otherwise = ["uids", "user"],
            },
            new(
                "blocked",
                "list of ranges",
                new ListShape(Text("a range of addresses", KubernetesRules.Range), "a list of ranges of addresses") { Most = KubernetesLimits.ListLength, OrOne = true },
                "What stages with `network: true` may not reach, besides the private and link-local ranges: the API server, if its address is public.",
                "blocked: [192.0.2.10/32]") { Otherwise = ["block", "denied", "except"] },
            new("services", "map", Services, "Bounds of the services of stages.", "services:\n  memory: 2GiB") { Short = "services: {memory: 2GiB}" },
        ])
    { AdviseOnUnknown = SiteRules.AdviseOnSecret };

    private static TextShape Text(string expected, Func<string, Fault?> rule) => new(expected, rule) { Longest = SiteLimits.TextLength };
}
