using System.Net;
using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core;

namespace WmfCi.Config.Sites;

/// <summary>Judges what only the whole of <c>runner.kubernetes</c> shows, and takes the parts of a checked tree.</summary>
/// <param name="values">Reads single values.</param>
/// <param name="runner">Bounds of stages that classes of workers take where they say nothing.</param>
internal sealed class KubernetesReader(SiteValues values, RunnerSettings runner)
{
    /// <summary>Operators of a toleration.</summary>
    public const string Equal = "Equal", Exists = "Exists";

    /// <summary>The one effect that can be borne for a time.</summary>
    public const string NoExecute = "NoExecute";

    /// <summary>Notes what does not fit together.</summary>
    /// <param name="runner">The map <c>runner</c>, checked key by key.</param>
    /// <param name="mistakes">Where mistakes go.</param>
    public static void Judge(YamlMap runner, Mistakes mistakes)
    {
        var kind = runner.Entry("kind");
        var isCluster = SiteValues.Text(runner, "kind") == SiteLimits.KubernetesRunner;
        if (runner.Entry("kubernetes") is not { Value: YamlMap cluster } entry)
        {
            if (isCluster && !runner.Refused.Contains("kubernetes"))
                mistakes.Add(kind!.Value.At, "`kind: kubernetes` needs `kubernetes`.", $"Add for example {SiteKeys.ClusterExample}.");
            return;
        }

        if (!isCluster && !runner.Refused.Contains("kind"))
            mistakes.Add(entry.Key.At, "`kubernetes` is written, but stages run on this machine.", "Write `kind: kubernetes`, or remove it.");
        JudgeContext(cluster, mistakes);
        if (cluster.Find("exchange") is YamlMap exchange) JudgeExchange(exchange, mistakes);
        if (cluster.Find("users") is YamlMap users) JudgeUsers(users, mistakes);
        JudgeWorkers(cluster, mistakes);
    }

    /// <summary>The settings of a map without mistakes.</summary>
    public KubernetesSettings Settings(YamlMap map)
    {
        var workers = map.Find("workers") is YamlMap { Entries.Count: > 0 } classes
            ? classes.Entries.Select(entry => Worker(entry.Key.Value, (YamlMap)entry.Value)).ToValueArray()
            : [Worker(KubernetesLimits.Worker, new YamlMap(map.At, []))];
        return new KubernetesSettings
        {
            Kubeconfig = values.FullPath(map, "kubeconfig"),
            Context = SiteValues.Text(map, "context"),
            Namespace = SiteValues.Text(map, "namespace")!,
            Image = SiteValues.Text(map, "image")!,
            Exchange = Exchange((YamlMap)map.Find("exchange")!),
            PullSecret = SiteValues.Text(map, "pull-secret"),
            Workers = workers,
            Worker = SiteValues.Text(map, "worker") ?? (workers.Count == 1 ? workers[0].Name : KubernetesLimits.Worker),
            Users = map.Find("users") is YamlMap users ? Users(users) : new UserRange(KubernetesLimits.FirstUser, KubernetesLimits.Users),
            Blocked = SiteValues.Texts(map, "blocked").Select(IPNetwork.Parse).Distinct().ToValueArray(),
            Services = map.Find("services") is YamlMap services ? Services(services) : new ServiceLimits(),
        };
    }

    private static void JudgeContext(YamlMap cluster, Mistakes mistakes)
    {
        if (cluster.Entry("context") is not { } context || cluster.Entry("kubeconfig") is not null || cluster.Refused.Contains("kubeconfig")) return;
        mistakes.Add(context.Key.At, "`context` is that of a file, but there is no `kubeconfig`.", "Add `kubeconfig:` with the path of the file, or remove `context`.");
    }

    private static void JudgeExchange(YamlMap exchange, Mistakes mistakes)
    {
        if (exchange.Refused.Contains("listen") || exchange.Refused.Contains("url")) return;
        var listens = IsSecure(SiteValues.Text(exchange, "listen"));
        var url = IsSecure(SiteValues.Text(exchange, "url"));
        foreach (var key in (string[])["certificate-file", "key-file"])
        {
            var written = exchange.Entry(key);
            if (listens && written is null && !exchange.Refused.Contains(key))
                mistakes.Add(exchange.Find("listen")!.At, $"`listen` is https, but there is no `{key}`.", $"Add `{key}:` with the path of a PEM file, or listen on `http://`.");
            if (!listens && written is not null)
                mistakes.Add(written.Key.At, $"`{key}` is not used, because `listen` is not https.", "Write `https://` in `listen`, or remove it.");
        }

        if (listens && !url && exchange.Find("url") is { } at)
            mistakes.Add(at.At, "`listen` is https, but pods would speak plain HTTP with it.", "Write `https://` in `url`.");
        var authority = exchange.Entry("authority-file");
        if (url && authority is null && !exchange.Refused.Contains("authority-file"))
            mistakes.Add(exchange.Find("url")!.At, "`url` is https, but there is no `authority-file`, and pods know no authorities of their own.", "Add `authority-file:` with the path of a PEM file.");
        if (!url && authority is not null)
            mistakes.Add(authority.Key.At, "`authority-file` is not used, because `url` is not https.", "Write `https://` in `url`, or remove it.");
    }

    private static void JudgeUsers(YamlMap users, Mistakes mistakes)
    {
        if (users.Refused.Count > 0) return;
        var range = Users(users);
        // Kubernetes knows no user ids above those of a signed number of 32 bits.
        if ((long)range.First + range.Count - 1 > int.MaxValue)
            mistakes.Add(users.At, $"`users` ends above {int.MaxValue}, the highest that Kubernetes knows.", "Make `first` or `count` smaller.");
    }

    private static void JudgeWorkers(YamlMap cluster, Mistakes mistakes)
    {
        var classes = (cluster.Find("workers") as YamlMap)?.Entries ?? [];
        foreach (var entry in classes) JudgeWorker(entry, mistakes);
        if (cluster.Refused.Contains("workers") || cluster.Find("workers") is YamlMap { Refused.Count: > 0 }) return;
        var names = classes.Select(entry => entry.Key.Value).DefaultIfEmpty(KubernetesLimits.Worker).ToList();
        if (cluster.Find("worker") is YamlText chosen)
        {
            if (!names.Contains(chosen.Value))
                mistakes.Add(chosen.At, $"There is no class of workers {Wording.Quote(chosen.Value)}.", $"Write {Wording.Choice(names)}, or add it to `workers`.");
        }
        else if (names.Count > 1 && !names.Contains(KubernetesLimits.Worker) && !cluster.Refused.Contains("worker"))
        {
            mistakes.Add(
                cluster.Find("workers")!.At,
                "Nothing says which class of `workers` stages run on that name none.",
                $"Add `worker: {names[0]}` beside `workers`, or call one `{KubernetesLimits.Worker}`.");
        }
    }

    private static void JudgeWorker(YamlEntry entry, Mistakes mistakes)
    {
        var worker = (YamlMap)entry.Value;
        var name = Wording.Quote(entry.Key.Value);
        if (!worker.Refused.Contains("cpu") && worker.Find("cpu-limit") is YamlText limit)
        {
            var cpu = SiteValues.Cpu(worker, "cpu") ?? KubernetesLimits.MilliCpu;
            if (Quantity.ReadCpu(limit.Value) < cpu)
                mistakes.Add(limit.At, $"`cpu-limit` of {name} is less than its `cpu`.", $"Write `{Quantity.WriteCpu(cpu)}` or more.");
        }

        foreach (var toleration in (worker.Find("tolerations") as YamlList)?.Items.OfType<YamlMap>() ?? []) JudgeToleration(toleration, mistakes);
    }

    private static void JudgeToleration(YamlMap map, Mistakes mistakes)
    {
        if (map.Refused.Count > 0) return;
        var exists = SiteValues.Text(map, "operator") == Exists;
        if (map.Entry("key") is null && !exists)
            mistakes.Add(map.At, "The toleration has no `key`.", "Write for example `{key: ci, operator: Exists}`, or `{operator: Exists}` for all taints.");
        if (exists && map.Entry("value") is { } value)
            mistakes.Add(value.Key.At, "`value` is not used with `operator: Exists`.", "Remove one of the two.");
        if (map.Entry("seconds") is { } seconds && SiteValues.Text(map, "effect") != NoExecute)
            mistakes.Add(seconds.Key.At, $"`seconds` needs `effect: {NoExecute}`.", $"Write `effect: {NoExecute}`, or remove it.");
    }

    private static bool IsSecure(string? url) => url is not null && new Uri(url).Scheme == Uri.UriSchemeHttps;

    private ExchangeSettings Exchange(YamlMap map) => new()
    {
        Listen = new Uri(SiteValues.Text(map, "listen") ?? KubernetesLimits.Listen),
        Url = SiteValues.Folder(SiteValues.Text(map, "url")!),
        CertificateFile = values.FullPath(map, "certificate-file"),
        KeyFile = values.FullPath(map, "key-file"),
        AuthorityFile = values.FullPath(map, "authority-file"),
    };

    private WorkerClass Worker(string name, YamlMap map) => new()
    {
        Name = name,
        MilliCpu = SiteValues.Cpu(map, "cpu") ?? KubernetesLimits.MilliCpu,
        MilliCpuLimit = SiteValues.Cpu(map, "cpu-limit"),
        Memory = SiteValues.Size(map, "memory") ?? runner.Memory,
        Disk = SiteValues.Size(map, "disk") ?? runner.Disk,
        Processes = SiteValues.Number(map, "processes", runner.Processes),
        Architecture = SiteValues.Text(map, "architecture"),
        NodeSelector = map.Find("node-selector") is YamlMap labels
            ? labels.Entries.Select(label => new NodeLabel(label.Key.Value, TextOf(label.Value))).ToValueArray()
            : [],
        Tolerations = map.Find("tolerations") is YamlList list ? list.Items.OfType<YamlMap>().Select(Toleration).ToValueArray() : [],
        RuntimeClass = SiteValues.Text(map, "runtime-class"),
        PriorityClass = SiteValues.Text(map, "priority-class"),
        Waits = SiteValues.Time(map, "waits") ?? KubernetesLimits.Waits,
    };

    private static Toleration Toleration(YamlMap map) => new()
    {
        Key = SiteValues.Text(map, "key"),
        Exists = SiteValues.Text(map, "operator") == Exists,
        Value = map.Find("value") is { } value ? TextOf(value) : "",
        Effect = SiteValues.Text(map, "effect"),
        Seconds = map.Find("seconds") is null ? null : SiteValues.Number(map, "seconds", 0),
    };

    private static UserRange Users(YamlMap map) =>
        new(SiteValues.Number(map, "first", KubernetesLimits.FirstUser), SiteValues.Number(map, "count", KubernetesLimits.Users));

    private static ServiceLimits Services(YamlMap map) => new()
    {
        MilliCpu = SiteValues.Cpu(map, "cpu") ?? KubernetesLimits.ServiceMilliCpu,
        Memory = SiteValues.Size(map, "memory") ?? KubernetesLimits.ServiceMemory,
        Disk = SiteValues.Size(map, "disk") ?? KubernetesLimits.ServiceDisk,
        Most = SiteValues.Number(map, "most", KubernetesLimits.Services),
    };

    /// <summary>A text that is the empty one where nothing is written.</summary>
    private static string TextOf(YamlNode node) => node is YamlText { IsNothing: false } text ? text.Value : "";
}
