using System.Text;
using System.Text.RegularExpressions;
using AngleSharp.Html.Parser;
using WmfCi.Service.Pages.Terminal;

namespace WmfCi.Service.Tests.Pages;

/// <summary>What a log's bytes become. Whatever they are, they never become HTML.</summary>
public sealed partial class TerminalTests
{
    private const int Rounds = 2000;

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("a < b && \"c\"", "a &lt; b &amp;&amp; &quot;c&quot;")]
    [InlineData("\e[31mred\e[0m plain", "<span class=\"f1\">red</span> plain")]
    [InlineData("\e[1;4;91mloud\e[22;24;39m.", "<span class=\"f9 bold under\">loud</span>.")]
    [InlineData("\e[38;5;196mx\e[m", "<span class=\"f196\">x</span>")]
    [InlineData("\e[48;2;255;0;0;1mx", "<span class=\"b196 bold\">x</span>")]
    [InlineData("\e[38:2::255:0:0mx", "<span class=\"f196\">x</span>")]
    [InlineData("\e[30;43mwarning\e[0m", "<span class=\"b3 x0\">warning</span>")]
    [InlineData("\e[7mturned\e[27m", "<span class=\"inv\">turned</span>")]
    [InlineData("\e[8mhidden", "hidden")]
    [InlineData("\e[38;5;999mx\e[38;2;1mx\e[99999999999999mx", "xxx")]
    [InlineData("\e]8;;https://evil.example\aclick\e]8;;\a", "click")]
    [InlineData("\e]0;title\e\\text", "text")]
    [InlineData("\ePdevice\e\\text", "text")]
    [InlineData("\e[2J\e[H\e[10;10Htop", "top")]
    [InlineData("\e(Btext", "text")]
    [InlineData("a\0b\u0007c\u007fd", "abcd")]
    [InlineData("10%\r50%\r100%", "100%")]
    [InlineData("downloading\rdone\e[K", "done")]
    [InlineData("abc\b\bX", "aXc")]
    [InlineData("\u009b31mred", "<span class=\"f1\">red</span>")]
    [InlineData("user\u202enimda", "user<span class=\"stand\">U&#x2B;202E</span>nimda")]
    public void A_line_becomes(string line, string html) => LogRenderer.Inline(line).ShouldBe(html);

    [Fact]
    public void Bytes_that_are_no_text_are_shown_as_such()
    {
        var rows = new List<string>();
        new LogRenderer(default).Feed([(byte)'a', 0xff, 0xc3, (byte)'b', (byte)'\n'], rows);
        TextOf(rows[0]).ShouldBe("a\ufffd\ufffdb");
    }

    [Fact]
    public void A_colour_goes_on_over_lines_but_a_title_that_never_ends_does_not()
    {
        var rows = Render("\e[32mgreen\nstill\e]0;endless title\nseen\n");
        rows[1].ShouldContain("<span class=\"f2\">still</span>");
        rows[2].ShouldContain("<span class=\"f2\">seen</span>");
    }

    [Fact]
    public void Each_line_has_a_number_and_a_link_to_itself() =>
        Render("one\ntwo\n")[1].ShouldBe("<li id=\"L2\"><a href=\"#L2\" tabindex=\"-1\" aria-label=\"Line 2\">2</a><code>two</code></li>");

    [Fact]
    public void A_very_long_line_is_cut_with_a_mark()
    {
        var text = TextOf(Render(new string('x', TerminalLine.MaxCells + 7) + "\n")[0]);
        text.ShouldBe(new string('x', TerminalLine.MaxCells) + "… 7 more characters; the raw log has them");
    }

    [Fact]
    public void Text_comes_through_as_it_was()
    {
        var random = new Random(1);
        for (var round = 0; round < Rounds; round++)
        {
            var text = Text(random, hostile: false);
            TextOf(LogRenderer.Inline(text)).ShouldBe(text);
        }
    }

    [Fact]
    public void Nothing_in_a_log_becomes_html()
    {
        var random = new Random(2);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var row in Render(Text(random, hostile: true) + "\n"))
            {
                var without = OwnElements().Replace(row, "");
                without.ShouldNotContain("<");
                without.ShouldNotContain(">");
                without.ShouldNotContain("\"");
                without.Any(char.IsControl).ShouldBeFalse();
            }
        }
    }

    [Fact]
    public void Where_the_bytes_are_cut_makes_no_difference()
    {
        var random = new Random(3);
        for (var round = 0; round < Rounds / 4; round++)
        {
            var bytes = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 6).Select(_ => Text(random, hostile: true) + "\n")));
            var whole = new List<string>();
            new LogRenderer(default).Feed(bytes, whole);
            var pieces = new List<string>();
            var renderer = new LogRenderer(default);
            for (var at = 0; at < bytes.Length;)
            {
                var length = Math.Min(random.Next(1, 9), bytes.Length - at);
                renderer.Feed(bytes.AsSpan(at, length), pieces);
                at += length;
            }
            pieces.ShouldBe(whole);
        }
    }

    [Fact]
    public void A_reader_can_go_on_at_any_line()
    {
        var random = new Random(4);
        for (var round = 0; round < Rounds / 4; round++)
        {
            var bytes = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 6).Select(_ => Text(random, hostile: true) + "\n")));
            var whole = new List<string>();
            new LogRenderer(default).Feed(bytes, whole);
            var rows = new List<string>();
            var first = new LogRenderer(default);
            first.Feed(bytes.AsSpan(0, random.Next(bytes.Length)), rows);
            LogPlace.TryParse(first.LineStart.ToString(), out var place).ShouldBeTrue();
            new LogRenderer(place).Feed(bytes.AsSpan((int)place.Byte), rows);
            rows.ShouldBe(whole);
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("1.2.3")]
    [InlineData("-1.0.0.0-0-0")]
    [InlineData("5.9.0.0-0-0")]
    [InlineData("5.1.9.0-0-0")]
    [InlineData("5.1.0.fff-0-0")]
    [InlineData("99999999999999999999.1.0.0-0-0")]
    public void A_place_that_nobody_gave_out_is_refused(string text) => LogPlace.TryParse(text, out _).ShouldBeFalse();

    [Fact]
    public void Every_colour_can_be_read_on_the_logs_ground()
    {
        for (var index = 0; index < 256; index++)
        {
            Palette.Contrast(Palette.Legible(Palette.Colour(index)), Palette.LogBackground).ShouldBeGreaterThanOrEqualTo(Palette.LeastContrast);
            Math.Max(Palette.Contrast(Palette.Colour(index), 0), Palette.Contrast(Palette.Colour(index), 0xffffff)).ShouldBeGreaterThanOrEqualTo(Palette.LeastContrast);
        }
    }

    [GeneratedRegex("<li id=\"L[0-9]+\"><a href=\"#L[0-9]+\" tabindex=\"-1\" aria-label=\"Line [0-9]+\">|</a><code>|</code></li>|<span class=\"[a-z0-9 ]+\">|</span>", RegexOptions.NonBacktracking)]
    private static partial Regex OwnElements();

    private static List<string> Render(string text)
    {
        var rows = new List<string>();
        new LogRenderer(default).Feed(Encoding.UTF8.GetBytes(text), rows);
        return rows;
    }

    private static string TextOf(string html) => new HtmlParser().ParseDocument($"<pre>{html}</pre>") is var page && page.QuerySelector("code") is { } code ? code.TextContent : page.QuerySelector("pre")!.TextContent;

    private static string Text(Random random, bool hostile)
    {
        string[] parts = hostile
            ? ["<script>alert(1)</script>", "</code></li>", "\" onmouseover=\"x", "&lt;", "\e", "\e[", "\e]8;;", "\a", "\e[3<1m", "\e[31;\"m", "\u009b", "\r", "\b", "\0", "\u2028", "\u202e", "<!--", "ä", "🦔", "\e[K", "\e[1K", "\e[38;2;9;9;9m", "m"]
            : ["<b>", "&amp;", "\"", "'", "`", "a", "word ", "  ", "äöü", "日本", "🦔", "=", "+", "\t", "\\e[31m", "{{", "%0a"];
        return string.Concat(Enumerable.Range(0, random.Next(0, 12)).Select(_ => parts[random.Next(parts.Length)]));
    }
}
