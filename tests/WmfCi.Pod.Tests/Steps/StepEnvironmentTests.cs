using System.Text;
using WmfCi.Core.Pipelines;
using WmfCi.Pod.Steps;

namespace WmfCi.Pod.Tests.Steps;

public sealed class StepEnvironmentTests
{
    [Fact]
    public void The_orders_path_counts_where_the_image_has_none() => Make("A=1\0", new Variable("PATH", "/order")).ShouldBe(["A=1", "PATH=/order"]);

    [Fact]
    public void The_images_path_counts_before_the_orders() => Make("PATH=/image\0", new Variable("PATH", "/order")).ShouldBe(["PATH=/image"]);

    [Fact]
    public void Later_variables_win() => Make("A=1\0", new Variable("A", "2"), new Variable("A", "3")).ShouldBe(["A=3"]);

    [Fact]
    public void What_the_cluster_set_is_hidden() =>
        Make("KUBERNETES_PORT=1\0WMFCI_EXCHANGE=2\0WMFCI_POD=3\0WMFCI_PODIUM=4\0", new Variable("WMFCI_RUN", "5")).ShouldBe(["WMFCI_PODIUM=4", "WMFCI_RUN=5"]);

    [Fact]
    public void What_cannot_be_said_is_left_out() => Make("noequals\0=noname\0\0A=", new Variable("", "x"), new Variable("B=C", "x"), new Variable("D", "x\0y")).ShouldBe(["A="]);

    private static string[] Make(string own, params Variable[] ordered) => [.. StepEnvironment.Make(Encoding.UTF8.GetBytes(own), ordered).Select(Encoding.UTF8.GetString)];
}
