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
        return new SiteReading.Valid(new SiteReader(new SiteValues(Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/")).Site(map));
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

        if (map.Find("gerrit") is YamlMap gerrit && SiteValues.Number(gerrit, "fail", SiteLimits.Fail) >= SiteValues.Number(gerrit, "pass", SiteLimits.Pass))
        {
            var at = (gerrit.Entry("fail") ?? gerrit.Entry("pass")!).Value.At;
            mistakes.Add(at, "`fail` must be less than `pass`.", "Write for example `pass: 1` and `fail: -1`.");
        }

        if (map.Find("runner") is YamlMap runner) KubernetesReader.Judge(runner, mistakes);
        if (map.Find("projects") is not YamlList { Items.Count: > 0 } projects || projects.Items.OfType<YamlText>().Any(text => text.Value[0] != '-')) return;
        mistakes.Add(projects.At, "`projects` only excludes, so nothing would be served.", "Add what is served, for example `\"*\"`.");
    }

    /// <summary>Takes the parts of a checked tree.</summary>
    private sealed class SiteReader(SiteValues values)
    {
        public Site Site(YamlMap map)
        {
            var listen = new Uri(SiteValues.Text(map, "listen") ?? SiteLimits.Listen);
            return new Site
            {
                Listen = listen,
                Url = SiteValues.Text(map, "url") is { } url ? SiteValues.Folder(url) : listen,
                State = values.FullPath(map, "state")!,
                Database = new DatabaseSettings(SiteValues.Text(map, "database"), values.FullPath(map, "database-file")),
                Gerrit = Gerrit((YamlMap)map.Find("gerrit")!),
                Trust = map.Find("trust") is YamlMap trust ? Trust(trust) : new TrustSettings(),
                Projects = map.Find("projects") is null ? new ProjectFilter(["*"]) : new ProjectFilter(SiteValues.Texts(map, "projects")),
                Runner = map.Find("runner") is YamlMap runner ? Runner(runner) : new RunnerSettings(),
                Polling = map.Find("polling") is YamlMap polling ? Polling(polling) : new PollingSettings(),
            };
        }

        private GerritSettings Gerrit(YamlMap map)
        {
            var url = SiteValues.Folder(SiteValues.Text(map, "url")!);
            return new GerritSettings
            {
                Url = url,
                User = SiteValues.Text(map, "user")!,
                PasswordFile = values.FullPath(map, "password-file")!,
                Ssh = map.Find("ssh") is YamlMap ssh
                    ? new GerritSshSettings(
                        SiteValues.Text(ssh, "host") ?? url.IdnHost,
                        SiteValues.Number(ssh, "port", SiteLimits.SshPort),
                        values.FullPath(ssh, "key-file")!,
                        values.FullPath(ssh, "known-hosts-file")!)
                    : null,
                Label = SiteValues.Text(map, "label") ?? SiteLimits.Label,
                Pass = SiteValues.Number(map, "pass", SiteLimits.Pass),
                Fail = SiteValues.Number(map, "fail", SiteLimits.Fail),
            };
        }

        private static TrustSettings Trust(YamlMap map) => new()
        {
            HoldsStrangers = SiteValues.Text(map, "hold-strangers") == "true",
            Accounts = SiteValues.Texts(map, "accounts"),
            Emails = SiteValues.Texts(map, "emails"),
            Groups = SiteValues.Texts(map, "groups"),
        };

        private RunnerSettings Runner(YamlMap map)
        {
            var runner = Bounds(map);
            return map.Find("kubernetes") is YamlMap cluster ? runner with { Kubernetes = new KubernetesReader(values, runner).Settings(cluster) } : runner;
        }

        private static RunnerSettings Bounds(YamlMap map) => new()
        {
            Kind = SiteValues.Text(map, "kind") ?? SiteLimits.LocalRunner,
            Slots = SiteValues.Number(map, "slots", SiteLimits.Slots),
            Memory = SiteValues.Size(map, "memory") ?? SiteLimits.Memory,
            Disk = SiteValues.Size(map, "disk") ?? SiteLimits.Disk,
            Processes = SiteValues.Number(map, "processes", SiteLimits.Processes),
            Log = SiteValues.Size(map, "log") ?? SiteLimits.Log,
            Artifacts = SiteValues.Size(map, "artifacts") ?? SiteLimits.Artifacts,
            ArtifactFiles = SiteValues.Number(map, "artifact-files", SiteLimits.ArtifactFiles),
        };

        private static PollingSettings Polling(YamlMap map) => new()
        {
            Every = SiteValues.Time(map, "every") ?? SiteLimits.PollEvery,
            Overlap = SiteValues.Time(map, "overlap") ?? SiteLimits.PollOverlap,
        };
    }
}
