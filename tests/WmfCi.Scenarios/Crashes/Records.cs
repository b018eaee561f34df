using Npgsql;
using WmfCi.Core.Runs;
using WmfCi.Scenarios.World;
using WmfCi.Storage;

namespace WmfCi.Scenarios.Crashes;

/// <summary>What the service has on record, read beside it.</summary>
internal sealed class Records : IAsyncDisposable
{
    private static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(150);

    private readonly NpgsqlDataSource _source;

    private Records(NpgsqlDataSource source) => _source = source;

    public static Records Of(Town town) => new(NpgsqlDataSource.Create(town.ConnectionString));

    /// <summary>Prepares a town's database as a service that ran before has left it: what is pushed from now on is new to it, even where it dies before it has read who it is.</summary>
    public static async Task<Records> PrepareAsync(Town town, CancellationToken cancellationToken)
    {
        var records = Of(town);
        await Migrator.ApplyAsync(records._source, cancellationToken);
        await new Facts(records._source).ReadOrSetAsync(Facts.Installed, TimeProvider.System.GetUtcNow(), cancellationToken);
        return records;
    }

    /// <summary>Waits until the change is voted on and nothing waits any more, or the process has ended.</summary>
    /// <returns>What went wrong; empty when nothing did.</returns>
    public async Task<string> UntilSettledAsync(ChangePage change, Replica? replica, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(ChangePage.Patience);
        try
        {
            var before = -1L;
            while (replica is not { HasEnded: true })
            {
                // Its own messages come back as events: only when nothing new came between two looks it is over.
                var handled = await HandledAsync(patience.Token);
                if (handled is { } now && now == before && await change.VerifiedAsync(patience.Token) == 1) return "";
                before = handled ?? -1;
                await Task.Delay(LookEvery, patience.Token);
            }
            return "";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            var said = string.Join("\n---\n", await change.SaidAsync(cancellationToken));
            return $"It did not settle. Said on the change: {said}\nWaiting: {await WaitingAsync(cancellationToken)}";
        }
    }

    /// <summary>What is wrong with a green change of two stages; empty when nothing is.</summary>
    public async Task<string> JudgeAsync(ChangePage change, CancellationToken cancellationToken)
    {
        var troubles = new List<string>();
        var said = await change.SaidAsync(cancellationToken);
        if (said.Count != 2 || !said[0].Body.StartsWith("Testing patch set 1", StringComparison.Ordinal) || !said[1].Body.StartsWith("Patch set 1 passed", StringComparison.Ordinal))
            troubles.Add($"Said was:\n{string.Join("\n---\n", said)}");
        if (said.Count(message => message.Text.Contains("Verified+1", StringComparison.Ordinal)) != 1) troubles.Add("It was not voted exactly once.");
        var backlog = await new Upkeep(_source).BacklogAsync(cancellationToken);
        // That nothing waited was seen before; catching up may have brought another look at the change since.
        if (backlog.Quarantined > 0) troubles.Add($"{backlog}: {await WaitingAsync(cancellationToken)}");
        var runs = await RunsAsync(cancellationToken);
        if (runs is not [{ Result: RunResult.Success }]) troubles.Add($"{runs.Count} runs: {string.Join(", ", runs.Select(run => run.Result))}");
        foreach (var stage in runs.SelectMany(run => run.Stages))
        {
            var outcomes = stage.Attempts.Select(attempt => attempt.Outcome?.Kind).ToList();
            // Lost attempts are ours: that of the killed process, and on a slow machine one of an heir that was taken for dead. The stage itself succeeds once.
            var once = outcomes is [.. var lost, OutcomeKind.Succeeded] && lost.TrueForAll(kind => kind == OutcomeKind.InfrastructureFailed);
            if (!once) troubles.Add($"{stage.Stage}: {string.Join(", ", outcomes)}");
        }
        return string.Join('\n', troubles);
    }

    public async Task<IReadOnlyList<Run>> RunsAsync(CancellationToken cancellationToken) =>
        [.. (await new RunTable(_source).RecentAsync(new RunId(long.MaxValue), 10, cancellationToken)).Select(stored => stored.Run)];

    /// <summary>The process that carries out a stage.</summary>
    public async Task<int?> RunnerAsync(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand("select split_part(claimed_by, '/', 2)::int from effects where pool = 'runner' and state = 0 and claimed_until > now()");
        return await command.ExecuteScalarAsync(cancellationToken) as int?;
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

    // Null while something waits.
    private async Task<long?> HandledAsync(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(
            """
            select case when exists (select from events where state = 0) or exists (select from effects where state = 0) then null
                else (select count(*) from events) + (select count(*) from effects) end
            """);
        return await command.ExecuteScalarAsync(cancellationToken) as long?;
    }

    private async Task<string> WaitingAsync(CancellationToken cancellationToken)
    {
        await using var command = _source.CreateCommand(
            """
            select coalesce(string_agg(format('%s state %s, attempts %s: %s %s', what, state, attempts, body, reason), E'\n'), 'nothing') from (
                select 'event' what, state, attempts, left(body::text, 200) body, reason from events where state <> 1
                union all select 'effect', state, attempts, left(body::text, 200), reason from effects where state <> 1) one
            """);
        return (string)(await command.ExecuteScalarAsync(cancellationToken))!;
    }
}
