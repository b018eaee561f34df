using WmfCi.Core.Runs;
using WmfCi.LocalRunner;

namespace WmfCi.Service.Local;

/// <summary><c>wmfci local</c>: the pipeline of a working tree, or a run of the server again, on this machine with the same images and the same steps.</summary>
/// <param name="place">Where it works and speaks.</param>
public sealed class LocalCommand(LocalPlace place)
{
    /// <summary>Everything that may vote passed.</summary>
    public const int Green = 0;

    /// <summary>Something that may vote failed.</summary>
    public const int Red = 1;

    /// <summary>Nothing was run: the words, the configuration, the server or the machine do not allow it.</summary>
    public const int Impossible = 2;

    /// <summary>It was stopped from outside.</summary>
    public const int Interrupted = 130;

    /// <summary>Runs it.</summary>
    /// <returns>The exit status of the process.</returns>
    public async Task<int> RunAsync(LocalRequest request, CancellationToken cancellationToken)
    {
        try
        {
            var cache = new LocalCache(place.CacheFolder, place.Time);
            var output = new LocalOutput(place.Output, place.Time);
            return await RunAsync(request, cache, output, cancellationToken);
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            await place.Error.WriteLineAsync("wmfci: stopped.");
            return Interrupted;
        }
        catch (Exception error) when (error is LocalException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            await place.Error.WriteLineAsync($"wmfci: {error.Message}");
            return Impossible;
        }
    }

    private async Task<int> RunAsync(LocalRequest request, LocalCache cache, LocalOutput output, CancellationToken cancellationToken)
    {
        await using var runner = new LocalJobRunner(Options(request, cache), cache, place.Time);
        // What the machine can do is found out while the source is made.
        var checking = runner.CheckAsync(cancellationToken);
        LocalPlan plan;
        RunnerCheck check;
        try
        {
            cache.Prune();
            await runner.SweepAsync(cancellationToken);
            plan = request.Run is { } number ? await ReplayPlan.MakeAsync(request, number, (cache, place), output, cancellationToken) : await WorkTreePlan.MakeAsync(request, cache, output, cancellationToken);
            check = await checking;
        }
        finally
        {
            await ((Task)checking).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        Demand(plan, check);
        output.IsPrefixed = request.Jobs > 1 && plan.ToRun.Skip(1).Any();
        var run = await new LocalRun(plan, runner, cache, output).RunAsync(request.Jobs, cancellationToken);
        output.Line("");
        foreach (var line in ResultTable.Lines(run, plan)) output.Line(line);
        return run.Result == RunResult.Success ? Green : Red;
    }

    private LocalRunnerOptions Options(LocalRequest request, LocalCache cache) =>
        place.Adjust(new LocalRunnerOptions { WorkFolder = cache.WorkFolder, HasServices = true, KeptFolder = request.Keep ? cache.KeptFolder : null });

    private static void Demand(LocalPlan plan, RunnerCheck check)
    {
        var stages = plan.ToRun.ToList();
        if (stages.Count == 0) throw new LocalException($"None of the stages can be run here: {string.Join(" ", plan.Pipeline.Stages.Select(stage => $"{stage.Id}: {stage.Unavailable}"))}");
        if (stages.Exists(stage => stage.Image == "host") && check.HostProblem is { } host) throw new LocalException($"Stages with `image: host` cannot run on this machine: {host}");
        if (stages.Find(stage => stage.Image != "host") is { } named && check.ImageProblem is { } image) throw new LocalException($"Stages with an image such as {named.Image} cannot run on this machine: {image}");
    }
}
