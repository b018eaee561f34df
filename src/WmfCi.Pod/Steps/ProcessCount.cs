using System.Globalization;

namespace WmfCi.Pod.Steps;

/// <summary>Counts the processes and threads of the container, as its limit does.</summary>
internal static class ProcessCount
{
    private const int Own = 1;

    /// <summary>How many there are beside this process's own, at least; counting ends where there are enough.</summary>
    public static int Count(int enough)
    {
        var total = 0;
        foreach (var folder in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out var process) || process == Own) continue;
            total += Threads(folder);
            if (total >= enough) break;
        }

        return total;
    }

    private static int Threads(string folder)
    {
        try
        {
            // The name in brackets may hold anything; behind it, the number of threads is the 18th field.
            var text = File.ReadAllText(folder + "/stat");
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] == "Z" ? 1 : int.Parse(fields[17], CultureInfo.InvariantCulture);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            // It ended meanwhile.
            return 0;
        }
    }
}
