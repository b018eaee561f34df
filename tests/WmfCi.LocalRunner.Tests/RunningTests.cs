using WmfCi.Core.Runs;

namespace WmfCi.LocalRunner.Tests;

public sealed class RunningTests
{
    public RunningTests() => Needs.Bubblewrap();

    [Fact]
    public async Task Steps_run_one_after_another_in_the_workspace()
    {
        await using var bench = new Bench();
        var told = await bench.RunAsync("pwd; cat README; echo more > made", "cat made");
        told.Report.Kind.ShouldBe(OutcomeKind.Succeeded, told.Output + told.Report.Explanation);
        told.Output.ShouldBe("/work\nhello\nmore\n");
        told.Steps.ShouldBe(["step 1", "step 2"]);
        told.Report.Explanation.ShouldBeEmpty();
    }
}
