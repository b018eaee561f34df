using WmfCi.Service.Loop;

namespace WmfCi.Service.Tests.Shell;

public sealed class BackoffTests
{
    [Theory]
    [InlineData(1, 0.5)]
    [InlineData(2, 1)]
    [InlineData(5, 8)]
    [InlineData(11, 300)]
    [InlineData(int.MaxValue, 300)]
    public void The_wait_doubles_up_to_a_bound_and_keeps_at_least_half_of_it(int failures, double seconds)
    {
        Backoff.After(failures, 0).ShouldBe(TimeSpan.FromSeconds(seconds / 2));
        Backoff.After(failures, 1).ShouldBe(TimeSpan.FromSeconds(seconds));
    }
}
