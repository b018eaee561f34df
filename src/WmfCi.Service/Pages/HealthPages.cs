using Microsoft.AspNetCore.Http;
using WmfCi.Storage;

namespace WmfCi.Service.Pages;

/// <summary>Whether the service lives, and whether it is ready. Plain text: programs and tired people read it.</summary>
/// <param name="upkeep">The database.</param>
/// <param name="options">What else must be well.</param>
/// <param name="time">Measures how long a check may take.</param>
public sealed class HealthPages(Upkeep upkeep, PageOptions options, TimeProvider time)
{
    /// <summary>How long a check may take.</summary>
    public static readonly TimeSpan MaxCheck = TimeSpan.FromSeconds(3);

    /// <summary>Answers as long as the process does.</summary>
    public static IResult Live() => Text(StatusCodes.Status200OK, "alive\n");

    /// <summary>200 when everything is well, else 503 with a line for each thing that is not.</summary>
    public async Task<IResult> ReadyAsync(CancellationToken cancellationToken)
    {
        IEnumerable<HealthCheck> checks = [new HealthCheck("database", PingAsync), .. options.HealthChecks];
        var problems = (await Task.WhenAll(checks.Select(check => ProblemAsync(check, cancellationToken)))).OfType<string>().ToList();
        return problems.Count == 0 ? Text(StatusCodes.Status200OK, "ready\n") : Text(StatusCodes.Status503ServiceUnavailable, string.Concat(problems.Select(problem => problem + "\n")));
    }

    private async Task<string?> PingAsync(CancellationToken cancellationToken)
    {
        await upkeep.PingAsync(cancellationToken);
        return null;
    }

    private async Task<string?> ProblemAsync(HealthCheck check, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(MaxCheck, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await Task.Run(() => check.Problem(both.Token), both.Token).WaitAsync(both.Token) is { } problem ? $"{check.Name}: {problem}" : null;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"{check.Name}: no answer within {MaxCheck.TotalSeconds:0} s";
        }
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            // The message may hold addresses and names of accounts; the log of whoever fails has it.
            return $"{check.Name}: failed ({exception.GetType().Name})";
        }
    }

    private static IResult Text(int status, string text) => Results.Text(text, "text/plain; charset=utf-8", statusCode: status);
}
