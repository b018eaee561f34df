using System.Reflection;
using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace WmfCi.Core.Tests;

/// <summary>Who may know whom. A new edge is a decision about the architecture: it belongs here, and in the documentation, first.</summary>
public sealed class ArchitectureTests
{
    private static readonly string[] _inside = ["WmfCi.Core", "WmfCi.Config", "WmfCi.Ports", "WmfCi.Storage", "WmfCi.Commands"];

    /// <summary>Integrations that know nothing of ours: others could use them as they are.</summary>
    private static readonly string[] _standAlone = ["WmfCi.Gerrit.StandIn", "WmfCi.Irc"];

    private static readonly string _root = FindRoot();

    private static readonly Dictionary<string, (string Folder, XDocument Project)> _projects = Directory
        .EnumerateFiles(_root, "*.csproj", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
        .Where(path => !path.Contains("/bin/", StringComparison.Ordinal) && !path.Contains("/obj/", StringComparison.Ordinal))
        .ToDictionary(path => Path.GetFileNameWithoutExtension(path), path => (Path.GetRelativePath(_root, path).Split('/')[0], XDocument.Load(path)));

    [Fact]
    public void Dependencies_point_inwards()
    {
        _projects.Count.ShouldBeGreaterThan(10, "the projects are found");
        foreach (var (name, (folder, project)) in _projects)
        {
            foreach (var target in References(project)) Allows(name, folder, target).ShouldBeTrue($"{name} may not reference {target}");
        }
    }

    [Theory]
    [InlineData("WmfCi.Core", "src", "WmfCi.Ports", false)]
    [InlineData("WmfCi.Storage", "src", "WmfCi.Core", true)]
    [InlineData("WmfCi.Storage", "src", "WmfCi.Ports", false)]
    [InlineData("WmfCi.Commands", "commands", "WmfCi.Core", true)]
    [InlineData("WmfCi.Commands", "commands", "WmfCi.Storage", false)]
    [InlineData("WmfCi.Gerrit", "integrations", "WmfCi.Ports", true)]
    [InlineData("WmfCi.Gerrit", "integrations", "WmfCi.Git", false)]
    [InlineData("WmfCi.Gerrit.StandIn", "integrations", "WmfCi.Ports", false)]
    [InlineData("WmfCi.Service", "src", "WmfCi.Git", true)]
    [InlineData("WmfCi.Service", "src", "WmfCi.Cli", false)]
    [InlineData("WmfCi.Cli", "src", "WmfCi.Service", true)]
    [InlineData("WmfCi.Cli", "src", "WmfCi.Storage", false)]
    [InlineData("WmfCi.Kubernetes", "integrations", "WmfCi.Workspaces", true)]
    [InlineData("WmfCi.Gerrit", "integrations", "WmfCi.Workspaces", false)]
    [InlineData("WmfCi.Pod", "src", "WmfCi.Workspaces", true)]
    [InlineData("WmfCi.Pod", "src", "WmfCi.Service", false)]
    [InlineData("WmfCi.Git.Tests", "tests", "WmfCi.Service", true)]
    [InlineData("WmfCi.Unheard", "src", "WmfCi.Core", false)]
    public void The_guard_itself_is_right(string name, string folder, string target, bool isAllowed) => Allows(name, folder, target).ShouldBe(isAllowed);

    [Fact]
    public void Every_project_lies_in_a_folder_of_the_design() =>
        _projects.Values.Select(project => project.Folder).Distinct(StringComparer.Ordinal).ShouldBeSubsetOf(["src", "commands", "integrations", "tests"]);

    [Fact]
    public void Rules_and_commands_use_no_package()
    {
        foreach (var name in new[] { "WmfCi.Core", "WmfCi.Commands" })
        {
            _projects[name].Project.Descendants().Where(element => element.Name.LocalName is "PackageReference" or "FrameworkReference").ShouldBeEmpty();
            XDocument.Load(Path.Combine(_root, "Directory.Build.props")).Descendants("PackageReference")
                .Where(reference => reference.Attribute("PrivateAssets")?.Value != "all").ShouldBeEmpty("analyzers are for building only");
        }
    }

    [Fact]
    public void Nothing_in_the_rules_waits()
    {
        var types = new[] { typeof(CoreJson).Assembly, typeof(Commands.CommandList).Assembly }.SelectMany(assembly => assembly.GetTypes());
        const BindingFlags all = BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static | BindingFlags.Instance | BindingFlags.DeclaredOnly;
        types.SelectMany(type => type.GetMethods(all))
            .Where(method => typeof(Task).IsAssignableFrom(method.ReturnType) || method.ReturnType.Name.StartsWith("ValueTask", StringComparison.Ordinal)
                || method.GetCustomAttribute<AsyncStateMachineAttribute>() is not null)
            .Select(method => $"{method.DeclaringType}.{method.Name}").ShouldBeEmpty();
    }

    [Fact]
    public void Nothing_in_the_rules_looks_at_the_clock_at_chance_or_at_the_machine()
    {
        var forbidden = new Regex(
            @"\b(DateTime|DateTimeOffset)\s*\.\s*(Now|UtcNow|Today)\b|\bTimeProvider\b|\bStopwatch\b|\bRandom\b|\bGuid\s*\.\s*NewGuid\b|\bEnvironment\s*\.|\bFile\s*\.|\bDirectory\s*\.|\bHttpClient\b|\bThread\b|\bConsole\s*\.",
            RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10));
        forbidden.IsMatch("var now = DateTimeOffset.UtcNow;").ShouldBeTrue();
        var sources = new[] { "src/WmfCi.Core", "commands/WmfCi.Commands" }
            .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(_root, folder), "*.cs", SearchOption.AllDirectories))
            .Where(path => !path.Contains("/obj/", StringComparison.Ordinal)).ToList();
        sources.Count.ShouldBeGreaterThan(10);
        sources.Where(path => forbidden.IsMatch(File.ReadAllText(path))).ShouldBeEmpty();
    }

    private static bool Allows(string name, string folder, string target) => (folder, name) switch
    {
        ("tests", _) => true,
        ("src", "WmfCi.Core") => false,
        ("src", "WmfCi.Pod") => target == "WmfCi.Workspaces",
        ("src", "WmfCi.Cli") => target == "WmfCi.Service",
        ("src", "WmfCi.Service") => _inside.Contains(target) || FolderOf(target) == "integrations",
        ("src", _) or ("commands", _) => _inside.Contains(name) && target == "WmfCi.Core",
        ("integrations", "WmfCi.LocalRunner" or "WmfCi.Kubernetes") => target is "WmfCi.Ports" or "WmfCi.Workspaces",
        ("integrations", _) => !_standAlone.Contains(name) && target == "WmfCi.Ports",
        _ => false,
    };

    private static string? FolderOf(string project) => _projects.TryGetValue(project, out var found) ? found.Folder : null;

    private static IEnumerable<string> References(XDocument project) => project.Descendants("ProjectReference")
        .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value.Replace('\\', '/')));

    private static string FindRoot([CallerFilePath] string here = "")
    {
        for (var folder = Path.GetDirectoryName(here); folder is not null; folder = Path.GetDirectoryName(folder))
            if (File.Exists(Path.Combine(folder, "WmfCi.sln"))) return folder;
        throw new InvalidOperationException($"No WmfCi.sln above {here}: run the tests from the checkout that they were built in.");
    }
}
