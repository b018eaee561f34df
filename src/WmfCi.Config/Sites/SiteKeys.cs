using WmfCi.Config.Shapes;

namespace WmfCi.Config.Sites;

/// <summary>The keys of the site configuration: the one table behind the reader, its advice and the documentation.</summary>
internal static class SiteKeys
{
    private static readonly Shape _url = Text("an address", SiteRules.Url);
    private static readonly Shape _path = Text("a path", SiteRules.Path);
    private static readonly Shape _word = Text("a name", SiteRules.Word);
    private static readonly Shape _size = Quantity.Size(SiteLimits.SmallestSize, SiteLimits.LargestSize);
    private static readonly Shape _poll = Quantity.Time(SiteLimits.ShortestPoll, SiteLimits.LongestPoll);
    private static readonly Shape _vote = new NumberShape(-SiteLimits.LargestVote, SiteLimits.LargestVote);

    /// <summary>The event stream.</summary>
    public static KeyedShape Ssh { get; } = new(
        "a map with `key-file` and `known-hosts-file`",
        [
            new(
                "host",
                "text",
                Text("the name of a machine", SiteRules.Host),
                "Where Gerrit's SSH daemon is. Without it: the machine of `gerrit.url`.",
                "host: gerrit.example.org"),
            new("port", "number", new NumberShape(1, 65_535), $"Its port. Without it: {SiteLimits.SshPort}.", $"port: {SiteLimits.SshPort}"),
            new(
                "key-file",
                "path",
                _path,
                "The private key of the account.",
                "key-file: /etc/wmfci/id_ed25519") { IsRequired = true, Otherwise = ["identity", "identity-file"] },
            new(
                "known-hosts-file",
                "path",
                _path,
                "The host keys to believe, as in `~/.ssh/known_hosts`; any other is refused.",
                "known-hosts-file: /etc/wmfci/known_hosts")
            {
                IsRequired = true,
                Otherwise = ["known-hosts", "known_hosts", "host-key"],
            },
        ])
    { AdviseOnUnknown = SiteRules.AdviseOnSecret };

    /// <summary>The code review.</summary>
    public static KeyedShape Gerrit { get; } = new(
        "a map with `url`, `user` and `password-file`",
        [
            new("url", "address", _url, "Where Gerrit is.", "url: https://gerrit.example.org/r") { IsRequired = true },
            new(
                "user",
                "text",
                _word,
                "The login name of the service's account there.",
                "user: wmfci") { IsRequired = true, Otherwise = ["username", "account", "login"] },
            new(
                "password-file",
                "path",
                _path,
                "The file that holds the account's HTTP password.",
                "password-file: /etc/wmfci/gerrit-password") { IsRequired = true },
            new(
                "ssh",
                "map",
                Ssh,
                "The event stream. Without it changes are found by polling alone, which is slower.",
                "ssh:\n  key-file: /etc/wmfci/id_ed25519\n  known-hosts-file: /etc/wmfci/known_hosts")
            {
                Short = "ssh: {key-file: /etc/wmfci/id_ed25519, known-hosts-file: /etc/wmfci/known_hosts}",
            },
            new("label", "text", _word, $"The label to vote on. Without it: `{SiteLimits.Label}`.", "label: Verified"),
            new("pass", "number", _vote, $"The vote for green. Without it: {SiteLimits.Pass}.", "pass: 1"),
            new("fail", "number", _vote, $"The vote for red. Without it: {SiteLimits.Fail}.", "fail: -1"),
        ])
    { AdviseOnUnknown = SiteRules.AdviseOnSecret };

    /// <summary>Whose changes run.</summary>
    public static KeyedShape Trust { get; } = new(
        "a map with `hold-strangers`",
        [
            new(
                "hold-strangers",
                "true or false",
                new TruthShape(),
                "Whether strangers' first patch sets wait until a trusted person comments `recheck` or votes. Without it: false.",
                "hold-strangers: true"),
            new("accounts", "list of texts", Texts(_word), "Login names of trusted people.", "accounts: [alice, bob]") { Otherwise = ["users"] },
            new(
                "emails",
                "list of patterns",
                Texts(Text("an address", SiteRules.Line)),
                "Addresses of trusted people; `*` stands for any characters. Only addresses that Gerrit verified count.",
                "emails: [\"*@wikimedia.org\"]") { Otherwise = ["mails", "addresses"] },
            new("groups", "list of texts", Texts(Text("a name", SiteRules.Line)), "Gerrit groups of trusted people.", "groups: [Developers]"),
        ]);

    /// <summary>Where stages run.</summary>
    public static KeyedShape Runner { get; } = new(
        "a map with `slots` and bounds",
        [
            new(
                "kind",
                "text",
                new ChoiceShape([SiteLimits.LocalRunner, SiteLimits.KubernetesRunner]),
                $"Where stages run: on this machine, or on a cluster. Without it: `{SiteLimits.LocalRunner}`.",
                "kind: kubernetes"),
            new(
                "slots",
                "number",
                new NumberShape(1, SiteLimits.MostSlots),
                $"How many stages run at once. Without it: {SiteLimits.Slots}.",
                "slots: 4") { Otherwise = ["parallel", "workers", "concurrency", "executors"] },
            new("memory", "size", _size, $"Memory of a stage. Without it: {Quantity.WriteSize(SiteLimits.Memory)}.", "memory: 2GiB"),
            new("disk", "size", _size, $"Disk of a stage. Without it: {Quantity.WriteSize(SiteLimits.Disk)}.", "disk: 4GiB"),
            new(
                "processes",
                "number",
                new NumberShape(1, SiteLimits.MostProcesses),
                $"Processes and threads of a stage. Without it: {SiteLimits.Processes}.",
                "processes: 512"),
            new("log", "size", _size, $"Length of a stage's log. Without it: {Quantity.WriteSize(SiteLimits.Log)}.", "log: 100MiB"),
            new(
                "artifacts",
                "size",
                _size,
                $"All files that a stage leaves, together. Without it: {Quantity.WriteSize(SiteLimits.Artifacts)}.",
                "artifacts: 1GiB"),
            new(
                "artifact-files",
                "number",
                new NumberShape(1, SiteLimits.MostArtifactFiles),
                $"How many files a stage may leave. Without it: {SiteLimits.ArtifactFiles}.",
                "artifact-files: 1000"),
            new(
                SiteLimits.KubernetesRunner,
                "map",
                KubernetesKeys.Cluster,
                "The cluster; needed with `kind: kubernetes`, and only there.",
                "kubernetes:\n  namespace: wmfci-stages\n  image: registry.example.org/wmfci-pod:1.0\n  exchange: {url: \"http://wmfci-exchange.wmfci.svc:8081\"}")
            {
                Short = "kubernetes: {namespace: wmfci-stages, image: \"registry.example.org/wmfci-pod:1.0\", exchange: {url: \"http://wmfci-exchange.wmfci.svc:8081\"}}",
                Otherwise = ["k8s", "cluster"],
            },
        ]);

    /// <summary>The cluster as an example in a sentence.</summary>
    public static string ClusterExample => Runner.Keys.First(key => key.Name == SiteLimits.KubernetesRunner).InSentence;

    /// <summary>The look beside the stream.</summary>
    public static KeyedShape Polling { get; } = new(
        "a map with `every` and `overlap`",
        [
            new(
                "every",
                "length of time",
                _poll,
                $"How often Gerrit is asked for what the stream may have missed. Without it: {Quantity.WriteTime(SiteLimits.PollEvery)}.",
                "every: 60s") { Otherwise = ["interval", "period"] },
            new(
                "overlap",
                "length of time",
                _poll,
                $"How far each look reaches before the last. Without it: {Quantity.WriteTime(SiteLimits.PollOverlap)}.",
                "overlap: 60s"),
        ]);

    /// <summary>The file.</summary>
    public static KeyedShape File { get; } = new(
        "a map with `state`, `database` and `gerrit`",
        [
            new(
                "url",
                "address",
                _url,
                "Where people reach the pages; links in messages begin with it. Without it: that of `listen`.",
                "url: https://ci.example.org"),
            new(
                "listen",
                "address",
                Text("an address", SiteRules.Listen),
                $"Where the service listens, without TLS. Without it: `{SiteLimits.Listen}`.",
                $"listen: {SiteLimits.Listen}") { Otherwise = ["bind", "port"] },
            new(
                "state",
                "path",
                _path,
                "The folder of everything that the service keeps on disk.",
                "state: /var/lib/wmfci") { IsRequired = true, Otherwise = ["data", "dir", "folder"] },
            new(
                "database",
                "text",
                Text("a connection string", SiteRules.Database),
                "How PostgreSQL is reached, without a password. Either this or `database-file`.",
                "database: Host=/run/postgresql;Database=wmfci;Username=wmfci")
            {
                Otherwise = ["db", "postgres", "postgresql"],
            },
            new("database-file", "path", _path, "The file that holds the connection string, for one with a password.", "database-file: /etc/wmfci/database"),
            new(
                "gerrit",
                "map",
                Gerrit,
                "The code review and the service's account there.",
                "gerrit:\n  url: https://gerrit.example.org/r\n  user: wmfci\n  password-file: /etc/wmfci/gerrit-password")
            {
                IsRequired = true,
                Short = "gerrit: {url: \"https://gerrit.example.org/r\", user: wmfci, password-file: /etc/wmfci/gerrit-password}",
            },
            new(
                "trust",
                "map",
                Trust,
                "Whose changes run without a word. Without it: everybody's.",
                "trust:\n  hold-strangers: true\n  groups: [Developers]") { Short = "trust: {hold-strangers: true, groups: [Developers]}" },
            new(
                "projects",
                "list of patterns",
                Texts(Text("a pattern", SiteRules.ProjectPattern), 1),
                "Which projects are served: `*` stands for any characters, a `-` at the beginning excludes. Without it: all.",
                "projects: [\"*\", \"-test/*\"]") { Otherwise = ["repositories", "repos"] },
            new("runner", "map", Runner, "Where stages run, and their bounds.", "runner:\n  slots: 4") { Short = "runner: {slots: 4}" },
            new(
                "polling",
                "map",
                Polling,
                "The look at Gerrit beside the event stream.",
                "polling:\n  every: 60s") { Short = "polling: {every: 60s}", Otherwise = ["poll"] },
        ])
    {
        IsFile = true,
        AdviseOnUnknown = SiteRules.AdviseOnSecret,
    };

    private static TextShape Text(string expected, Func<string, Fault?> rule) => new(expected, rule) { Longest = SiteLimits.TextLength };

    private static ListShape Texts(Shape item, int least = 0) => new(item, "a list") { Most = SiteLimits.ListLength, Least = least, OrOne = true };
}
