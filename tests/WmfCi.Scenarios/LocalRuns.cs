using System.Text;
using System.Text.RegularExpressions;
using WmfCi.Fakes;
using WmfCi.Scenarios.World;
using WmfCi.Service.Local;

namespace WmfCi.Scenarios;

/// <summary>A developer runs at their own desk what the service ran, and what it will run.</summary>
public sealed partial class LocalRuns
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Fact, Proves("LOCALTESTS")]
    public async Task What_failed_on_the_server_fails_again_at_the_desk_and_what_mends_it_is_tried_before_it_is_pushed()
    {
        await using var town = await Town.OpenAsync(await StandInPeer.StartAsync(Stop), Stop);
        using var cache = new TempFolder();
        var alice = await town.CloneAsync("alice", Stop);
        alice.Write(Pipelines.Path, Pipelines.OnTheHost.BuildAndTest).Write("build", "echo 'echo goodbye' > program; echo built for $WMFCI_CHANGE");
        var change = await alice.PushAsync("Add a program and its pipeline", Stop);
        var red = await change.UntilSaidAsync("failed in acceptance", Stop);
        var run = long.Parse(RunLink().Match(red.Body).Groups["run"].Value);
        await change.UntilVerifiedAsync(-1, Stop);
        var page = await PageAsync(town, run);
        page.ShouldContain($"wmfci local --run {run} acceptance --server http://ci.example.org");

        var (status, said) = await RunAsync(cache, new LocalRequest { Folder = alice.Folder, Run = run, Server = town.Service.Address!.ToString() });
        status.ShouldBe(LocalCommand.Red, said);
        said.ShouldMatch(@"commit +Passed +in run \d+, on the server");
        said.ShouldMatch(@"acceptance +Failed");

        alice.Write("build", "echo 'echo hello' > program");
        (status, said) = await RunAsync(cache, new LocalRequest { Folder = alice.Folder });
        status.ShouldBe(LocalCommand.Green, said);
        await alice.AmendAsync(change, "Add a program and its pipeline", Stop);
        await change.UntilVerifiedAsync(+1, Stop);
    }

    private static async Task<string> PageAsync(Town town, long run)
    {
        using var client = new HttpClient();
        return System.Net.WebUtility.HtmlDecode(await client.GetStringAsync(new Uri(town.Service.Address!, $"/runs/{run}"), Stop));
    }

    private static async Task<(int Status, string Said)> RunAsync(TempFolder cache, LocalRequest request)
    {
        using var output = new MemoryStream();
        await using var error = new StringWriter();
        var status = await new LocalCommand(new LocalPlace { CacheFolder = cache["wmfci"], Output = output, Error = error }).RunAsync(request, Stop);
        return (status, Encoding.UTF8.GetString(output.ToArray()) + error);
    }

    [GeneratedRegex("/runs/(?<run>[0-9]+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex RunLink();
}
