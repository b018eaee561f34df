using k8s;
using k8s.Models;
using WmfCi.Core.Runs;
using WmfCi.Fakes.Kubernetes;
using WmfCi.Kubernetes.Jobs;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>The API server goes and comes back, and its watches lie by silence, repetition and omission: the end is the same.</summary>
public sealed class ServerFaultTests
{
    [Fact]
    public async Task A_server_that_is_away_before_the_Job_exists_is_waited_for()
    {
        await using var here = await Ground.OpenAsync(speed: 5);
        await here.StandIn.StopApiAsync();
        var trial = await here.BeginAsync();
        await trial.WaitsAsync("Waits for the cluster: The API server was not reached");
        here.StandIn.StartApi();
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_server_that_goes_between_Secret_and_Job_is_waited_for()
    {
        await using var here = await Ground.OpenAsync(speed: 5);
        var hold = new Hold();
        here.Store.BeforePut = hold.StopAsync;
        var trial = await here.BeginAsync();
        await hold.Reached;
        await here.StandIn.StopApiAsync();
        hold.Release();
        await trial.WaitsAsync("Waits for the cluster");
        here.StandIn.StartApi();
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_server_that_restarts_while_steps_run_costs_nothing()
    {
        await using var here = await Ground.OpenAsync();
        var trial = await here.BeginAsync(here.Ordinary("sleep 1"));
        foreach (var told in (string[])["one", "two"])
        {
            await trial.PrintedAsync(told);
            await here.StandIn.StopApiAsync();
            here.StandIn.StartApi();
        }
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_server_that_goes_while_files_are_stored_is_waited_for()
    {
        await using var here = await Ground.OpenAsync();
        var hold = here.Store.HoldFiles();
        var trial = await here.BeginAsync();
        await hold.Reached;
        await here.StandIn.StopApiAsync();
        hold.Release();
        here.StandIn.StartApi();
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task Connections_that_die_without_a_word_are_given_up()
    {
        await using var here = await Ground.OpenAsync(speed: 5);
        var trial = await here.BeginAsync(here.Ordinary("sleep 0.2"));
        await trial.PrintedAsync("one");
        here.StandIn.FreezeConnections();
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_watch_that_expired_lists_again(bool byStatus)
    {
        await using var here = await Ground.OpenAsync();
        here.StandIn.Faults.ExpiresByStatus = byStatus;
        var trial = await here.BeginAsync(here.Ordinary("sleep 0.5"));
        foreach (var told in (string[])["one", "two"])
        {
            await trial.PrintedAsync(told);
            here.StandIn.ForgetHistory();
            here.StandIn.Faults.DropWatches();
        }
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task Watches_that_hang_are_made_good_by_lists()
    {
        await using var here = await Ground.OpenAsync(speed: 12);
        here.StandIn.Faults.HangWatches = true;
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
        here.StandIn.Faults.HangWatches = false;
    }

    [Fact]
    public async Task Events_that_are_lost_are_made_good_by_lists()
    {
        await using var here = await Ground.OpenAsync(speed: 12);
        here.StandIn.Faults.LoseEvents("pods", 1000);
        here.StandIn.Faults.LoseEvents("jobs", 1000);
        var trial = await here.BeginAsync();
        await here.IsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task Events_that_come_again_are_not_believed()
    {
        await using var here = await Ground.OpenAsync();
        here.StandIn.Faults.RepeatStaleEvents("pods", 1000);
        here.StandIn.Faults.RepeatStaleEvents("jobs", 1000);
        await here.EndsAsUndisturbedAsync(await here.BeginAsync());
    }

    [Fact]
    public async Task Marks_that_others_marks_get_in_the_way_of_are_set_again()
    {
        await using var here = await Ground.OpenAsync();
        here.StandIn.Faults.Fail(new RequestFault(409, "patch", "jobs", Times: 3));
        await here.EndsAsUndisturbedAsync(await here.BeginAsync());
    }

    [Fact]
    public async Task A_right_that_is_taken_away_in_the_middle_ends_the_attempt_and_what_runs_of_it()
    {
        await using var here = await Ground.OpenAsync();
        here.StandIn.Faults.Deny("patch", "secrets");
        var trial = await here.BeginAsync(here.Here.StageOf("sleep 1000"));
        var report = await trial.EndAsync();
        report.Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        report.Explanation.ShouldContain("cannot patch resource \"secrets\"");
        await here.NoneAsync<V1Pod>();
        await here.NoneAsync<V1Job>();
        here.StandIn.Faults.Allow("patch", "secrets");
        await here.LeavesNothingAsync();
    }

    [Fact]
    public async Task A_namespace_that_is_being_deleted_takes_nothing_new()
    {
        await using var here = await Ground.OpenAsync();
        var running = await here.BeginAsync(here.Here.StageOf("trap '' TERM; echo begun; sleep 1000"));
        await running.PrintedAsync("begun");
        await here.Here.Client.CoreV1.DeleteNamespaceAsync(here.Space, cancellationToken: here.Token);
        var late = await here.BeginAsync();
        (await late.EndAsync()).Kind.ShouldBe(OutcomeKind.InfrastructureFailed, late.Heard.ToString());
        late.Heard.Steps.ShouldBeEmpty();
        (await running.EndAsync()).Kind.ShouldBe(OutcomeKind.InfrastructureFailed, running.Heard.ToString());
    }

    [Fact]
    public async Task Room_that_somebody_else_took_between_admission_and_pod_is_waited_for()
    {
        await using var here = await Ground.OpenAsync();
        var quota = new V1ResourceQuota { Metadata = new() { Name = "one" }, Spec = new() { Hard = new Dictionary<string, ResourceQuantity> { ["pods"] = new("1") } } };
        await here.Here.Client.CoreV1.CreateNamespacedResourceQuotaAsync(quota, here.Space, cancellationToken: here.Token);
        var hold = new Hold();
        here.Store.BeforePut = hold.StopAsync;
        var trial = await here.BeginAsync();
        await hold.Reached;
        var other = new V1Pod { Metadata = new() { Name = "other" }, Spec = new() { Containers = [new V1Container { Name = "main", Image = here.Here.Site.Image, Command = ["sleep", "1000"] }] } };
        await here.Here.Client.CoreV1.CreateNamespacedPodAsync(other, here.Space, cancellationToken: here.Token);
        hold.Release();
        await here.JobAsync(job => job.Status?.StartTime is not null);
        await here.PassAsync(trial, PodRules.TellAfter);
        await trial.WaitsAsync("exceeded quota: one");
        await here.Here.Client.CoreV1.DeleteNamespacedPodAsync("other", here.Space, gracePeriodSeconds: 0, cancellationToken: here.Token);
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_Secret_that_goes_while_the_attempt_waits_for_room_is_nobodys_fault()
    {
        await using var here = await Ground.OpenAsync();
        var hold = new Hold();
        here.Store.BeforePut = hold.StopAsync;
        var trial = await here.BeginAsync();
        await hold.Reached;
        await here.Here.Client.CoreV1.DeleteNamespacedSecretAsync(trial.Name, here.Space, cancellationToken: here.Token);
        hold.Release();
        await here.JobAsync(job => job.Status?.StartTime is not null);
        await here.PassAsync(trial, here.Here.Options.Allowances.Creation + here.Here.Options.Allowances.Pull);
        (await trial.EndAsync()).Kind.ShouldBe(OutcomeKind.InfrastructureFailed);
        await here.LeavesNothingAsync();
    }
}
