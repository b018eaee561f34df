using WmfCi.Gerrit.Events;

namespace WmfCi.Gerrit.Tests.Events;

public sealed class BackoffTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(2, 2)]
    [InlineData(5, 16)]
    [InlineData(7, 60)]
    [InlineData(int.MaxValue, 60)]
    public void The_wait_doubles_up_to_a_bound_and_keeps_at_least_half_of_it(int failures, int seconds)
    {
        Backoff.Wait(failures, new Always(0)).ShouldBe(TimeSpan.FromSeconds(seconds / 2.0));
        Backoff.Wait(failures, new Always(0.999)).ShouldBe(TimeSpan.FromSeconds(seconds * 0.9995), TimeSpan.FromMilliseconds(1));
    }

    [Fact]
    public void The_wait_is_never_shorter_than_the_peer_asked_for() =>
        Backoff.Wait(1, new Always(0), TimeSpan.FromSeconds(90)).ShouldBe(TimeSpan.FromSeconds(90));

    [Fact]
    public void No_failure_is_no_reason_to_wait() => Should.Throw<ArgumentOutOfRangeException>(() => Backoff.Wait(0, Random.Shared));

    private sealed class Always(double share) : Random
    {
        public override double NextDouble() => share;
    }
}
