using WmfCi.Config.Shapes;
using WmfCi.Config.Yaml;
using WmfCi.Core;
using WmfCi.Core.Pipelines;

namespace WmfCi.Config.Sites;

/// <summary>What came of reading a site configuration: it, or every mistake at once.</summary>
public abstract record SiteReading
{
    private SiteReading()
    {
    }

    /// <summary>The file is good.</summary>
    /// <param name="Site">What it says. The files that it names were not looked at.</param>
    public sealed record Valid(Site Site) : SiteReading;

    /// <summary>The file has mistakes, and nothing of it is used.</summary>
    /// <param name="Mistakes">At least one and at most <see cref="YamlLimits.Mistakes"/>, in the order of the file's lines. They repeat no secrets.</param>
    public sealed record Invalid(ValueArray<ConfigMistake> Mistakes) : SiteReading;
}

/// <summary>Reads the site configuration.</summary>
public static class SiteFile
{
    /// <summary>Reads the bytes of a file, which must be UTF-8.</summary>
    /// <param name="file">Its path: what mistakes call it, and what relative paths in it are relative to.</param>
    /// <param name="content">Its bytes.</param>
    public static SiteReading Read(string file, ReadOnlySpan<byte> content)
    {
        var mistakes = new Mistakes(file);
        return Read(file, SourceText.Of(content, mistakes), mistakes);
    }

    /// <summary>Reads the text of a file.</summary>
    /// <param name="file">Its path: what mistakes call it, and what relative paths in it are relative to.</param>
    /// <param name="text">Its text.</param>
    public static SiteReading Read(string file, string text)
    {
        var mistakes = new Mistakes(file);
        return Read(file, SourceText.Of(text, mistakes), mistakes);
    }

    private static SiteReading Read(string file, SourceText? source, Mistakes mistakes)
    {
        var root = source is null ? null : YamlTree.Read(source, mistakes);
        if (root is null || SiteKeys.File.Check(root, new Subject("The file", "`state: /var/lib/wmfci`"), mistakes) is not YamlMap map)
            return new SiteReading.Invalid(mistakes.Sorted());
        JudgeWhole(map, mistakes);
        if (mistakes.Any) return new SiteReading.Invalid(mistakes.Sorted());
        return new SiteReading.Valid(new SiteReader(Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/").Site(map));
    }

    private static void JudgeWhole(YamlMap map, Mistakes mistakes)
    {
        const string Connection = "database";
        const string ConnectionFile = "database-file";
        var written = map.Entries.Where(entry => entry.Key.Value is Connection or ConnectionFile).ToList();
        if (written.Count == 2) mistakes.Add(written[1].Key.At, $"Both `{Connection}` and `{ConnectionFile}` are written.", "Keep one of the two.");
        if (written.Count == 0 && !map.Refused.Contains(Connection) && !map.Refused.Contains(ConnectionFile))
        {
            mistakes.Add(
                map.At,
                $"The file lacks `{Connection}`.",
                $"Add for example `{Connection}: Host=/run/postgresql;Database=wmfci;Username=wmfci`, or `{ConnectionFile}:` with the path of a file that holds it.");
        }

        if (map.Find("gerrit") is YamlMap gerrit && Number(gerrit, "fail", SiteLimits.Fail) >= Number(gerrit, "pass", SiteLimits.Pass))
        {
            var at = (gerrit.Entry("fail") ?? gerrit.Entry("pass")!).Value.At;
            mistakes.Add(at, "`fail` must be less than `pass`.", "Write for example `pass: 1` and `fail: -1`.");
        }

        if (map.Find("projects") is not YamlList { Items.Count: > 0 } projects || projects.Items.OfType<YamlText>().Any(text => text.Value[0] != '-')) return;
        mistakes.Add(projects.At, "`projects` only excludes, so nothing would be served.", "Add what is served, for example `\"*\"`.");
    }

    private static int Number(YamlMap map, string key, int otherwise) =>
        map.Find(key) is YamlText text ? NumberShape.Value(text.Value) ?? otherwise : otherwise;

    /// <summary>Takes the parts of a checked tree.</summary>
    private sealed class SiteReader(string folder)
    {
        public Site Site(YamlMap map)
        {
            var listen = new Uri(Text(map, "listen") ?? SiteLimits.Listen);
            return new Site
            {
                Listen = listen,
                Url = Text(map, "url") is { } url ? Folder(url) : listen,
                State = FullPath(map, "state")!,
                Database = new DatabaseSettings(Text(map, "database"), FullPath(map, "database-file")),
                Gerrit = Gerrit((YamlMap)map.Find("gerrit")!),
                Trust = map.Find("trust") is YamlMap trust ? Trust(trust) : new TrustSettings(),
                Projects = map.Find("projects") is null ? new ProjectFilter(["*"]) : new ProjectFilter(Texts(map, "projects")),
                Runner = map.Find("runner") is YamlMap runner ? Runner(runner) : new RunnerSettings(),
                Polling = map.Find("polling") is YamlMap polling ? Polling(polling) : new PollingSettings(),
            };
        }

        private GerritSettings Gerrit(YamlMap map)
        {
            var url = Folder(Text(map, "url")!);
            return new GerritSettings
            {
                Url = url,
                User = Text(map, "user")!,
                PasswordFile = FullPath(map, "password-file")!,
                Ssh = map.Find("ssh") is YamlMap ssh
                    ? new GerritSshSettings(
                        Text(ssh, "host") ?? url.IdnHost,
                        Number(ssh, "port", SiteLimits.SshPort),
                        FullPath(ssh, "key-file")!,
                        FullPath(ssh, "known-hosts-file")!)
                    : null,
                Label = Text(map, "label") ?? SiteLimits.Label,
                Pass = Number(map, "pass", SiteLimits.Pass),
                Fail = Number(map, "fail", SiteLimits.Fail),
            };
        }

        private static TrustSettings Trust(YamlMap map) => new()
        {
            HoldsStrangers = Text(map, "hold-strangers") == "true",
            Accounts = Texts(map, "accounts"),
            Emails = Texts(map, "emails"),
            Groups = Texts(map, "groups"),
        };

        private static RunnerSettings Runner(YamlMap map) => new()
        {
            Kind = Text(map, "kind") ?? SiteLimits.LocalRunner,
            Slots = Number(map, "slots", SiteLimits.Slots),
            Memory = Size(map, "memory") ?? SiteLimits.Memory,
            Disk = Size(map, "disk") ?? SiteLimits.Disk,
            Processes = Number(map, "processes", SiteLimits.Processes),
            Log = Size(map, "log") ?? SiteLimits.Log,
            Artifacts = Size(map, "artifacts") ?? SiteLimits.Artifacts,
            ArtifactFiles = Number(map, "artifact-files", SiteLimits.ArtifactFiles),
        };

        private static PollingSettings Polling(YamlMap map) => new()
        {
            Every = Time(map, "every") ?? SiteLimits.PollEvery,
            Overlap = Time(map, "overlap") ?? SiteLimits.PollOverlap,
        };

        /// <summary>An address that relative ones can be put behind.</summary>
        private static Uri Folder(string url) => new(url.EndsWith('/') ? url : url + "/");

        private string? FullPath(YamlMap map, string key) => Text(map, key) is { } path ? Path.GetFullPath(path, folder) : null;

        private static string? Text(YamlMap map, string key) => (map.Find(key) as YamlText)?.Value;

        private static ValueArray<string> Texts(YamlMap map, string key) => map.Find(key) switch
        {
            YamlList list => list.Items.OfType<YamlText>().Select(text => text.Value).ToValueArray(),
            _ => [],
        };

        private static TimeSpan? Time(YamlMap map, string key) => Text(map, key) is { } text ? Quantity.ReadTime(text) : null;

        private static long? Size(YamlMap map, string key) => Text(map, key) is { } text ? Quantity.ReadSize(text) : null;
    }
}
