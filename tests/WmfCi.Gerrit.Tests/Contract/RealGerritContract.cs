namespace WmfCi.Gerrit.Tests.Contract;

/// <summary>The contract on a real Gerrit, named by the environment as the test bed's <c>gerrit env</c> prints it.</summary>
public sealed class RealGerritContract : CodeReviewContract
{
    protected override Task<ReviewServer> StartAsync()
    {
        var (url, host, port, keys, known) = (Read("GERRIT_URL"), Read("GERRIT_SSH_HOST"), Read("GERRIT_SSH_PORT"), Read("GERRIT_KEYS"), Read("GERRIT_KNOWN_HOSTS"));
        Assert.SkipUnless(url is not null && host is not null && port is not null && keys is not null && known is not null,
            "No real Gerrit: set GERRIT_URL, GERRIT_SSH_HOST, GERRIT_SSH_PORT, GERRIT_KEYS and GERRIT_KNOWN_HOSTS.");
        return Task.FromResult(new ReviewServer(new Uri(url.TrimEnd('/') + "/"), host, int.Parse(port, System.Globalization.CultureInfo.InvariantCulture), keys, known));
    }

    private static string? Read(string name) => Environment.GetEnvironmentVariable(name);
}
