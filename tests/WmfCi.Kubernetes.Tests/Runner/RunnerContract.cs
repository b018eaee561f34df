using WmfCi.Core.Runs;
using WmfCi.Kubernetes.Tests.Faults;

namespace WmfCi.Kubernetes.Tests.Runner;

/// <summary>What every cluster must do for stages, the oldest and the newest and the one that tests make up.</summary>
public abstract class RunnerContract
{
    internal abstract Site Where();

    [Fact]
    public async Task Steps_run_one_after_another_in_one_workspace_and_what_they_leave_is_kept()
    {
        await using var here = await Worksite.OpenAsync(Where());
        var stage = here.StageOf("cat README; mkdir out; echo one > out/one", "echo two > out/two; cat out/one; pwd; id -un") with { Artifacts = ["out/*"], Reports = ["junit.xml"] };
        var heard = await here.RunAsync(stage);

        heard.Report.Kind.ShouldBe(OutcomeKind.Succeeded, heard.ToString());
        heard.Report.Explanation.ShouldBeEmpty();
        heard.Steps.ShouldBe(["step 1", "step 2"]);
        heard.Output.ShouldBe("hello\none\n/work\nci\n");
        heard.Report.Files.Select(file => file.Path).ShouldBe(["out/one", "out/two"]);
        (await here.TextOfAsync(heard.Report.Files[1])).ShouldBe("two\n");
        heard.Notes.ShouldHaveSingleItem().ShouldContain("junit.xml");
    }

    [Fact]
    public async Task The_first_step_that_fails_ends_the_stage_and_its_files_are_kept_all_the_same()
    {
        await using var here = await Worksite.OpenAsync(Where());
        var heard = await here.RunAsync(here.StageOf("echo fine", "echo broken >&2; echo log > log; exit 7", "echo never") with { Artifacts = ["log"] });

        heard.Report.Kind.ShouldBe(OutcomeKind.Failed, heard.ToString());
        heard.Report.FailedStep.ShouldBe("step 2");
        heard.Report.ExitCode.ShouldBe(7);
        heard.Steps.ShouldBe(["step 1", "step 2"]);
        heard.Output.ShouldBe("fine\nbroken\n");
        heard.Report.Files.Select(file => file.Path).ShouldBe(["log"], heard.ToString());
    }

    [Fact]
    public async Task A_stage_that_takes_too_long_is_stopped_with_all_its_children()
    {
        await using var here = await Worksite.OpenAsync(Where());
        var heard = await here.RunAsync(here.StageOf("trap '' TERM; echo begun; sleep 1000 & sleep 1000") with { Timeout = TimeSpan.FromSeconds(10) });

        heard.Report.Kind.ShouldBe(OutcomeKind.TimedOut, heard.ToString());
        heard.Report.Explanation.ShouldContain("10 s");
        heard.Output.ShouldBe("begun\n");
    }

    [Fact]
    public async Task Another_runner_takes_over_what_runs()
    {
        var store = new HeldStore();
        await using var here = await Worksite.OpenAsync(Where() with
        {
            Store = inner =>
            {
                store.Inner = inner;
                return store;
            },
        });
        // However late the first hears of the step, it is not over before that runner is.
        var hold = store.HoldFiles();
        var spec = await here.SpecAsync(here.StageOf("echo run >> once; echo before; sleep 6; echo after") with { Artifacts = ["once"] });
        var first = new Heard();
        using var crash = new CancellationTokenSource();
        var running = here.Runner.RunAsync(spec, first, crash.Token);
        await first.PrintedAsync("before", running, here.Token);
        await crash.CancelAsync();
        await Should.ThrowAsync<OperationCanceledException>(running);
        hold.Release();
        await here.RestartAsync();

        var second = new Heard();
        second.Report = await here.Runner.RunAsync(spec with { IsRepeated = true }, second, here.Token);
        second.Report.Kind.ShouldBe(OutcomeKind.Succeeded, second.ToString());
        second.Output.ShouldBe("before\nafter\n");
        (await here.TextOfAsync(second.Report.Files.ShouldHaveSingleItem())).ShouldBe("run\n", "the steps ran once");
    }

    [Fact]
    public async Task A_stage_that_is_stopped_ends_soon_and_leaves_nothing()
    {
        await using var here = await Worksite.OpenAsync(Where());
        var spec = await here.SpecAsync(here.StageOf("echo begun; sleep 1000"));
        var heard = new Heard();
        var running = here.Runner.RunAsync(spec, heard, here.Token);
        await heard.PrintedAsync("begun", running, here.Token);
        await here.Runner.StopAsync(spec.Id, here.Token);

        (await running).Kind.ShouldBe(OutcomeKind.Stopped);
        // The pod's object may outlive its processes by a moment.
        (await here.PodAsync())?.Status.InitContainerStatuses.ShouldAllBe(container => container.State.Running == null);
        await here.Runner.StopAsync(spec.Id, here.Token);
    }

    [Fact]
    public async Task An_attempt_of_which_nothing_is_left_is_lost_and_not_begun_again()
    {
        await using var here = await Worksite.OpenAsync(Where());
        var heard = new Heard();
        var report = await here.Runner.RunAsync(await here.SpecAsync(here.StageOf("echo again")) with { IsRepeated = true }, heard, here.Token);

        report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        heard.Steps.ShouldBeEmpty();
    }

    [Fact]
    public async Task An_unknown_worker_class_and_the_machines_own_programs_are_answered_with_what_to_write()
    {
        await using var here = await Worksite.OpenAsync(Where());
        (await here.RunAsync(here.StageOf("true") with { Worker = "huge" })).Report.Explanation.ShouldBe("There is no worker class “huge” here. Write `worker:` with one of these: `default`.");
        var host = (await here.RunAsync(here.StageOf("true") with { Image = "host" })).Report;
        host.Kind.ShouldBe(OutcomeKind.Misconfigured);
        host.Explanation.ShouldContain("`image:`");
    }
}
