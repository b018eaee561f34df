using WmfCi.Gerrit.StandIn;

namespace WmfCi.Gerrit.Tests.Contract;

/// <summary>The contract, held against the stand-in.</summary>
public sealed class StandInContract : CodeReviewContract
{
    private StandInGerrit? _gerrit;

    protected override async Task<ReviewServer> StartAsync()
    {
        _gerrit = await StandInGerrit.StartAsync(new StandInOptions(), TestContext.Current.CancellationToken);
        return new ReviewServer(new Uri(_gerrit.Url + "/"), _gerrit.SshHost, _gerrit.SshPort, _gerrit.KeysFolder, _gerrit.KnownHostsFile);
    }

    protected override ValueTask StopAsync() => _gerrit?.DisposeAsync() ?? ValueTask.CompletedTask;
}
