using System.CommandLine;
using WmfCi.Service.Local;

namespace WmfCi.Cli.Verbs;

/// <summary><c>wmfci local</c>: a repository's pipeline on a developer's own machine.</summary>
internal static class LocalVerb
{
    private const int MaxJobs = 64;

    public static Command Make()
    {
        var stages = new Argument<string[]>("STAGE") { Description = "Stages to run, with what they need (all when none is named; of a run those that failed).", Arity = ArgumentArity.ZeroOrMore };
        var folder = new Option<DirectoryInfo>("--folder") { Description = "The working tree, or a folder in it.", DefaultValueFactory = _ => new DirectoryInfo(Environment.CurrentDirectory) };
        var jobs = new Option<int>("--jobs", "-j") { Description = "How many stages run at once.", DefaultValueFactory = _ => 1 };
        var keep = new Option<bool>("--keep") { Description = "Keep the workspace of each stage, and say where." };
        var run = new Option<long?>("--run") { Description = "Run stages of this run of the server again, from its source and its artifacts, instead of the working tree." };
        var server = new Option<string?>("--server") { Description = "The server that has the run (else WMFCI_SERVER, else git config wmfci.server)." };
        jobs.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > MaxJobs) result.AddError($"--jobs is a number from 1 to {MaxJobs}.");
        });
        var command = new Command("local", "Run the pipeline of a working tree on this machine, uncommitted changes included, as the service would.") { stages, folder, jobs, keep, run, server };
        command.Validators.Add(result =>
        {
            if (result.GetResult(run) is { } given && given.GetValueOrDefault<long?>() is null or <= 0) result.AddError("--run is the number of a run, as its page's address has it.");
            if (result.GetResult(server) is not null && result.GetResult(run) is null) result.AddError("--server is for --run N.");
        });
        command.SetAction(async (parsed, cancellationToken) =>
        {
            var request = new LocalRequest
            {
                Folder = parsed.GetValue(folder)!.FullName,
                Stages = parsed.GetValue(stages) ?? [],
                Jobs = parsed.GetValue(jobs),
                Keep = parsed.GetValue(keep),
                Run = parsed.GetValue(run),
                Server = parsed.GetValue(server),
            };
            return await RunAsync(request, cancellationToken);
        });
        return command;
    }

    private static async Task<int> RunAsync(LocalRequest request, CancellationToken cancellationToken)
    {
        try
        {
            return await new LocalCommand(LocalPlace.Usual()).RunAsync(request, cancellationToken);
        }
        catch (LocalException error)
        {
            await Console.Error.WriteLineAsync($"wmfci: {error.Message}");
            return LocalCommand.Impossible;
        }
    }
}
