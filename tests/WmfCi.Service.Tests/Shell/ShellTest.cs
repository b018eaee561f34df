using Microsoft.Extensions.Logging;
using Npgsql;
using WmfCi.Core.Changes;
using WmfCi.Core.Pipelines;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Service.Effects;
using WmfCi.Service.Loop;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Shell;

/// <summary>A part of the shell on a real database.</summary>
public abstract class ShellTest : IAsyncLifetime
{
    protected static readonly DateTimeOffset Noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    protected static readonly Account Alice = new("1001", "alice", "Alice", "alice@example.org");
    protected static readonly ChangeId Change = new("tools/beaver", 7);

    // No claim runs out because the machine is slow; what is looked for from time to time is found soon.
    protected static readonly LeaseTimes Times = new()
    {
        Lane = TimeSpan.FromHours(1),
        Effect = TimeSpan.FromHours(1),
        EffectRenewal = TimeSpan.FromMilliseconds(100),
        Lease = TimeSpan.FromHours(1),
        LeaseRenewal = TimeSpan.FromMilliseconds(100),
    };

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan AskedEvery = TimeSpan.FromMilliseconds(20);
    private PrivateDatabase? _database;

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    protected NpgsqlDataSource Source => _database!.Source;

    protected Inbox Inbox => new(Source);

    protected Lanes Lanes => new(Source, Times);

    protected Outbox Outbox => new(Source, Times);

    protected Facts Facts => new(Source);

    protected static Surroundings Surroundings(TimeProvider? time = null) => new(time ?? TimeProvider.System, Boundary.None, LoggerFactory.Create(_ => { }));

    public virtual async ValueTask InitializeAsync()
    {
        Assert.SkipUnless(PrivatePostgres.MissingReason is null, PrivatePostgres.MissingReason ?? "");
        _database = await PrivatePostgres.CreateDatabaseAsync(MigrateAsync, Cancel);
    }

    public virtual async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        if (_database is not null) await _database.DisposeAsync();
    }

    protected static PatchSet PatchSet(int number = 1) => new(number, new string('a', 40), $"refs/changes/07/7/{number}", PatchSetKind.Rework, Alice, Noon);

    protected static Change Seen(bool isPrivate = false) => new()
    {
        Id = Change,
        Branch = "main",
        Subject = "Build a dam",
        Url = "https://gerrit.example.org/7",
        Owner = Alice,
        Status = ChangeStatus.Open,
        Current = PatchSet(),
        Updated = Noon,
        IsPrivate = isPrivate,
    };

    protected static Effect.ReadChange Read(long request) => new(Change, request, Noon);

    protected static Effect.PostReview Review(string name) => new(Change, new string('a', 40), 1, name, new ReviewMessage(MessageKind.Result, "Looks well"));

    protected static Effect.RunStage RunStage(AttemptId attempt) => new(
        attempt, new Stage { Name = attempt.Stage, Image = "host", Timeout = TimeSpan.FromMinutes(5) },
        new Source("c", "t", "b", "s", []), [], new RunFacts(Change, "main", 1, new string('a', 40)));

    protected static CurrentPolicy Policy()
    {
        var policy = new CurrentPolicy();
        policy.Set(new Policy
        {
            Self = new Account("1", "wmfci", "WmfCi", ""),
            Label = "Verified",
            Pass = 1,
            Fail = -1,
            AutomaticSince = Noon.AddDays(-1),
            HoldStrangers = false,
            Trusted = new TrustList { Usernames = [], Emails = [], Ids = [] },
            Links = new Links("https://ci.example.org"),
        });
        return policy;
    }

    protected async Task<int> ExecuteAsync(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync(Cancel);
    }

    protected async Task<T?> ReadAsync<T>(string sql)
    {
        await using var command = Source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancel) is T value ? value : default;
    }

    protected Task PokeAsync(params string[] lanes) => Inbox.AddAsync([.. lanes.Select(lane => new LaneEvent(lane, new Event.ChangePoked("poke")))], Cancel);

    /// <summary>Wishes effects, as a decision in the lane would.</summary>
    protected async Task WishAsync(params Effect[] effects)
    {
        await PokeAsync(Change.Lane);
        var claim = (await Lanes.ClaimAsync(1, Cancel)).ShouldHaveSingleItem();
        var state = claim.ReadState();
        (await Lanes.SaveAsync([new LaneOutcome(claim, state, state, effects, [.. claim.Events.Select(one => one.Id)], [])], Cancel)).ShouldBeTrue();
    }

    /// <summary>Waits for a fact of the database, of which nobody tells.</summary>
    protected async Task UntilAsync(string sql)
    {
        using var timer = new PeriodicTimer(AskedEvery);
        var begun = TimeProvider.System.GetTimestamp();
        while (!await ReadAsync<bool>(sql))
        {
            TimeProvider.System.GetElapsedTime(begun).ShouldBeLessThan(Patience, sql);
            await timer.WaitForNextTickAsync(Cancel);
        }
    }

    protected static Task WithinAsync(Task task) => task.WaitAsync(Patience, Cancel);

    protected static Task<T> WithinAsync<T>(Task<T> task) => task.WaitAsync(Patience, Cancel);

    private static async Task MigrateAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await Migrator.ApplyAsync(source, cancellationToken);
    }
}
