using System.Text;
using WmfCi.Core.Runs;
using WmfCi.Fakes;
using WmfCi.Service.Effects;
using WmfCi.Service.Tests.Pages;
using WmfCi.Storage;

namespace WmfCi.Service.Tests.Shell;

public sealed class AttemptLogTests : ShellTest
{
    private static readonly AttemptId Attempt = new(new RunId(7), "commit", 1);
    private readonly TempFolder _folder = new();
    private readonly MemoryStore _store = new();

    public override async ValueTask DisposeAsync()
    {
        _folder.Dispose();
        await base.DisposeAsync();
    }

    private AttemptLog Open() => new(Attempt, _folder.Path, new Logs(Source), new AttemptNews(() => Task.CompletedTask, _ => Task.CompletedTask), Surroundings());

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private async Task<string> StoredAsync(LogState state)
    {
        await using var stream = (await _store.OpenAsync(state.Digest!, Cancel))!;
        using var reader = new StreamReader(stream);
        return await reader.ReadToEndAsync(Cancel);
    }

    [Fact]
    public async Task Everything_that_was_told_is_in_the_store_and_the_last_lines_are_the_excerpt()
    {
        await using var log = Open();
        await log.StepStartedAsync("build", Cancel);
        await log.OutputAsync(Bytes("not of the last step\n"), Cancel);
        await log.StepStartedAsync("test", Cancel);
        await log.OutputAsync(Bytes("one\ntw"), Cancel);
        await log.OutputAsync(Bytes("o"), Cancel);
        await log.NoteAsync("a note", Cancel);
        await log.RecoverAsync(Cancel);

        log.Excerpt.ShouldBe(["one", "two"]);
        var state = await log.CloseAsync(_store, Cancel);
        (await StoredAsync(state)).ShouldBe("==> build\nnot of the last step\n==> test\none\ntwo\n[wmfci] a note\n");
        state.Lines.ShouldBe(6);
    }

    [Fact]
    public async Task What_a_process_showed_before_it_ended_is_taken_over_by_its_heir()
    {
        await using (var first = Open())
        {
            await first.StepStartedAsync("test", Cancel);
            await first.OutputAsync(Bytes("expected 5, got 6\n"), Cancel);
        }

        await using var heir = Open();
        await heir.RecoverAsync(Cancel);
        heir.Excerpt.ShouldContain("expected 5, got 6");
        (await StoredAsync(await heir.CloseAsync(_store, Cancel))).ShouldStartWith("==> test\nexpected 5, got 6\n[wmfci] This is the live copy");
    }

    [Fact]
    public async Task What_an_earlier_life_showed_goes_when_the_attempt_runs_anew()
    {
        await using (var first = Open()) await first.OutputAsync(Bytes("of the first life, and longer\n"), Cancel);
        await using (var second = Open())
        {
            await second.OutputAsync(Bytes("anew\n"), Cancel);
            await second.CloseAsync(_store, Cancel);
        }

        var shown = await new Logs(Source).ReadAsync(Attempt, 0, 10, Cancel);
        Encoding.UTF8.GetString([.. shown.SelectMany(chunk => chunk.Bytes)]).ShouldBe("anew\n");
    }
}
