using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>What a terminal can do to text beside colouring it.</summary>
[Flags]
public enum TextMarks
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Strong.</summary>
    Bold = 1,

    /// <summary>Weak.</summary>
    Dim = 2,

    /// <summary>Slanted.</summary>
    Italic = 4,

    /// <summary>Underlined.</summary>
    Underline = 8,

    /// <summary>Struck through.</summary>
    Strike = 16,

    /// <summary>Foreground and background change places.</summary>
    Inverse = 32,

    /// <summary>Not from the log: a sign that stands for a character nobody would see.</summary>
    Stand = 64,
}

/// <summary>How text looks, as the escape sequences of ECMA-48 (SGR) say. The default value is plain text.</summary>
/// <param name="Foreground">0 for the default, else a colour of the palette of 256, plus 1.</param>
/// <param name="Background">The same for what is behind it.</param>
/// <param name="Marks">Everything else.</param>
[StructLayout(LayoutKind.Auto)]
public readonly record struct TextStyle(int Foreground, int Background, TextMarks Marks)
{
    /// <summary>How many numbers one sequence may have; further ones are passed over.</summary>
    public const int MaxParameters = 32;

    /// <summary>The style after a sequence <c>ESC [ … m</c>.</summary>
    /// <param name="parameters">What stands between the bracket and the <c>m</c>.</param>
    public TextStyle Apply(ReadOnlySpan<char> parameters)
    {
        Span<Range> parts = stackalloc Range[MaxParameters];
        var count = parameters.Split(parts, ';');
        var style = this;
        for (var index = 0; index < count; index++)
        {
            var part = parameters[parts[index]];
            if (part.Contains(':'))
            {
                style = style.ApplyGroup(part);
                continue;
            }
            var code = Number(part);
            if (code is not (38 or 48))
            {
                style = style.ApplyCode(code);
                continue;
            }
            var used = Colour(parameters, parts[(index + 1)..count], out var colour);
            style = style.WithColour(code, colour);
            index += used;
        }
        return style;
    }

    /// <summary>The classes of the style sheet that make text look so; empty for plain text.</summary>
    public string Classes
    {
        get
        {
            if (this == default) return "";
            var text = new StringBuilder();
            var (front, back) = Marks.HasFlag(TextMarks.Inverse) ? (Background, Foreground) : (Foreground, Background);
            if (Marks.HasFlag(TextMarks.Inverse) && back == 0) text.Append("inv ");
            if (back > 0) text.Append(CultureInfo.InvariantCulture, $"b{back - 1} ");
            // On a background of the log's own choosing a colour stays exactly itself; on ours it is made legible.
            if (front > 0) text.Append(CultureInfo.InvariantCulture, $"{(back > 0 ? 'x' : 'f')}{front - 1} ");
            if (Marks.HasFlag(TextMarks.Bold)) text.Append("bold ");
            if (Marks.HasFlag(TextMarks.Dim)) text.Append("dim ");
            if (Marks.HasFlag(TextMarks.Italic)) text.Append("ital ");
            if (Marks.HasFlag(TextMarks.Underline)) text.Append("under ");
            if (Marks.HasFlag(TextMarks.Strike)) text.Append("gone ");
            if (Marks.HasFlag(TextMarks.Stand)) text.Append("stand ");
            return text.ToString(0, text.Length - 1);
        }
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Foreground:x}-{Background:x}-{(int)Marks:x}");

    /// <summary>Reads what <see cref="ToString"/> wrote.</summary>
    public static bool TryParse(string text, out TextStyle style)
    {
        style = default;
        var parts = text.Split('-');
        if (parts.Length != 3 || !Hex(parts[0], 256, out var front) || !Hex(parts[1], 256, out var back) || !Hex(parts[2], 63, out var marks)) return false;
        style = new TextStyle(front, back, (TextMarks)marks);
        return true;
    }

    private static bool Hex(string text, int max, out int value) =>
        int.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value) && value >= 0 && value <= max;

    private static int Number(ReadOnlySpan<char> text) =>
        text.IsEmpty ? 0 : int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : -1;

    private TextStyle WithColour(int code, int colour) =>
        colour < 0 ? this : code == 38 ? this with { Foreground = colour + 1 } : this with { Background = colour + 1 };

    private TextStyle ApplyCode(int code) => code switch
    {
        0 => default,
        1 => With(TextMarks.Bold),
        2 => With(TextMarks.Dim),
        3 => With(TextMarks.Italic),
        4 or 21 => With(TextMarks.Underline),
        7 => With(TextMarks.Inverse),
        9 => With(TextMarks.Strike),
        22 => Without(TextMarks.Bold | TextMarks.Dim),
        23 => Without(TextMarks.Italic),
        24 => Without(TextMarks.Underline),
        27 => Without(TextMarks.Inverse),
        29 => Without(TextMarks.Strike),
        >= 30 and <= 37 => this with { Foreground = code - 30 + 1 },
        39 => this with { Foreground = 0 },
        >= 40 and <= 47 => this with { Background = code - 40 + 1 },
        49 => this with { Background = 0 },
        >= 90 and <= 97 => this with { Foreground = code - 90 + 8 + 1 },
        >= 100 and <= 107 => this with { Background = code - 100 + 8 + 1 },
        // Hidden text (8) is shown, since a log hides nothing; blinking (5, 6) helps nobody.
        _ => this,
    };

    private TextStyle With(TextMarks marks) => this with { Marks = Marks | marks };

    private TextStyle Without(TextMarks marks) => this with { Marks = Marks & ~marks };

    // The form with semicolons: 5;INDEX or 2;RED;GREEN;BLUE after the 38 or 48.
    private static int Colour(ReadOnlySpan<char> parameters, ReadOnlySpan<Range> rest, out int colour)
    {
        colour = -1;
        if (rest.IsEmpty) return 0;
        var kind = Number(parameters[rest[0]]);
        if (kind == 5 && rest.Length >= 2)
        {
            var index = Number(parameters[rest[1]]);
            colour = index is >= 0 and <= 255 ? index : -1;
            return 2;
        }
        if (kind != 2 || rest.Length < 4) return rest.Length;
        colour = Palette.Nearest(Number(parameters[rest[1]]), Number(parameters[rest[2]]), Number(parameters[rest[3]]));
        return 4;
    }

    // The form with colons: 38:5:INDEX, 38:2::RED:GREEN:BLUE (the colour space is often left out), 4:3 for a wavy underline.
    private TextStyle ApplyGroup(ReadOnlySpan<char> group)
    {
        Span<Range> parts = stackalloc Range[8];
        var count = group.Split(parts, ':');
        var code = Number(group[parts[0]]);
        if (code == 4) return count > 1 && Number(group[parts[1]]) == 0 ? Without(TextMarks.Underline) : With(TextMarks.Underline);
        if (code is not (38 or 48) || count < 3) return this;
        if (Number(group[parts[1]]) == 5) return WithColour(code, Number(group[parts[2]]) is >= 0 and <= 255 and var index ? index : -1);
        if (Number(group[parts[1]]) != 2 || count < 5) return this;
        var first = count > 5 ? 3 : 2;
        return WithColour(code, Palette.Nearest(Number(group[parts[first]]), Number(group[parts[first + 1]]), Number(group[parts[first + 2]])));
    }
}
