using WmfCi.Core.Rules;

namespace WmfCi.Storage.Tests.Queue;

public sealed class HostileTextTests : DatabaseTest
{
    // An attribute's texts are stored as UTF-8, which has no halves of surrogate pairs.
    private const string Half = "\ud83e";

    [Theory]
    [InlineData("nul \0 in the middle", "nul \0 in the middle")]
    [InlineData("beaver \U0001F9AB and flag \U0001F1E9\U0001F1EA", "beaver \U0001F9AB and flag \U0001F1E9\U0001F1EA")]
    [InlineData("half HALF of a pair", "half \ufffd of a pair")]
    [InlineData("'; drop table events; --", "'; drop table events; --")]
    [InlineData("\"quoted\" \\ \u2028 \u202e <script>", "\"quoted\" \\ \u2028 \u202e <script>")]
    public async Task Any_text_in_an_event_an_effect_and_a_state_survives(string text, string stored)
    {
        text = text.Replace("HALF", Half, StringComparison.Ordinal);
        await Inbox.AddAsync([Samples.Poke("a", text)], Cancel);
        var claim = await ClaimOneAsync();
        ((Event.ChangePoked)claim.Events.Single().Read()).Why.ShouldBe(stored);

        var state = new ChangeLane { Change = Samples.Change(subject: text), Runs = [Samples.Run(1) with { Subject = text }] };
        (await Lanes.SaveAsync([Samples.Handled(claim, Samples.Review("x", text: text)) with { After = state }], Cancel)).ShouldBeTrue();

        ((Effect.PostReview)(await Outbox.ClaimAsync(Pools.Review, 1, "me", Cancel)).Single().Effect).Message.Text.ShouldBe(stored);
        (await new RunTable(Source).FindAsync(new(1), Cancel))!.Run.Subject.ShouldBe(stored);
        await Inbox.AddAsync([Samples.Poke("a", text)], Cancel);
        (await ClaimOneAsync()).ReadState().Change!.Subject.ShouldBe(stored);
    }

    [Theory]
    [InlineData("nul \0", "nul \ufffd")]
    [InlineData("half HALF", "half \ufffd")]
    [InlineData("beaver \U0001F9AB", "beaver \U0001F9AB")]
    public async Task Any_text_in_a_key_or_a_reason_is_stored_with_a_mark_for_what_cannot_be(string text, string stored)
    {
        text = text.Replace("HALF", Half, StringComparison.Ordinal);
        await Inbox.AddAsync([Samples.Poke(text)], Cancel);
        var claim = await ClaimOneAsync();
        claim.Key.ShouldBe(stored);
        await Lanes.SaveAsync([Samples.Failed(claim, text, null)], Cancel);
        (await new Upkeep(Source).QuarantineAsync(1, Cancel)).Single().Reason.ShouldBe(stored);

        await WishAsync("a", Samples.Prepare(1));
        await Outbox.GiveUpAsync((await Outbox.ClaimAsync(Pools.Vcs, 1, text, Cancel)).Single(), text, Cancel);
        (await ReadAsync<string>("select reason from effects")).ShouldBe(stored);
    }

    [Fact]
    public async Task Bodies_of_a_megabyte_go_in_and_out_many_at_a_time()
    {
        var text = new string('x', 1 << 20);
        await Inbox.AddAsync([.. Enumerable.Range(0, 20).Select(number => Samples.Poke("a", text + number))], Cancel);

        var claim = await ClaimOneAsync();
        claim.Events.Select(one => ((Event.ChangePoked)one.Read()).Why.Length).Sum().ShouldBe((20 << 20) + 30);
        (await Lanes.SaveAsync([Samples.Handled(claim, Samples.Review("x", text: text))], Cancel)).ShouldBeTrue();
    }

    [Fact]
    public async Task A_stored_event_that_cannot_be_read_harms_only_itself()
    {
        await Inbox.AddAsync([Samples.Poke("a", "one"), Samples.Poke("a", "two")], Cancel);
        await ExecuteAsync("""update events set body = '{"is":"unheard-of"}' where id = (select min(id) from events)""");

        var claim = await ClaimOneAsync();
        Should.Throw<System.Text.Json.JsonException>(() => claim.Events[0].Read());
        claim.Events[1].Read().ShouldBe(new Event.ChangePoked("two"));
    }
}
