using System.Diagnostics;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;
using WmfCi.Fakes;
using WmfCi.Service.Effects;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Benchmarks;

/// <summary>Events through inbox and loop: as many as it takes, and then at an even pace. The database keeps what it says.</summary>
internal static class EventsBenchmark
{
    private const int DefaultCount = 20_000;
    private const int LaneCount = 500;
    private const int AtOnce = 100;
    private const int Paced = 5_000;
    private static readonly TimeSpan Pace = TimeSpan.FromMilliseconds(10);
    private const int PerPace = 5;

    public static async Task RunAsync(Choices choices, CancellationToken cancellationToken)
    {
        await using var postgres = await PrivatePostgres.StartAsync(new PrivatePostgresOptions { Fsync = true }, cancellationToken);
        await using var database = await postgres.CreateAsync(cancellationToken);
        await Migrator.ApplyAsync(database.Source, cancellationToken);
        using var bells = new Bells();
        var policy = new CurrentPolicy();
        policy.Set(new Policy { Self = new Account("1", "wmfci", "WmfCi", "wmfci@example.org"), Links = new Links("http://ci.example.org") });
        using var loop = new LaneLoop(new Lanes(database.Source), bells, policy, TimeProvider.System, Boundary.None, NullLogger<LaneLoop>.Instance);
        using var listener = new WakeupListener(
            new Wakeups(database.Source), bells, new EffectStops(), new LogHints(_ => { }), new Surroundings(TimeProvider.System, Boundary.None, NullLoggerFactory.Instance));
        foreach (var service in (BackgroundService[])[listener, loop]) await service.StartAsync(cancellationToken);
        var inbox = new Inbox(database.Source);
        await StoreAsync(inbox, 0, 1_000, cancellationToken);
        await UntilHandledAsync(database, cancellationToken);

        var count = choices.Count ?? DefaultCount;
        var rates = new List<double>();
        for (var round = 0; round < 3; round++)
        {
            var began = Stopwatch.GetTimestamp();
            for (var stored = 0; stored < count / 3; stored += AtOnce) await StoreAsync(inbox, stored, AtOnce, cancellationToken);
            await UntilHandledAsync(database, cancellationToken);
            rates.Add(count / 3 / Stopwatch.GetElapsedTime(began).TotalSeconds);
        }
        await ExecuteAsync(database, "delete from events", cancellationToken);
        using (var timer = new PeriodicTimer(Pace))
            for (var stored = 0; stored < Paced; stored += PerPace)
            {
                await timer.WaitForNextTickAsync(cancellationToken);
                await StoreAsync(inbox, stored, PerPace, cancellationToken);
            }
        await UntilHandledAsync(database, cancellationToken);
        var waits = new List<double>();
        await using (var command = database.Source.CreateCommand("select extract(epoch from handled_at - received_at)::float8 * 1000 from events where state = 1"))
        await using (var reader = await command.ExecuteReaderAsync(cancellationToken))
            while (await reader.ReadAsync(cancellationToken)) waits.Add(reader.GetDouble(0));
        foreach (var service in (BackgroundService[])[loop, listener]) await service.StopAsync(CancellationToken.None);
        Figures.Print(
            "events, through inbox and loop",
            new Figures($"rate over {LaneCount} lanes, {AtOnce} at once", rates, "/s", "≥ 1000 /s"),
            new Figures("stored → handled, at up to 500/s", waits));
    }

    private static Task StoreAsync(Inbox inbox, int first, int count, CancellationToken cancellationToken) =>
        inbox.AddAsync([.. Enumerable.Range(first, count).Select(number => new LaneEvent(new ChangeId("benchmark", 1 + number % LaneCount).Lane, new Event.ChangePoked("comment-added")))], cancellationToken);

    private static async Task UntilHandledAsync(PrivateDatabase database, CancellationToken cancellationToken)
    {
        while (true)
        {
            await using var command = database.Source.CreateCommand("select exists (select from events where state = 0)");
            if (await command.ExecuteScalarAsync(cancellationToken) is false) return;
            await Task.Delay(5, cancellationToken);
        }
    }

    private static async Task ExecuteAsync(PrivateDatabase database, string sql, CancellationToken cancellationToken)
    {
        await using var command = database.Source.CreateCommand(sql);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }
}
