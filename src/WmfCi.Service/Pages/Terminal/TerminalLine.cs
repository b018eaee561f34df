using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>One line of a terminal: what is written after a carriage return takes the place of what stood there.</summary>
public sealed class TerminalLine
{
    /// <summary>How many characters of a line are shown; the raw log has all.</summary>
    public const int MaxCells = 4000;

    // Letters of every script stay themselves; what means something in HTML does not.
    private static readonly HtmlEncoder s_encoder = HtmlEncoder.Create(UnicodeRanges.All);

    private readonly List<Cell> _cells = [];
    private int _column;
    private long _dropped;

    [StructLayout(LayoutKind.Auto)]
    private readonly record struct Cell(Rune Rune, TextStyle Style);

    /// <summary>Whether nothing stands in it.</summary>
    public bool IsEmpty => _cells.Count == 0;

    /// <summary>Writes a character where the cursor is, and moves on.</summary>
    public void Put(Rune rune, TextStyle style)
    {
        if (_column >= MaxCells)
        {
            _dropped++;
            return;
        }
        while (_cells.Count < _column) _cells.Add(new Cell(new Rune(' '), default));
        var cell = new Cell(rune, style);
        if (_column < _cells.Count) _cells[_column] = cell;
        else _cells.Add(cell);
        _column++;
    }

    /// <summary>The cursor goes to the beginning.</summary>
    public void Return() => _column = 0;

    /// <summary>The cursor goes back by one.</summary>
    public void Back() => _column = Math.Max(0, _column - 1);

    /// <summary>Removes what stands at the cursor and after it.</summary>
    public void EraseRight()
    {
        if (_column < _cells.Count) _cells.RemoveRange(_column, _cells.Count - _column);
        _dropped = 0;
    }

    /// <summary>Removes what stands before the cursor and at it.</summary>
    public void EraseLeft()
    {
        for (var index = 0; index <= _column && index < _cells.Count; index++) _cells[index] = new Cell(new Rune(' '), default);
    }

    /// <summary>Removes everything; the cursor stays.</summary>
    public void EraseAll()
    {
        _cells.Clear();
        _dropped = 0;
    }

    /// <summary>Begins a new line.</summary>
    public void Clear()
    {
        EraseAll();
        _column = 0;
    }

    /// <summary>Writes the line as HTML. Everything that came from the log is escaped; the only elements are <c>span</c>s with classes of ours.</summary>
    public void WriteHtml(StringBuilder html)
    {
        var run = new StringBuilder();
        for (var index = 0; index < _cells.Count;)
        {
            var style = _cells[index].Style;
            run.Clear();
            for (; index < _cells.Count && _cells[index].Style == style; index++) run.Append(_cells[index].Rune.ToString());
            var text = s_encoder.Encode(run.ToString());
            if (style == default) html.Append(text);
            else html.Append("<span class=\"").Append(style.Classes).Append("\">").Append(text).Append("</span>");
        }
        if (_dropped > 0) html.Append(CultureInfo.InvariantCulture, $"<span class=\"stand\">… {_dropped:N0} more characters; the raw log has them</span>");
    }
}
