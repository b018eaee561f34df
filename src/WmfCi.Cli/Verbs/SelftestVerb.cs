using System.CommandLine;
using System.Net;
using System.Text.RegularExpressions;
using WmfCi.Kubernetes.SelfTest;
using WmfCi.ObjectStore;
using WmfCi.Service;

namespace WmfCi.Cli.Verbs;

/// <summary><c>wmfci selftest kubernetes</c>: whether a cluster is fit for stages, and what to mend.</summary>
internal static partial class SelftestVerb
{
    public static Command Make()
    {
        var command = new Command("selftest", "Check what the service needs from others, and say what to mend.");
        command.Subcommands.Add(MakeKubernetes());
        return command;
    }

    private static Command MakeKubernetes()
    {
        var config = SiteArgument.Make();
        var image = new Option<string?>("--image") { Description = "An image that stages use, with /bin/sh; real stages run in it." };
        var address = new Option<IPAddress?>("--address")
        {
            Description = "The address of this machine at which pods reach it, where it is not the exchange's.",
            CustomParser = result => IPAddress.TryParse(result.Tokens[0].Value, out var given) ? given : Refuse(result, $"“{result.Tokens[0].Value}” is no address."),
        };
        var json = new Option<bool>("--json") { Description = "Print one JSON object for programs." };
        var role = new Option<bool>("--print-role") { Description = "Print the Role that the service's account needs, for kubectl apply -f -, and do nothing else." };
        var account = new Option<string>("--account") { Description = "The ServiceAccount that the Role is bound to: NAMESPACE/NAME.", DefaultValueFactory = _ => "wmfci/wmfci-runner" };
        account.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<string>() is not { } given || !AccountName().IsMatch(given)) result.AddError("--account wants NAMESPACE/NAME of a ServiceAccount.");
        });
        var command = new Command("kubernetes", "Check the cluster that stages run on: versions, rights, quota, and what a step can do and reach there.") { config, image, address, json, role, account };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            if (SiteArgument.Read(parsed.GetValue(config)!) is not { } site) return 2;
            if (site.Runner.Kubernetes is not { } settings) return await RefuseAsync("the site's stages do not run on Kubernetes: `runner.kind` is not `kubernetes`.");
            if (parsed.GetValue(role))
            {
                var words = parsed.GetValue(account)!.Split('/');
                await Console.Out.WriteAsync(Rights.RoleYaml(settings.Namespace, (words[0], words[1])));
                return 0;
            }
            if (parsed.GetValue(image) is not { Length: > 0 } stageImage)
                return await RefuseAsync("which image? Write --image with one that stages use, such as docker.io/library/debian:stable-slim; it needs /bin/sh.");
            var options = new SelfTestOptions { Cluster = settings.ClusterOptions(), Runner = site.KubernetesOptions(settings), StageImage = stageImage, Address = parsed.GetValue(address) };
            return await RunAsync(options, parsed.GetValue(json), cancellationToken);
        });
        return command;
    }

    private static IPAddress? Refuse(System.CommandLine.Parsing.ArgumentResult result, string why)
    {
        result.AddError(why);
        return null;
    }

    private static async Task<int> RefuseAsync(string why)
    {
        await Console.Error.WriteLineAsync($"wmfci: {why}");
        return 2;
    }

    private static async Task<int> RunAsync(SelfTestOptions options, bool isJson, CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("wmfci-selftest-");
        try
        {
            var isColoured = !Console.IsOutputRedirected && Environment.GetEnvironmentVariable("NO_COLOR") is not { Length: > 0 };
            var test = new ClusterSelfTest(options, new FolderStore(folder.FullName), TimeProvider.System);
            var checks = await test.RunAsync(check =>
            {
                if (!isJson) Console.WriteLine(SelfTestText.Of(check, isColoured));
            }, cancellationToken);
            Console.WriteLine(isJson ? SelfTestText.ToJson(checks) : "\n" + SelfTestText.Sum(checks));
            return SelfTestText.IsGood(checks) ? 0 : 1;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await Console.Error.WriteLineAsync("wmfci: stopped; what the self-test had made is removed.");
            return 1;
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"wmfci: {error.Message}");
            return 1;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [GeneratedRegex(@"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?/[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex AccountName();
}
