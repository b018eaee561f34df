using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;

namespace WmfCi.Scenarios;

/// <summary>Holds docs/requirements.md to the scenarios: whoever adds or removes a proof is told to write it down.</summary>
public sealed partial class RequirementsTests
{
    private const string Begin = "<!-- proofs: made from the scenarios; WMFCI_UPDATE_DOCS=1 tests/run Scenarios writes it anew -->";
    private const string End = "<!-- end -->";

    [Fact]
    public void The_page_of_requirements_names_every_proof()
    {
        var path = Path.Combine(RepositoryRoot(), "docs", "requirements.md");
        var page = File.ReadAllText(path);
        var (from, to) = (page.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length, page.IndexOf(End, StringComparison.Ordinal));
        var wanted = page[..from] + "\n" + Table() + page[to..];
        if (Environment.GetEnvironmentVariable("WMFCI_UPDATE_DOCS") == "1") File.WriteAllText(path, wanted);
        page.ShouldBe(wanted, "docs/requirements.md does not say what the scenarios prove; run the scenarios once with WMFCI_UPDATE_DOCS=1");
    }

    [Fact]
    public void Every_proof_is_of_a_requirement_that_exists()
    {
        var known = Id().Matches(File.ReadAllText(Path.Combine(RepositoryRoot(), "docs", "requirements.md"))).Select(match => match.Groups["id"].Value).ToHashSet();
        Proofs().Select(proof => proof.Id).ShouldBeSubsetOf(known);
    }

    private static string Table()
    {
        var table = new StringBuilder("\n| id | proved by |\n| --- | --- |\n");
        foreach (var group in Proofs().GroupBy(proof => proof.Id).OrderBy(group => group.Key, StringComparer.Ordinal))
            table.Append($"| {group.Key} | {string.Join("; ", group.Select(proof => proof.Sentence).Distinct().Order(StringComparer.Ordinal))} |\n");
        return table.Append('\n').ToString();
    }

    private static IEnumerable<(string Id, string Sentence)> Proofs() =>
        from type in typeof(RequirementsTests).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
        let proves = method.GetCustomAttribute<ProvesAttribute>()
        where proves is not null
        from id in proves.Ids
        select (id, method.Name.Replace('_', ' '));

    internal static string RepositoryRoot()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "WmfCi.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new InvalidOperationException("The repository is not above the test's program.");
    }

    [GeneratedRegex(@"^\| (?<id>[A-Z0-9]+) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Id();
}
