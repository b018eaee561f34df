using System.Globalization;
using Microsoft.Extensions.Time.Testing;
using WmfCi.Core.Changes;
using WmfCi.Ports;
using WmfCi.Service.Intake;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Shell;

public sealed class IntakeTests : ShellTest
{
    private readonly FakeReview _review = new();
    private readonly FakeTimeProvider _time = new(Noon);

    private CatchUp CatchUp() => new(_review, Inbox, Facts, Options("here"), _time);

    private StreamListener Listener(string holder, bool hasStream = true)
    {
        var options = Options(holder) with { HasStream = hasStream };
        return new StreamListener(_review, Inbox, new Leases(Source, Times), new CatchUp(_review, Inbox, Facts, options, TimeProvider.System), options, Surroundings());
    }

    private static IntakeOptions Options(string holder) => new(holder, TimeSpan.FromHours(1), TimeSpan.FromMinutes(1), project => project != "secret");

    private void Update(int number, double seconds, string project = "tools/beaver") => _review.Updated.Add(new UpdatedChange(new ChangeId(project, number), Noon.AddSeconds(seconds)));

    private Task<long> PokesAsync() => ReadAsync<long>("select count(*) from events");

    [Fact]
    public async Task What_the_overlap_brings_again_gets_one_more_look_since_times_are_whole_seconds_and_no_third()
    {
        Update(1, 5);
        Update(2, 6);
        Update(3, 6, "secret");
        var catchUp = CatchUp();
        (await catchUp.RunAsync(Cancel)).ShouldBe(2);
        (await catchUp.RunAsync(Cancel)).ShouldBe(2);
        (await catchUp.RunAsync(Cancel)).ShouldBe(0);
        _review.Updated.Clear();
        Update(1, 7);
        (await catchUp.RunAsync(Cancel)).ShouldBe(1);
        (await PokesAsync()).ShouldBe(5);
    }

    [Fact]
    public async Task What_was_listed_late_is_found_by_the_overlap()
    {
        Update(1, 30);
        var catchUp = CatchUp();
        await catchUp.RunAsync(Cancel);
        await catchUp.RunAsync(Cancel);
        Update(2, 10);
        (await catchUp.RunAsync(Cancel)).ShouldBe(1);
    }

    [Fact]
    public async Task More_than_a_page_is_read_page_by_page()
    {
        for (var number = 1; number <= 3 * Intake.CatchUp.PageSize; number++) Update(number, number);
        (await CatchUp().RunAsync(Cancel)).ShouldBe(3 * Intake.CatchUp.PageSize);
    }

    [Fact]
    public async Task More_than_a_page_in_one_second_hides_nothing_that_came_after()
    {
        for (var number = 1; number <= (2 * Intake.CatchUp.PageSize) + 50; number++) Update(number, 5);
        Update(9999, 8);
        (await CatchUp().RunAsync(Cancel)).ShouldBe((2 * Intake.CatchUp.PageSize) + 51);
        (await Facts.ReadOrSetAsync(Facts.CaughtUpUntil, Noon, Cancel)).ShouldBe(Noon.AddSeconds(8));
    }

    [Fact]
    public async Task More_in_one_second_than_can_be_asked_for_still_ends_and_goes_on_behind_it()
    {
        for (var number = 1; number <= Intake.CatchUp.MaxPageSize + 1; number++) Update(number, 5);
        Update(9999, 8);
        await CatchUp().RunAsync(Cancel);
        (await ReadAsync<long>("select count(*) from lanes where key like '%9999%'")).ShouldBe(1);
    }

    [Fact]
    public async Task Five_hundred_lines_about_five_hundred_changes_are_five_hundred_pokes()
    {
        using var listener = Listener("here");
        await listener.StartAsync(Cancel);
        await WithinAsync(_review.Listening.Task);
        for (var number = 1; number <= 500; number++) await _review.Lines.Writer.WriteAsync(number.ToString(CultureInfo.InvariantCulture), Cancel);
        await _review.Lines.Writer.WriteAsync("?", Cancel);
        await UntilAsync("select count(distinct lane) = 500 from events");
        listener.Problem.ShouldBeNull();
        await listener.StopAsync(Cancel);
    }

    [Fact]
    public async Task One_replica_listens_and_another_takes_over_when_it_leaves()
    {
        using var first = Listener("first");
        await first.StartAsync(Cancel);
        await WithinAsync(_review.Listening.Task);
        using var second = Listener("second");
        await second.StartAsync(Cancel);
        _review.Connections.ShouldBe(1);
        await first.StopAsync(Cancel);
        await UntilAsync("select holder = 'second' from leases where name = 'stream'");
        await _review.Lines.Writer.WriteAsync("42", Cancel);
        await UntilAsync("select exists (select from events)");
        await second.StopAsync(Cancel);
    }

    [Fact]
    public async Task Without_a_stream_changes_are_found_by_asking_alone()
    {
        _review.Updated.Add(new UpdatedChange(Change, DateTimeOffset.UtcNow));
        using var listener = Listener("here", hasStream: false);
        await listener.StartAsync(Cancel);
        await UntilAsync("select exists (select from events)");
        await listener.StopAsync(Cancel);
        _review.Connections.ShouldBe(0);
    }
}
