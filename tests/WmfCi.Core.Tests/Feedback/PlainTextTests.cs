using System.Globalization;
using System.Text;
using FsCheck.Xunit;

namespace WmfCi.Core.Tests.Feedback;

public sealed class PlainTextTests
{
    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("Grüße, 世界 👩‍🚀", "Grüße, 世界 👩‍🚀")]
    [InlineData("two\nlines\tand\ttabs", "two lines and tabs")]
    [InlineData("windows\r\nlines", "windows lines")]
    [InlineData("\u001b[1;31mred\u001b[0m text", "red text")]
    [InlineData("\u001b]0;title\u0007", "\uFFFD]0;title\uFFFD")]
    [InlineData("nul\0bell\u0007del\u007fnext\u0085", "nul\uFFFDbell\uFFFDdel\uFFFDnext\uFFFD")]
    [InlineData("evil\u202Etxt.exe\u2066", "evil\uFFFDtxt.exe\uFFFD")]
    [InlineData("line\u2028paragraph\u2029", "line\uFFFDparagraph\uFFFD")]
    public void A_line_has_nothing_that_a_reader_would_obey(string text, string expected) => PlainText.Line(text, 100).ShouldBe(expected);

    [Fact]
    public void Half_a_character_becomes_a_whole_one()
    {
        PlainText.Line("a\uD83D", 100).ShouldBe("a\uFFFD");
        PlainText.Line("\uDE00b", 100).ShouldBe("\uFFFDb");
    }

    [Fact]
    public void A_cut_never_halves_a_character()
    {
        PlainText.Line("abc👍", 5).ShouldBe("abc👍");
        PlainText.Line("abc👍", 4).ShouldBe("abc…");
        PlainText.Line("abc", 3).ShouldBe("abc");
        PlainText.Line("abcd", 3).ShouldBe("abc…");
    }

    [Fact]
    public void Lines_keep_their_breaks() => PlainText.Lines("a\r\n\tb\0\n", 100).ShouldBe("a\n\tb\uFFFD\n");

    [Fact]
    public void A_text_is_cut_by_bytes_at_the_end_of_a_line()
    {
        PlainText.Cut("äöü", 6).ShouldBe("äöü");
        PlainText.Cut("äöü", 5).ShouldBe("äö");
        PlainText.Cut("first\nsecond\nthird", 15).ShouldBe("first\nsecond\n");
        PlainText.Cut("👍👍", 7).ShouldBe("👍");
        PlainText.Cut("abc", 0).ShouldBe("");
    }

    [Property(MaxTest = 500)]
    public void Any_text_becomes_a_short_line_of_visible_characters(char[] noise, byte max)
    {
        var line = PlainText.Line(new string(noise), max);
        line.Length.ShouldBeLessThanOrEqualTo(max + 1);
        line.Any(character => char.GetUnicodeCategory(character) is UnicodeCategory.Control or UnicodeCategory.LineSeparator).ShouldBeFalse();
        Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(line)).ShouldBe(line, "it is whole UTF-16");
        PlainText.Line(line, max + 1).ShouldBe(line, "what is clean stays as it is");
    }
}
