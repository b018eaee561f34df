using k8s;
using k8s.Models;
using WmfCi.Fakes;
using WmfCi.Scenarios.World;

namespace WmfCi.Scenarios.Installations;

/// <summary>WmfCi as a part of a cluster: what its manifests give to whom, and that it works there.</summary>
[Collection(typeof(Alone))]
public sealed class InstallationTests
{
    private static CancellationToken Stop => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("controller", "wmfci-database wmfci-gerrit wmfci-gerrit-ssh")]
    [InlineData("vcs", "wmfci-database wmfci-gerrit")]
    [InlineData("runner", "wmfci-database")]
    [InlineData("web", "wmfci-database-web")]
    public async Task A_role_holds_the_secrets_that_it_needs_and_no_other(string role, string secrets)
    {
        var pod = (await RenderAsync("base")).OfType<V1Deployment>().Single(one => one.Name() == "wmfci-" + role).Spec.Template.Spec;
        string.Join(' ', pod.Volumes.Select(volume => volume.Secret?.SecretName).OfType<string>().Order(StringComparer.Ordinal)).ShouldBe(secrets);
        pod.ServiceAccountName.ShouldBe("wmfci-" + role);
        pod.AutomountServiceAccountToken.ShouldBe(role == "runner");
    }

    [Fact]
    public async Task Only_the_runner_has_rights_in_the_cluster_and_only_over_stages()
    {
        var manifests = await RenderAsync("base");
        manifests.OfType<V1RoleBinding>().ShouldHaveSingleItem().Subjects.ShouldHaveSingleItem().Name.ShouldBe("wmfci-runner");
        manifests.OfType<V1Role>().ShouldHaveSingleItem().Namespace().ShouldBe("wmfci-stages");
        manifests.OfType<V1ClusterRoleBinding>().ShouldBeEmpty();
    }

    [Theory]
    [InlineData("base")]
    [InlineData("base", "--with-database")]
    [InlineData("single-node")]
    [InlineData("single-node", "--with-database")]
    public async Task The_cluster_accepts_every_way_to_install_it(string overlay, string? database = null)
    {
        NeedsCluster();
        await using var installer = new Installer();
        using var connection = new TempFolder();
        string[] how = database is null ? ["--database", connection.Write("connection", "Host=192.0.2.1;Password=secret")] : [database];
        var said = await installer.TryAsync([.. overlay == "base" ? [] : new[] { "--overlay", overlay }, .. how], Stop);
        said.ShouldContain("The cluster accepts it.");
        said.ShouldNotContain("secret");
    }

    [Fact, Proves("AUTOMATEDSELFDEPLOYMENT")]
    public async Task WmfCi_inside_the_cluster_tests_a_change_and_votes()
    {
        NeedsCluster();
        Assert.SkipUnless(PrivatePostgres.MissingReason is null, PrivatePostgres.MissingReason ?? "");
        Assert.SkipUnless((await Installer.KubectlAsync(["get", "namespace", "wmfci", "--ignore-not-found", "-o", "name"], Stop)).Length == 0, "WmfCi is installed in this cluster; the test leaves it alone");
        await using var gerrit = RealGerrit.IsThere ? new RealGerrit() : (GerritPeer)await StandInPeer.StartAsync(Stop);
        await using var database = await PrivatePostgres.CreateDatabaseAsync(Stop);
        await using var installer = new Installer();
        var project = await gerrit.CreateProjectAsync(Stop);
        var url = await installer.InstallAsync(gerrit, project, database, Stop);

        using var clone = await Clone.MakeAsync(gerrit, project, "alice", Stop);
        var pipelines = new Pipelines(ClusterGround.Image);
        var good = await clone.Write(Pipelines.Path, pipelines.Test).Write("test", Pipelines.Passing).PushAsync("Add a test", Stop);
        await good.UntilVerifiedAsync(1, Stop);
        (await good.UntilSaidAsync("passed", Stop)).Text.ShouldContain(url + "/runs/");
        var bad = await clone.Write("test", "exit 3").PushAsync("Break the test", Stop);
        await bad.UntilVerifiedAsync(-1, Stop);

        var pod = await Installer.KubectlAsync(["get", "pods", "-n", "wmfci", "-l", "app.kubernetes.io/component=web", "-o", "jsonpath={.items[0].status.podIP}"], Stop);
        using var browser = new HttpClient();
        (await browser.GetStringAsync($"http://{pod}:8080/", Stop)).ShouldContain("Break the test");
        (await MayAsync("runner", "create", "jobs", "wmfci-stages")).ShouldBe("yes");
        (await MayAsync("runner", "get", "secrets", "wmfci")).ShouldBe("no");
        (await MayAsync("web", "list", "pods", "wmfci-stages")).ShouldBe("no");
    }

    private static void NeedsCluster()
    {
        Assert.SkipUnless(Installer.Kubectl is not null, Installer.MissingKubectl);
        Assert.SkipUnless(ClusterGround.IsThere, ClusterGround.Missing);
    }

    private static async Task<List<object>> RenderAsync(string folder)
    {
        Assert.SkipUnless(Installer.Kubectl is not null, Installer.MissingKubectl);
        return KubernetesYaml.LoadAllFromString(await Installer.RenderAsync(folder, Stop));
    }

    // kubectl says no by its exit status, too.
    private static async Task<string> MayAsync(string role, string verb, string kind, string space)
    {
        try
        {
            return (await Installer.KubectlAsync(["auth", "can-i", verb, kind, "-n", space, "--as", $"system:serviceaccount:wmfci:wmfci-{role}"], Stop)).Trim();
        }
        catch (InvalidOperationException refused) when (refused.Message.Contains(": no", StringComparison.Ordinal))
        {
            return "no";
        }
    }
}
