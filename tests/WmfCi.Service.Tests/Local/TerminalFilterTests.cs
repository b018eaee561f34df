using System.Buffers;
using System.Text;
using WmfCi.Service.Local;

namespace WmfCi.Service.Tests.Local;

/// <summary>What of a step's output reaches a terminal.</summary>
public sealed class TerminalFilterTests
{
    [Theory]
    [InlineData("plain\ttext\r\nzwölf 中 🦫\n", "plain\ttext\r\nzwölf 中 🦫\n")]
    [InlineData("\e[1;31mred\e[0m", "\e[1;31mred\e[0m")]
    [InlineData("\e[38;2;1;2;3mrgb\e[m", "\e[38;2;1;2;3mrgb\e[m")]
    [InlineData("a\e[2Jb\e[10;10Hc\e[?1049hd", "abcd")]
    [InlineData("\e[6n\e[cquestions", "questions")]
    [InlineData("\e]0;title\ax\e]52;c;Y3VybA==\e\\y", "xy")]
    [InlineData("\ePq#0\e\\sixel", "sixel")]
    [InlineData("\e]0;cut off\nnext", "\nnext")]
    [InlineData("\e[31\nnext", "\nnext")]
    [InlineData("\u009b31mno\u0085", "31mno")]
    [InlineData("bell\a back\b del\u007f nul\0 esc\e", "bell back del nul esc")]
    [InlineData("\e[>4;2mkeys\e[31;$mx", "keysx")]
    public void Text_and_colours_pass_and_nothing_else(string printed, string shown)
    {
        var bytes = Encoding.UTF8.GetBytes(printed);
        Passed(bytes, bytes.Length).ShouldBe(shown);
        Passed(bytes, 1).ShouldBe(shown, "whatever the pieces");
    }

    [Fact]
    public void A_colour_that_was_left_on_is_known()
    {
        var filter = new TerminalFilter();
        filter.Pass("\e[31mred\e[0m"u8, new ArrayBufferWriter<byte>());
        filter.TakeColoured().ShouldBeFalse();
        filter.Pass("\e[31mred"u8, new ArrayBufferWriter<byte>());
        filter.TakeColoured().ShouldBeTrue();
        filter.TakeColoured().ShouldBeFalse();
    }

    private static string Passed(byte[] bytes, int size)
    {
        var (filter, shown) = (new TerminalFilter(), new ArrayBufferWriter<byte>());
        foreach (var piece in bytes.Chunk(size)) filter.Pass(piece, shown);
        return Encoding.UTF8.GetString(shown.WrittenSpan);
    }
}
