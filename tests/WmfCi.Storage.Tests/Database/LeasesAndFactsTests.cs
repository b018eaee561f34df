namespace WmfCi.Storage.Tests.Database;

public sealed class LeasesAndFactsTests : DatabaseTest
{
    private Leases Leases => new(Source, Times);

    private Facts Facts => new(Source);

    [Fact]
    public async Task One_holds_a_lease_and_renews_it_while_the_others_are_refused()
    {
        (await Leases.TakeAsync("stream", "one", Cancel)).ShouldBeTrue();
        (await Leases.TakeAsync("stream", "two", Cancel)).ShouldBeFalse();
        (await Leases.TakeAsync("stream", "one", Cancel)).ShouldBeTrue();
        (await Leases.TakeAsync("chat", "two", Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task Of_many_who_ask_at_once_one_gets_it()
    {
        var taken = await Task.WhenAll(Enumerable.Range(0, 12).Select(number => Leases.TakeAsync("stream", $"{number}", Cancel)));
        taken.Count(one => one).ShouldBe(1);
    }

    [Fact]
    public async Task A_lease_that_ran_out_is_taken_over_and_its_old_holder_notices()
    {
        await Leases.TakeAsync("stream", "one", Cancel);
        await ExecuteAsync("update leases set until = now() - interval '1 s'");

        (await Leases.TakeAsync("stream", "two", Cancel)).ShouldBeTrue();
        (await Leases.TakeAsync("stream", "one", Cancel)).ShouldBeFalse();
    }

    [Fact]
    public async Task A_lease_that_was_given_back_is_free_at_once_and_its_epoch_grows_on()
    {
        await Leases.TakeAsync("stream", "one", Cancel);
        await Leases.ReleaseAsync("stream", "two", Cancel);
        (await Leases.TakeAsync("stream", "two", Cancel)).ShouldBeFalse();

        await Leases.ReleaseAsync("stream", "one", Cancel);
        (await Leases.TakeAsync("stream", "two", Cancel)).ShouldBeTrue();
        (await ReadAsync<long>("select epoch from leases")).ShouldBe(2);
    }

    [Fact]
    public async Task The_first_start_is_remembered()
    {
        (await Facts.ReadOrSetAsync(Facts.Installed, Samples.Noon, Cancel)).ShouldBe(Samples.Noon);
        (await Facts.ReadOrSetAsync(Facts.Installed, Samples.Noon.AddDays(3), Cancel)).ShouldBe(Samples.Noon);
    }

    [Fact]
    public async Task A_time_only_moves_forwards_whatever_its_zone()
    {
        await Facts.AdvanceAsync(Facts.CaughtUpUntil, Samples.Noon, Cancel);
        await Facts.AdvanceAsync(Facts.CaughtUpUntil, Samples.Noon.AddHours(-1).ToOffset(TimeSpan.FromHours(9)), Cancel);
        (await Facts.ReadOrSetAsync(Facts.CaughtUpUntil, default, Cancel)).ShouldBe(Samples.Noon);

        await Facts.AdvanceAsync(Facts.CaughtUpUntil, Samples.Noon.AddTicks(1).ToOffset(TimeSpan.FromHours(-9)), Cancel);
        (await Facts.ReadOrSetAsync(Facts.CaughtUpUntil, default, Cancel)).ShouldBe(Samples.Noon.AddTicks(1));
    }
}
