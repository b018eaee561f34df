using FsCheck.Xunit;
using WmfCi.Core.Changes;
using WmfCi.Core.Policies;
using WmfCi.Core.Rules;

namespace WmfCi.Commands.Tests;

/// <summary>
/// <c>recheck</c> as Wikimedia's users know it. Their comments come with a header (<c>Patch Set 1: Code-Review+1</c>, and <c>(2 comments)</c>); the code review's
/// integration has read it already: the votes are in <see cref="Comment.LabelsChanged"/>, and the text begins after it.
/// </summary>
public sealed class RecheckTests
{
    private static readonly DateTimeOffset _noon = new(2026, 3, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly Account _trusted = new("1", "alice", "Alice", "alice@wikimedia.example");
    private static readonly Account _stranger = new("9", "newcomer", "New", "new@elsewhere.example");

    private static readonly Policy _policy = new()
    {
        Self = new Account("100", "wmfci", "WmfCi", ""),
        Links = new Links("https://ci.example"),
        HoldStrangers = true,
        Trusted = new TrustList { Emails = ["*@wikimedia.example"] },
    };

    public static TheoryData<string, bool, string[], bool> WikimediasCases => new()
    {
        // text, by a trusted person, labels in the header, starts a run
        { "recheck", true, [], true },
        { "recheck", false, [], false },
        { "recheck", false, ["Code-Review"], false },
        { "recheck", true, ["Code-Review"], true },
        { "recheck", true, ["Verified"], false },
        { "recheck", true, ["Code-Review", "Verified"], false },
        { "recheck", true, ["Verified", "Code-Review"], false },
        { "RECHECK", true, [], true },
        { "Recheck", true, [], true },
        { "recheck since the mirror is up again", true, [], true },
        { "recheck\n\nThe mirror is up again.", true, [], true },
        { "recheck.", true, ["Code-Review"], true },
        { "\n\nrecheck", true, [], true },
        { "please recheck", true, [], false },
        { "I did a\nrecheck", true, [], false },
        { "rechecked", true, [], false },
        { "> recheck\nWhy?", true, [], false },
    };

    [Theory]
    [MemberData(nameof(WikimediasCases))]
    public void Wikimedias_cases(string text, bool isTrusted, string[] labels, bool starts)
    {
        var answer = CommandList.Interpret(Said(text, isTrusted ? _trusted : _stranger, labels), Lane(_stranger), _policy);
        (answer?.StartsRun ?? false).ShouldBe(starts);
    }

    [Fact]
    public void A_stranger_is_told_whom_to_wait_for() =>
        CommandList.Interpret(Said("recheck", _stranger), Lane(_stranger), _policy).ShouldBe(new CommandAnswer(
            "newcomer: patch set 2 is by somebody this site does not know yet, so a person it trusts must look at it first and comment recheck, or vote for it.", false));

    [Fact]
    public void A_stranger_may_ask_again_for_what_a_trusted_person_uploaded() =>
        CommandList.Interpret(Said("recheck", _stranger), Lane(_trusted), _policy).ShouldBe(new CommandAnswer(null, true));

    [Fact]
    public void A_trusted_word_on_an_older_patch_set_lets_a_strangers_newer_one_wait()
    {
        var answer = CommandList.Interpret(Said("recheck", _trusted) with { PatchSet = 1 }, Lane(_stranger), _policy);
        answer.ShouldBe(new CommandAnswer("alice: your comment is on patch set 1. Patch set 2 is newer and waits: have a look at it, and comment recheck there.", false));
        CommandList.Interpret(Said("recheck", _trusted) with { PatchSet = 1 }, Lane(_trusted), _policy)!.StartsRun.ShouldBeTrue();
    }

    [Fact]
    public void Of_a_change_that_is_not_known_nothing_is_said() =>
        CommandList.Interpret(Said("recheck", _trusted), new ChangeLane(), _policy).ShouldBe(new CommandAnswer(null, false));

    [Property(MaxTest = 1000)]
    public void No_comment_makes_it_throw_and_only_a_command_starts_a_run(char[] text)
    {
        var said = new string(text);
        var answer = CommandList.Interpret(Said(said, _trusted), Lane(_trusted), _policy);
        if (answer is { StartsRun: true }) said.TrimStart().StartsWith("recheck", StringComparison.OrdinalIgnoreCase).ShouldBeTrue();
        CommandList.Interpret(Said("recheck " + said, _trusted), Lane(_trusted), _policy).ShouldBe(new CommandAnswer(null, true));
    }

    internal static Comment Said(string text, Account? by = null, params string[] labels) => new("c1", by ?? _trusted, _noon, 2, text, null, [.. labels]);

    internal static Policy Policy => _policy;

    internal static ChangeLane Lane(Account uploader) => new()
    {
        Change = new Change
        {
            Id = new ChangeId("core", 1),
            Branch = "master",
            Subject = "Add",
            Url = "https://gerrit.example/1",
            Owner = uploader,
            Status = ChangeStatus.Open,
            Current = new PatchSet(2, "abc", "refs/changes/01/1/2", PatchSetKind.Rework, uploader, _noon),
            Updated = _noon,
        },
    };
}
