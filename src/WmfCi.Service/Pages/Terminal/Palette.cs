using System.Globalization;
using System.Text;

namespace WmfCi.Service.Pages.Terminal;

/// <summary>The 256 colours of terminals, and the part of the style sheet that shows them.</summary>
public static class Palette
{
    /// <summary>What logs are shown on, in light and dark alike: programs choose their colours for a dark terminal.</summary>
    public const int LogBackground = 0x10151c;

    /// <summary>The least contrast of text, as WCAG 2 (AA) asks.</summary>
    public const double LeastContrast = 4.5;

    private static readonly int[] s_levels = [0, 95, 135, 175, 215, 255];

    private static readonly int[] s_basic =
    [
        0x000000, 0xcd3131, 0x0dbc79, 0xd7ba4a, 0x2472c8, 0xbc3fbc, 0x11a8cd, 0xd5d9e0,
        0x6e7681, 0xf14c4c, 0x23d18b, 0xf5e56b, 0x5aa9ff, 0xd670d6, 0x29b8db, 0xffffff,
    ];

    /// <summary>A colour of the palette as <c>0xRRGGBB</c>.</summary>
    /// <param name="index">0 to 255.</param>
    public static int Colour(int index)
    {
        if (index < 16) return s_basic[index];
        if (index >= 232)
        {
            var grey = 8 + (index - 232) * 10;
            return (grey << 16) | (grey << 8) | grey;
        }
        var cube = index - 16;
        return (s_levels[cube / 36] << 16) | (s_levels[cube / 6 % 6] << 8) | s_levels[cube % 6];
    }

    /// <summary>The colour of the palette that is most like a true one: pages allow no colours in attributes, so there are 256 classes.</summary>
    /// <returns>The index; -1 when one of the numbers is not 0 to 255.</returns>
    public static int Nearest(int red, int green, int blue)
    {
        if (red is < 0 or > 255 || green is < 0 or > 255 || blue is < 0 or > 255) return -1;
        var cube = 16 + 36 * Level(red) + 6 * Level(green) + Level(blue);
        var grey = 232 + Math.Clamp(((red + green + blue) / 3 - 8 + 5) / 10, 0, 23);
        return Distance(Colour(cube), red, green, blue) <= Distance(Colour(grey), red, green, blue) ? cube : grey;
    }

    /// <summary>The classes <c>fN</c> (text on the log's background, made legible), <c>xN</c> (text as it is), <c>bN</c> (background).</summary>
    public static string StyleSheet()
    {
        var text = new StringBuilder();
        for (var index = 0; index < 256; index++)
        {
            var colour = Colour(index);
            text.Append(CultureInfo.InvariantCulture, $".b{index}{{background:#{colour:x6};color:#{(Contrast(colour, 0) >= Contrast(colour, 0xffffff) ? 0 : 0xffffff):x6}}}\n");
        }
        for (var index = 0; index < 256; index++)
            text.Append(CultureInfo.InvariantCulture, $".f{index}{{color:#{Legible(Colour(index)):x6}}}.x{index}{{color:#{Colour(index):x6}}}\n");
        return text.ToString();
    }

    /// <summary>A colour made lighter until it can be read on <see cref="LogBackground"/>.</summary>
    public static int Legible(int colour)
    {
        while (Contrast(colour, LogBackground) < LeastContrast)
            colour = (Lighter(colour >> 16 & 255) << 16) | (Lighter(colour >> 8 & 255) << 8) | Lighter(colour & 255);
        return colour;
    }

    /// <summary>The contrast of two colours, from 1 to 21, as WCAG 2 defines it.</summary>
    public static double Contrast(int one, int other)
    {
        var (a, b) = (Luminance(one), Luminance(other));
        return (Math.Max(a, b) + 0.05) / (Math.Min(a, b) + 0.05);
    }

    private static int Lighter(int part) => part + (255 - part + 15) / 16;

    private static double Luminance(int colour) => 0.2126 * Linear(colour >> 16 & 255) + 0.7152 * Linear(colour >> 8 & 255) + 0.0722 * Linear(colour & 255);

    private static double Linear(int part) => part / 255.0 is var share && share <= 0.04045 ? share / 12.92 : Math.Pow((share + 0.055) / 1.055, 2.4);

    private static int Level(int part) => part < 48 ? 0 : part < 115 ? 1 : (part - 35) / 40;

    private static int Distance(int colour, int red, int green, int blue)
    {
        var (r, g, b) = ((colour >> 16 & 255) - red, (colour >> 8 & 255) - green, (colour & 255) - blue);
        return r * r + g * g + b * b;
    }
}
