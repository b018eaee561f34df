using WmfCi.Core.Runs;

namespace WmfCi.Kubernetes.Tests.Faults;

/// <summary>A store that has no room is waited for, and named.</summary>
public sealed class StoreFaultTests
{
    [Fact]
    public async Task A_store_that_is_full_for_a_while_is_tried_again()
    {
        await using var here = await Ground.OpenAsync();
        var full = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var refused = 0;
        here.Store.BeforeFiles(() =>
        {
            var tries = Interlocked.Increment(ref refused);
            if (tries == 3) full.SetResult();
            return tries > 3 ? Task.CompletedTask : throw new IOException("No space left on device");
        });
        var trial = await here.BeginAsync();
        await full.Task.WaitAsync(here.Token);
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_store_that_is_full_before_it_began_is_named_and_waited_for()
    {
        await using var here = await Ground.OpenAsync();
        here.Store.BeforePut = () => throw new IOException("No space left on device");
        var trial = await here.BeginAsync();
        await trial.WaitsAsync("Waits for the store of artifacts: No space left on device");
        here.Store.BeforePut = null;
        await here.EndsAsUndisturbedAsync(trial);
    }

    [Fact]
    public async Task A_store_that_stays_full_is_nobodys_fault_and_named()
    {
        await using var here = await Ground.OpenAsync();
        here.Store.BeforePut = () => throw new IOException("No space left on device");
        var trial = await here.BeginAsync();
        await trial.WaitsAsync("Waits for the store of artifacts");
        here.Clock.Pass(KubernetesJobRunner.OutagePatience);
        var report = await trial.EndAsync();
        (report.Kind, report.Explanation).ShouldBe((OutcomeKind.InfrastructureFailed, "The store of artifacts failed: No space left on device"));
        await here.LeavesNothingAsync();
    }
}
