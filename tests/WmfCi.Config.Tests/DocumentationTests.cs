using System.Text.Json.Nodes;
using WmfCi.Config.Pipelines;
using WmfCi.Config.Shapes;
using WmfCi.Config.Sites;

namespace WmfCi.Config.Tests;

/// <summary>The documentation says what the code does. To bring it up to date: <c>WMFCI_UPDATE_DOCS=1</c> in the environment of these tests.</summary>
public sealed class DocumentationTests
{
    private static readonly string _docs = Path.Combine(Root(), "docs");

    [Fact]
    public void The_published_schema_is_that_of_the_code() => ShouldSay("pipeline.schema.json", _ => PipelineSchema.Json);

    [Fact]
    public void The_tables_of_pipelines_are_those_of_the_code() => ShouldSay("pipeline.md", page => Fill(page, Documentation.Pipeline));

    [Fact]
    public void The_tables_of_sites_are_those_of_the_code() => ShouldSay("site.md", page => Fill(page, Documentation.Site));

    [Fact]
    public void Every_example_of_a_pipeline_in_the_page_is_valid()
    {
        var examples = Examples("pipeline.md");
        examples.Count.ShouldBeGreaterThan(2);
        foreach (var example in examples) Expect.Valid(example);
    }

    [Fact]
    public void Every_example_of_a_site_in_the_page_is_valid()
    {
        var examples = Examples("site.md");
        examples.Count.ShouldBe(2);
        const string Rest = "state: s\ndatabase: Host=x\ngerrit: {url: http://g, user: u, password-file: p}\n";
        foreach (var example in examples)
        {
            var file = example.StartsWith("runner:", StringComparison.Ordinal) ? Rest + example : example;
            SiteFile.Read("/etc/wmfci/site.yaml", file).ShouldBeOfType<SiteReading.Valid>(file);
        }
    }

    public static TheoryData<string, string> FileExamples => Written(PipelineKeys.File);

    public static TheoryData<string, string> StageExamples => Written(PipelineKeys.StageMap);

    public static TheoryData<string, string> ServiceExamples => Written(PipelineKeys.Service);

    public static TheoryData<string, string> SiteExamples => Written(SiteKeys.File);

    [Theory]
    [MemberData(nameof(FileExamples))]
    public void The_example_of_a_key_of_the_file_is_valid(string key, string example) =>
        Expect.Valid(example + (key is "commit" or "type" ? "" : "\ncommit: make") + (key is "image" or "type" ? "" : "\nimage: host"));

    [Theory]
    [MemberData(nameof(StageExamples))]
    public void The_example_of_a_key_of_a_stage_is_valid(string key, string example) => Expect.Valid(
        "image: host\ncommit: make\nstages:\n  lint: make lint\n  one:\n    " + example.Replace("\n", "\n    ")
        + (key == "steps" ? "" : "\n    steps: make")
        + (key == "image" ? "\n    matrix: {php: [8.1]}" : ""));

    [Theory]
    [MemberData(nameof(ServiceExamples))]
    public void The_example_of_a_key_of_a_service_is_valid(string key, string example) => Expect.Valid(
        "image: host\ncommit: make\nacceptance:\n  steps: make\n  services:\n    db:\n      " + example.Replace("\n", "\n      ") + (key == "image" ? "" : "\n      image: x"));

    [Theory]
    [MemberData(nameof(SiteExamples))]
    public void The_example_of_a_key_of_a_site_is_valid(string key, string example)
    {
        var file = example + (key == "state" ? "" : "\nstate: s") + (key.StartsWith("database", StringComparison.Ordinal) ? "" : "\ndatabase: Host=x")
            + (key == "gerrit" ? "" : "\ngerrit: {url: http://g, user: u, password-file: p}");
        (SiteFile.Read("/etc/f", file) is SiteReading.Invalid invalid ? string.Join('\n', invalid.Mistakes) : "").ShouldBeEmpty();
    }

    [Fact]
    public void The_examples_in_the_tables_within_a_site_are_valid()
    {
        string[] nested = ["ssh", "kubernetes", "exchange", "workers", "users", "services", "worker", "tolerations"];
        string Inner(
            KeyedShape shape,
            string indent) => string.Concat(shape.Keys.Where(key => !nested.Contains(key.Name)).Select(key => $"{indent}{key.Example}\n"));
        var file = "state: s\ndatabase: Host=x\ngerrit:\n" + Inner(SiteKeys.Gerrit, "  ") + "  ssh:\n" + Inner(SiteKeys.Ssh, "    ") + "trust:\n" + Inner(
            SiteKeys.Trust,
            "  ")
            + "runner:\n" + Inner(SiteKeys.Runner, "  ") + "  kubernetes:\n" + Inner(KubernetesKeys.Cluster, "    ")
            + "    exchange:\n" + Inner(KubernetesKeys.Exchange, "      ").Replace("http:", "https:")
            + "    workers:\n      one:\n" + Inner(KubernetesKeys.Worker, "        ")
            + "        tolerations:\n          -\n" + Inner(KubernetesKeys.Toleration, "            ")
            + "    users:\n" + Inner(KubernetesKeys.Users, "      ") + "    services:\n" + Inner(KubernetesKeys.Services, "      ")
            + "polling:\n" + Inner(SiteKeys.Polling, "  ");
        (SiteFile.Read("/etc/f", file) is SiteReading.Invalid invalid ? string.Join('\n', invalid.Mistakes) : "").ShouldBeEmpty();
    }

    [Fact]
    public void The_schema_knows_the_keys_of_the_file_and_of_a_stage()
    {
        var schema = JsonNode.Parse(PipelineSchema.Json)!.AsObject();
        schema["properties"]!.AsObject().Select(pair => pair.Key).ShouldBe(PipelineKeys.File.Keys.Select(key => key.Name));
        schema["$defs"]!["stage-map"]!["properties"]!.AsObject().Select(pair => pair.Key).ShouldBe(PipelineKeys.StageMap.Keys.Select(key => key.Name));
        PipelineSchema.Json.ShouldNotContain(@"\\p{", Case.Sensitive, "Not every validator of schemas knows Unicode classes.");
        var references = PipelineSchema.Json.Split("\"#/$defs/").Skip(1).Select(rest => rest.Split('"')[0]).ToList();
        references.Count.ShouldBeGreaterThan(3);
        references.ShouldAllBe(name => schema["$defs"]!.AsObject().ContainsKey(name));
    }

    private static TheoryData<string, string> Written(KeyedShape shape)
    {
        var data = new TheoryData<string, string>();
        foreach (var key in shape.Keys)
        {
            data.Add(key.Name, key.Example);
            if (key.Short is not null) data.Add(key.Name, key.Short);
        }

        return data;
    }

    private static List<string> Examples(string page) =>
        [.. File.ReadAllText(Path.Combine(_docs, page)).Split("```yaml\n").Skip(1).Select(rest => rest[..rest.IndexOf("```", StringComparison.Ordinal)])];

    private static string Fill(string page, IReadOnlyDictionary<string, string> tables)
    {
        foreach (var (name, table) in tables)
        {
            var parts = page.Split([$"<!-- begin {name} -->\n", $"<!-- end {name} -->"], StringSplitOptions.None);
            parts.Length.ShouldBe(3, $"The page has one place for the table `{name}`.");
            page = $"{parts[0]}<!-- begin {name} -->\n{table}<!-- end {name} -->{parts[2]}";
        }

        return page;
    }

    private static void ShouldSay(string page, Func<string, string> content)
    {
        var path = Path.Combine(_docs, page);
        var written = File.Exists(path) ? File.ReadAllText(path) : "";
        var expected = content(written);
        if (Environment.GetEnvironmentVariable("WMFCI_UPDATE_DOCS") == "1") File.WriteAllText(path, expected);
        else written.ShouldBe(
            expected,
            $"docs/{page} is not what the code says. Run the tests of this project once with WMFCI_UPDATE_DOCS=1 in the environment, and look at the difference.");
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder.FullName, "WmfCi.sln"))) folder = folder.Parent ?? throw new InvalidOperationException("The tests run outside of the repository.");
        return folder.FullName;
    }
}
