using System.Diagnostics;
using System.Text;
using CliWrap;
using CliWrap.Buffered;
using WmfCi.Fakes;
using WmfCi.Scenarios.Installations;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios;

/// <summary>The first command of the README, as a newcomer types it.</summary>
[Collection(typeof(Alone))]
public sealed class SandboxTests
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact, Proves("SELFHOSTABLE", "UNDERSTANDABLE")]
    public async Task The_sandbox_starts_turns_a_change_green_and_leaves_nothing_running() => await TryAsync([]);

    [Fact, Proves("SELFHOSTABLE")]
    public async Task The_sandbox_runs_stages_on_a_cluster_and_leaves_nothing_there()
    {
        Assert.SkipUnless(Installer.Kubectl is not null, Installer.MissingKubectl);
        Assert.SkipUnless(ClusterGround.IsThere, ClusterGround.Missing);
        using var told = new TempFolder();
        var file = told.Write("cluster", $"""
            KUBECONFIG={Environment.GetEnvironmentVariable("WMFCI_TEST_KUBECONFIG")}
            TESTBED_KUBECTL={Installer.Kubectl}
            TESTBED_REGISTRY={Installer.Registry}
            TESTBED_BASE_IMAGE={ClusterGround.Image}
            TESTBED_HOST_IP={Installer.Here}
            """);
        var space = await TryAsync(["--kubernetes", file]);
        space.ShouldStartWith("wmfci-sandbox-");
        (await Installer.KubectlAsync(["get", "namespace", space, "--ignore-not-found", "-o", "name"], Stop)).ShouldBeEmpty();
    }

    /// <summary>Goes through what a newcomer does.</summary>
    /// <returns>The namespace of the stages; empty where they ran here.</returns>
    private static async Task<string> TryAsync(string[] options)
    {
        Assert.SkipUnless(PrivatePostgres.MissingReason is null, PrivatePostgres.MissingReason ?? "");
        using var folder = new TempFolder();
        var space = "";
        try
        {
            var shown = await SandboxAsync(["--state", folder.Path, "--detach", .. options]);
            space = File.Exists(folder["run/cluster"]) ? (await File.ReadAllLinesAsync(folder["run/cluster"], Stop))[2] : "";
            shown.ShouldContain("git push origin HEAD:refs/for/main");
            var told = Read(folder["sandbox.env"]);
            using var clone = await Clone.FromAsync(told["GERRIT_CLONE_URL"], "alice", Stop);
            var pushed = await clone.Write("README", "Hello\n").PushForLinkAsync("Say hello", Stop);
            await UntilGreenAsync(told, pushed);
            using var web = new HttpClient();
            (await web.GetStringAsync(told["WMFCI_URL"], Stop)).ShouldContain("Say hello");
        }
        finally
        {
            await SandboxAsync(["--state", folder.Path, "--stop"]);
        }
        await UntilNothingRunsAsync(folder.Path);
        return space;
    }

    private static async Task UntilGreenAsync(Dictionary<string, string> told, int change)
    {
        using var client = new HttpClient();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Stop);
        patience.CancelAfter(ChangePage.Patience);
        // A person would look at the page until it says so.
        while (!(await client.GetStringAsync($"{told["GERRIT_URL"]}/changes/{change}/detail", patience.Token)).Contains("Verified+1", StringComparison.Ordinal))
            await Task.Delay(200, patience.Token);
    }

    private static Dictionary<string, string> Read(string file) =>
        File.ReadLines(file).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1].Trim('"'), StringComparer.Ordinal);

    private static async Task<string> SandboxAsync(IReadOnlyList<string> arguments)
    {
        var result = await CliWrap.Cli.Wrap(Path.Combine(RequirementsTests.RepositoryRoot(), "deploy", "sandbox")).WithArguments(arguments)
            .WithValidation(CommandResultValidation.None).ExecuteBufferedAsync(Encoding.UTF8, Stop);
        return result.ExitCode == 0 ? result.StandardOutput : throw new InvalidOperationException($"deploy/sandbox {string.Join(' ', arguments)}: {result.StandardOutput}{result.StandardError}");
    }

    // Who was killed is still there for a moment.
    private static async Task UntilNothingRunsAsync(string folder)
    {
        for (var begun = Stopwatch.GetTimestamp(); Processes(folder) is { Count: > 0 } left; await Task.Delay(100, Stop))
            if (Stopwatch.GetElapsedTime(begun) > Patience) left.ShouldBeEmpty();
    }

    private static List<string> Processes(string folder) =>
        [.. Directory.EnumerateDirectories("/proc").Select(CommandLine).Where(line => line.Contains(folder, StringComparison.Ordinal))];

    private static string CommandLine(string process)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, "cmdline")).Replace('\0', ' ');
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            return "";
        }
    }
}
