using WmfCi.Gerrit.StandIn;

namespace WmfCi.Gerrit.Tests.StandIn;

public sealed class StandInFixture : GerritFixture
{
    private StandInGerrit? gerrit;

    protected override async Task<IReadOnlyDictionary<string, string>?> FindAsync()
    {
        gerrit = await StandInGerrit.StartAsync(new StandInOptions(), TestContext.Current.CancellationToken);
        return gerrit.Environment;
    }

    protected override async ValueTask StopAsync()
    {
        if (gerrit is not null) await gerrit.DisposeAsync();
    }
}

public sealed class RealGerritFixture : GerritFixture
{
    private static readonly string[] Names = ["GERRIT_URL", "GERRIT_SSH_HOST", "GERRIT_SSH_PORT", "GERRIT_KEYS", "GERRIT_KNOWN_HOSTS"];

    protected override Task<IReadOnlyDictionary<string, string>?> FindAsync()
    {
        var found = Names.ToDictionary(n => n, n => Environment.GetEnvironmentVariable(n) ?? "");
        return Task.FromResult<IReadOnlyDictionary<string, string>?>(found.Values.All(v => v.Length > 0) ? found : null);
    }
}

/// <summary>The contract, kept by the stand-in.</summary>
public sealed class StandInContract(StandInFixture fixture) : GerritContract(fixture), IClassFixture<StandInFixture>;

/// <summary>The contract, kept by the real server: the proof that it is the right contract.</summary>
public sealed class RealGerritContract(RealGerritFixture fixture) : GerritContract(fixture), IClassFixture<RealGerritFixture>;
